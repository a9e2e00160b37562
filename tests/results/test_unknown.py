"""The table of unknown queries, its intervals, the curve and the ranking's column."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from fsar.episodes.stored import SCHEMA as EPISODES
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.predictions import WITH_UNKNOWN_SCHEMA
from fsar.files import write_parquet
from fsar.results.figures import oscr, ranking
from fsar.results.unknown import COLUMNS, Asked, asks_unknown, design_with_unknown, unknown_table, write_unknown
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.statistics.unknown_as_published import PUBLISHED
from tests.results.test_results import predictions, setting

WAY, CLASSES, VIDEOS, UNKNOWN = 3, 6, 8, 4


def write_data(folder, rng, episodes=60):
    """Write the manifest and episodes of one support video and one query of each class, with unknown queries."""
    ids = [f"{c}-{v}" for c in range(CLASSES) for v in range(VIDEOS)]
    columns = {"video_id": ids, "path": ids, "class_name": [f"c{one[0]}" for one in ids], "split": "test"}
    write_parquet(folder / "manifest.parquet", pd.DataFrame(columns).assign(source="", group=""), MANIFEST_SCHEMA)
    rows, further = [], []
    for episode in range(episodes):
        order = rng.permutation(CLASSES)
        for label, number in enumerate(order[:WAY]):
            chosen = rng.permutation(VIDEOS)[:2]
            for role, video in zip(("support", "query"), chosen, strict=True):
                rows.append((episode, label, role, f"c{number}", f"{number}-{video}"))
        places = {number: rng.permutation(VIDEOS) for number in order[WAY:]}
        for place in range(UNKNOWN):
            number = order[WAY:][place % (CLASSES - WAY)]
            video = places[number][place // (CLASSES - WAY)]
            further.append((episode, -1, "unknown", f"c{number}", f"{number}-{video}"))
    write_parquet(folder / "episodes.parquet", pd.DataFrame(rows + further, columns=EPISODES.names), EPISODES)


def write_answers(folder, name, rng, known=None, effects=None):
    """Write what a method says: logits that know known queries better than by chance; `effects` are those of videos."""
    stored = StoredEpisodes.read(folder / "episodes.parquet")
    effects = effects if effects is not None else dict.fromkeys(stored.video_ids, 0.0)
    rows = []
    for episode in range(len(stored.queries)):
        asked = [(label, stored.queries[episode, label, 0]) for label in range(WAY)]
        asked += [(-1, video) for video in stored.unknown[episode]]
        for label, video in asked:
            logits = rng.normal(0, 1, WAY)
            if label >= 0:
                support = effects[stored.video_ids[stored.support[episode, label, 0]]]
                logits[label] += 1.5 + support + effects[stored.video_ids[video]]
            rows.append((episode, label, stored.video_ids[video], logits.astype(np.float32)))
    table = pd.DataFrame(rows, columns=["episode", "label", "video_id", "logits"])
    table = table.assign(method=name, way=WAY, shot=1, class_name="c" + table["video_id"].str[0])
    table = table.assign(predicted=[own.argmax() for own in table["logits"]], nearness=np.nan, text=np.nan)
    table["known"] = np.nan if known is None else known
    path = folder / f"{name}.parquet"
    write_parquet(path, table[WITH_UNKNOWN_SCHEMA.names], WITH_UNKNOWN_SCHEMA)
    return setting([path], method=name, title=name, way=WAY), table


@pytest.fixture
def answered(tmp_path):
    rng = np.random.default_rng(0)
    write_data(tmp_path, rng)
    return write_answers(tmp_path, "otam", rng)


def test_a_row_for_each_score_over_all_queries(answered, tmp_path):
    own, table = answered
    write_unknown([own], "pooled", tmp_path / "unknown.csv", tmp_path / "unknown.md")
    found = pd.read_csv(tmp_path / "unknown.csv", comment=None)
    assert list(found.columns) == COLUMNS
    assert found["score"].tolist() == ["probability", "logit", "margin", "entropy"]
    assert found["main"].fillna("").tolist() == ["", "yes", "", ""]
    logits = np.stack(table["logits"])
    expected = 100 * roc_auc_score(table["label"] >= 0, logits.max(axis=1))
    logit = found.set_index("score").loc["logit"]
    assert logit["auroc"] == pytest.approx(expected, abs=1e-3)
    known = table[table["label"] >= 0]
    assert logit["accuracy"] == pytest.approx(100 * (known["label"] == known["predicted"]).mean(), abs=1e-3)
    assert logit["oscr"] < logit["accuracy"]
    assert (logit["known"], logit["unknown"], logit["episodes"]) == (WAY, UNKNOWN, 60)
    assert (found.filter(like="over_episodes") > 0).all(axis=None)
    text = (tmp_path / "unknown.md").read_text()
    assert "| FPR at 95 % recall" in text and f"{logit['auroc']:.1f} ± " in text and "- margin: " in text


def test_measures_as_published_are_means_over_episodes(answered):
    own, table = answered
    found = unknown_table([own], "per-episode").set_index("score").loc["logit"]
    for name, measure in PUBLISHED.items():
        values = []
        for _, episode in table.groupby("episode"):
            scores, known = np.stack(episode["logits"]).max(axis=1).astype(float), episode["label"].to_numpy() >= 0
            right = (episode["label"] == episode["predicted"]).to_numpy()[known]
            values.append(measure(scores[known], scores[~known], right))
        assert found[name] == pytest.approx(100 * np.mean(values)), name
        assert found[f"{name}_over_episodes"] == pytest.approx(
            100 * 2.001 * np.std(values, ddof=1) / np.sqrt(60), rel=1e-3
        )
    assert np.isnan(found["fpr95"])


def test_the_design_has_every_video_of_an_episode(answered, tmp_path):
    own, _ = answered
    design, places = design_with_unknown(own)
    stored = StoredEpisodes.read(tmp_path / "episodes.parquet")
    assert design.classes.shape == (60, CLASSES) and (np.sort(design.classes) == np.arange(CLASSES)).all()
    assert places.tolist() == [0, 1, 2, 3, 4, 5, 3]
    for episode in (0, 59):
        videos = design.sources[episode][design.sources[episode] >= 0]
        assert len(set(videos)) == 2 * WAY + UNKNOWN
    assert not design.few_sources and stored.unknown.shape == (60, UNKNOWN)


@pytest.mark.slow
def test_intervals_over_videos_hold_what_other_videos_give(tmp_path):
    """The mean squared half-width, over data sets, is about the variance of the measure over them."""
    values, widths = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        write_data(tmp_path, rng, 150)
        effects = {f"{c}-{v}": rng.normal(0, 1) for c in range(CLASSES) for v in range(VIDEOS)}
        row = unknown_table([write_answers(tmp_path, "otam", rng, effects=effects)[0]]).set_index("score").loc["logit"]
        values.append(row["auroc"])
        widths.append((row["auroc_over_episodes"], row["auroc_over_videos"]))
    episodes, videos = np.median(widths, axis=0) / 1.96
    spread = np.std(values, ddof=1)
    assert 0.7 * spread < videos < 1.6 * spread and episodes < videos


def test_what_a_head_has_learnt_is_the_main_score(tmp_path):
    rng = np.random.default_rng(0)
    write_data(tmp_path, rng)
    own, table = write_answers(tmp_path, "learnt", rng)
    own, table = write_answers(tmp_path, "learnt", rng, known=(table["label"] >= 0).astype(float))
    found = unknown_table([own]).set_index("score")
    assert found.loc["learnt", "main"] == "yes" and found.loc["logit", "main"] == ""
    assert found.loc["learnt", ["auroc", "fpr95"]].tolist() == pytest.approx([100, 0])
    assert found.loc["learnt", "oscr"] == pytest.approx(found.loc["learnt", "accuracy"])


def test_the_curve_and_the_rankings_column(answered, tmp_path):
    own, _ = answered
    other, _ = write_answers(tmp_path, "other", np.random.default_rng(1))
    data = oscr.collect([own, other])
    ends = data[data["taken"] == 100]
    assert ends["right"].tolist() == pytest.approx(ends["accuracy"].tolist())
    rows = unknown_table([own, other]).query("main == 'yes'").set_index("method")
    area = np.trapezoid(data.query("method == 'otam'")["right"], data.query("method == 'otam'")["taken"]) / 100
    assert area == pytest.approx(rows.loc["otam", "oscr"], abs=1)
    ranked = ranking.collect([own, other]).set_index("method")
    assert ranked["auroc"].to_dict() == pytest.approx(rows["auroc"].to_dict())
    assert asks_unknown(own) and (ranked["auroc_over_videos"] > 0).all()


def test_without_unknown_queries_a_ranking_is_as_before(tmp_path):
    plain = setting([predictions(tmp_path / "a.parquet", [5, 4, 3] * 10)])
    assert not asks_unknown(plain) and ranking.collect([plain, plain])["auroc"].isna().all()


def test_trainings_and_draws_are_each_pooled_by_themselves(answered, tmp_path):
    """A second training whose scores are on another scale moves nothing, where it orders queries alike."""
    own, table = answered
    shifted = table.assign(logits=[own + np.float32(50) for own in table["logits"]])
    write_parquet(tmp_path / "second.parquet", shifted[WITH_UNKNOWN_SCHEMA.names], WITH_UNKNOWN_SCHEMA)
    both = setting([*own.predictions, tmp_path / "second.parquet"], method="otam", title="otam", way=WAY, seeds=(1, 2))
    assert len(Asked.read(both).right) == 2
    one, two = (unknown_table([each]).set_index("score")["auroc"] for each in (own, both))
    assert two.to_dict() == pytest.approx(one.to_dict(), abs=0.05)
