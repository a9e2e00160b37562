"""The table and the figure."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard
from scipy import stats

from fsar.episodes.stored import SCHEMA as EPISODES
from fsar.errors import UserError
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA
from fsar.files import atomic, write_json, write_parquet
from fsar.methods import METHODS
from fsar.plan.layouts import layouts
from fsar.results.class_accuracy import Asked, confusion, of_classes
from fsar.results.comparisons import COMPARISON_COLUMNS, compare, compare_all, pairs
from fsar.results.layout import Layout
from fsar.results.layout_tables import write_layout
from fsar.results.model_card import write_model_card
from fsar.results.over_deals import over_deals, write_over_deals
from fsar.results.published import FOOTNOTE, OTHER, PUBLISHED, published_result, published_results
from fsar.results.ranking import groups, mean_ranks
from fsar.results.setting import Setting
from fsar.results.table import COLUMNS, write_tables
from fsar.sources.schemas import MANIFEST_SCHEMA


def write_rows(path, rows, method="clip-fsar", way=5, shot=1):
    """Write predictions of one test, or of several after each other: (episode, label, class, video, predicted) rows."""
    frame = pd.DataFrame(rows, columns=["episode", "label", "class_name", "video_id", "predicted"])
    logits = list(np.eye(max(way, 5), dtype=np.float32)[frame["predicted"]])
    frame = frame.assign(method=method, way=way, shot=shot, logits=logits)
    write_parquet(path, frame[PREDICTIONS_SCHEMA.names], PREDICTIONS_SCHEMA)


def write_episodes(path, rows, support=()):
    """Write stored episodes: queries as (episode, label, class, video, …) rows, support as (episode, label, video)."""
    names = {(episode, label): name for episode, label, name, *_ in rows}
    both = [
        (*place, "support", names[place], video) for *place, video in map(list, support) for place in [tuple(place)]
    ]
    both += [(episode, label, "query", name, video) for episode, label, name, video, *_ in rows]
    both.sort(key=lambda row: (row[0], row[1], row[2] == "query"))
    write_parquet(path, pd.DataFrame(both, columns=EPISODES.names), EPISODES)
    videos = sorted({row[4] for row in both})
    classes = {row[4]: row[3] for row in both}
    columns = {"video_id": videos, "path": videos, "class_name": [classes[one] for one in videos], "split": "test"}
    manifest = pd.DataFrame(columns).assign(source="list.csv", group="")
    write_parquet(path.with_name("manifest.parquet"), manifest, MANIFEST_SCHEMA)


def predictions(path, right, **test):
    """Write predictions of episodes with five queries, of which `right` are correct in each; and the episodes."""
    rows = [
        (e, label, f"class {label}", f"v{label}-{e % 7}", label if label < n else (label + 1) % 5)
        for e, n in enumerate(right)
        for label in range(5)
    ]
    write_rows(path, rows, **test)
    support = [(e, label, f"v{label}-{7 + e % 5}") for e in range(len(right)) for label in range(5)]
    write_episodes(path.with_name("episodes.parquet"), rows, support)
    write_json(path.with_name("counts.json"), {"listed": 1300, "missing": 4, "failed": 2, "used": 1294})
    return str(path)


def setting(files, **changes):
    values = {
        "benchmark": "hmdb51", "backbone": "RN50", "method": "clip-fsar", "title": "CLIP-FSAR", "way": 5, "shot": 1,
        "seeds": (1,), "selection": "val", "predictions": tuple(files), "base": "hmdb51", "frames": 8, "depth": 1,
        "counts": str(Path(files[0]).with_name("counts.json")),
        "episodes": str(Path(files[0]).with_name("episodes.parquet")),
        "manifest": str(Path(files[0]).with_name("manifest.parquet")),
        "published_method": "CLIP-FSAR", "published_backbone": "CLIP-RN50",
    }  # fmt: skip
    return Setting(**(values | changes))


def test_a_row_has_mean_interval_and_the_published_figure(tmp_path):
    right = [5, 4, 3, 4] * 25
    files = [predictions(tmp_path / "1.parquet", right)]
    write_tables([setting(files)], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert list(row.index) == COLUMNS
    accuracies = 20 * np.array(right)
    assert row["accuracy"] == accuracies.mean() and row["episodes"] == 100
    assert row["interval"] == pytest.approx(1.984 * accuracies.std(ddof=1) / 10, abs=0.01)
    assert 0 < row["over_videos"] < 100
    published = published_results().query("method == 'CLIP-FSAR' and backbone == 'CLIP-RN50' and benchmark == 'hmdb51'")
    assert row["published"] == published.query("way == 5 and shot == 1")["accuracy"].item()
    assert row["videos"] == "1294 of 1300"
    assert "2303.02982" in row["source"] and row["selection"] == "val"


def test_an_interval_that_few_sources_carry_says_so(tmp_path):
    """Two sources in each class, and two videos of it in an episode; with one source more there is no note."""
    one = setting([predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25)])
    videos = pd.read_parquet(tmp_path / "manifest.parquet")
    for sources, said in ((2, True), (3, False)):
        number = videos["video_id"].str.extract(r"-(\d+)")[0].astype(int) % sources
        groups = videos["class_name"].astype(str) + number.astype(str)
        write_parquet(tmp_path / "manifest.parquet", videos.assign(group=groups), MANIFEST_SCHEMA)
        write_tables([one], tmp_path / "table.csv", tmp_path / "table.md")
        told = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)["few_sources"].tolist()
        assert told == ["yes" if said else ""] and ("few sources: " in (tmp_path / "table.md").read_text()) is said


def test_seeds_are_averaged_before_episodes(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 3] * 20), predictions(tmp_path / "2.parquet", [3, 5] * 20)]
    write_tables([setting(files, seeds=(1, 2))], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert (row["accuracy"], row["interval"], row["over_seeds"], row["seeds"]) == (80.0, 0.0, 0.0, "1 2")


def three_methods(folder):
    """Write a method, one that is right more often, and that again under another name; return their settings."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 5, 400)
    better = np.minimum(base + (rng.random(400) < 0.1), 5)
    files = {"A": predictions(folder / "a.parquet", base), "B": predictions(folder / "b.parquet", better)}
    return base, better, [setting([files[name.upper()[0]]], title=name) for name in ("A", "B", "b, again")]


def test_differences_are_paired(tmp_path):
    """Methods that agree on most episodes differ for sure, however much episodes vary."""
    base, better, rows = three_methods(tmp_path)
    found = compare(rows)
    expected = stats.ttest_rel(20 * better, 20 * base).confidence_interval(0.95)
    assert found.differences[1, 0] == pytest.approx(20 * (better - base).mean())
    assert found.differences_over_episodes[1, 0] == pytest.approx((expected.high - expected.low) / 2)
    assert stats.ttest_ind(20 * better, 20 * base).pvalue > 1e-3 > found.p[1, 0]  # pairing is what shows it
    assert (found.differences[2, 1], found.differences_over_videos[2, 1], found.p[2, 1]) == (0, 0, 1)
    table = pairs(("hmdb51", 5, 1), found).set_index(["method", "baseline"])
    assert list(table.reset_index()[COMPARISON_COLUMNS].columns) == COMPARISON_COLUMNS
    assert table["apart"].to_dict() == {("B", "A"): "yes", ("b, again", "A"): "yes", ("b, again", "B"): "no"}
    assert table.loc["B", "A"]["detectable_all_episodes"] <= table.loc["B", "A"]["detectable"]
    ratio = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / stats.t.ppf(0.975, found.variances.freedom)
    assert table.loc["B", "A"]["detectable"] == pytest.approx(ratio * table.loc["B", "A"]["over_videos"])


def test_every_pair_counts_in_what_is_told_apart(tmp_path):
    """By hand: three pairs; the smallest p counts three times, the next twice."""
    found = compare(three_methods(tmp_path)[2])
    assert found.p_holm[0, 1] == pytest.approx(3 * found.p[0, 1]) and found.p_holm[0, 1] == found.p_holm[1, 0]
    assert found.p_holm[1, 2] == 1 and found.leading == [False, True, True]


def test_predictions_of_other_episodes_are_refused(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5] * 20)]
    predictions(tmp_path / "2.parquet", [5] * 21)
    with pytest.raises(UserError, match=r"has 20 episodes, and .* has 21"):
        compare([setting(files)])


def test_trainings_that_disagree_tell_no_methods_apart(tmp_path):
    """By hand: with seeds 1 and 2 the difference is 10 and 30 points, so 20 ± 12.706 · 14.142 / √2."""
    rng = np.random.default_rng(0)
    base = rng.permutation([2, 3] * 200)
    files = [
        predictions(tmp_path / f"{name}.parquet", own)
        for name, own in (("1", base + (base == 3)), ("2", base + 1 + (base == 3)), ("base", base))
    ]
    better, untrained = setting(files[:2], seeds=(1, 2)), setting(files[2:], seeds=())
    found = compare([better, untrained])
    assert found.differences[0, 1] == pytest.approx(20)
    assert found.differences_over_seeds[0, 1] == pytest.approx(127.06, abs=0.01)
    assert found.differences_over_videos[0, 1] < 20 and not found.apart.any()
    assert compare([replace(better, predictions=tuple(files[1:2])), untrained]).apart[0, 1]


def test_methods_share_a_group_if_and_only_if_they_are_not_told_apart():
    def apart(methods, *pairs):
        matrix = np.zeros((methods, methods), dtype=bool)
        for one, other in pairs:
            matrix[one, other] = matrix[other, one] = True
        return matrix

    assert groups(apart(4, (0, 2), (0, 3), (1, 3))) == [[0, 1], [1, 2], [2, 3]]
    assert groups(apart(3, (0, 1))) == [[0, 2], [1, 2]]  # no row of neighbours
    assert groups(apart(3)) == [[0, 1, 2]] and groups(apart(2, (0, 1))) == []
    rng = np.random.default_rng(0)
    random = np.triu(rng.random((25, 25)) < 0.8, 1)
    random |= random.T
    together = np.eye(25, dtype=bool)
    for group in groups(random):
        together[np.ix_(group, group)] = True
    assert (together == ~random).all()


def test_mean_ranks_and_their_critical_difference():
    """Ranks by hand; the quantile of Nemenyi's test for three methods is 2.343 (Demšar 2006, Table 5)."""
    accuracies = np.array([[90.0, 80, 70], [60, 70, 50], [80, 80, 10]])
    ranks, friedman, critical = mean_ranks(accuracies)
    assert friedman == stats.friedmanchisquare(*accuracies.T).pvalue and 0.05 < friedman < 0.2
    assert ranks.tolist() == [[1, 2, 3], [2, 1, 3], [1.5, 1.5, 3]]
    assert critical == pytest.approx(2.343 * (3 * 4 / (6 * 3)) ** 0.5, abs=1e-3)


def test_classes_and_what_they_are_taken_for(tmp_path):
    """Two episodes over the classes a, b and c: one query each, with a known confusion."""
    rows = [(0, 0, "a", "a1", 0), (0, 1, "b", "b1", 0), (1, 0, "b", "b2", 0), (1, 1, "c", "c1", 0)]
    write_rows(tmp_path / "p.parquet", rows)
    write_episodes(tmp_path / "episodes.parquet", rows)
    one = setting([str(tmp_path / "p.parquet")])
    classes = of_classes(one).set_index("class_name")
    assert classes["accuracy"].to_dict() == {"a": 100, "b": 50, "c": 0}
    assert classes.loc["b", ["queries", "videos"]].tolist() == [2, 2]
    expected = stats.binomtest(1, 2).proportion_ci(method="wilson")  # two videos, one of them right
    assert classes.loc["b", ["low", "high"]].tolist() == pytest.approx([100 * expected.low, 100 * expected.high])
    assert classes.loc["a", "low"] < 25 and classes.loc["a", "high"] == pytest.approx(100)  # all right, of one video
    rates = confusion(Asked.read(one)).set_index(["class_name", "predicted_name"])["rate"]
    assert rates["b", "a"] == 100 and rates["c", "b"] == 100 and rates["a", "b"] == 0 and rates["b", "b"] == 50
    assert ("a", "c") not in rates.index  # they never met


def test_the_accuracy_of_a_class_is_over_its_queries(tmp_path):
    """A video that is asked three times as often counts three times."""
    rows = [(e, 0, "a", "often", 0) for e in range(3)] + [(3, 0, "a", "once", 1)]
    rows += [(e, 1, "b", "other", 1) for e in range(4)]
    write_rows(tmp_path / "p.parquet", sorted(rows))
    write_episodes(tmp_path / "episodes.parquet", rows)
    classes = of_classes(setting([str(tmp_path / "p.parquet")])).set_index("class_name")
    assert classes.loc["a", ["accuracy", "queries", "videos"]].tolist() == [75, 4, 2]


def test_tables_as_the_paper_lays_them_out(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25)]
    worse = [predictions(tmp_path / "2.parquet", [3, 4, 3, 4] * 25, method="otam")]
    rows = [setting(files), setting(worse, title="OTAM", method="otam", published_method="OTAM")]
    layout = next(layout for layout in layouts(rows) if layout.name == "table2")
    paths = [tmp_path / f"table2.{suffix}" for suffix in ("csv", "md", "tex")]
    write_layout(layout, compare_all(rows), *paths)
    table = pd.read_csv(paths[0], dtype=str).set_index(["backbone", "method", "figures"])
    row = table.loc["CLIP-RN50", "CLIP-FSAR"]
    assert row["HMDB51 1-shot"].to_dict() == {"published": "69.2", "ours": "80.0 ± 2.8 ± 2.8", "difference": "+10.8"}
    assert pd.isna(row.loc["ours", "HMDB51 3-shot"]) and row.loc["published", "HMDB51 3-shot"] == "77.6"
    assert ("CLIP-RN50", "CLIP-FSAR + text", "ours") not in table.index  # not run: no row, and no number
    assert table.loc[("CLIP-RN50", "CLIP-FSAR + text", "published"), "HMDB51 1-shot"] == "69.4"  # the † is apart
    latex = paths[2].read_text()
    assert r"\textbf{80.0} $\pm$ 2.8" in latex and r"& 70.0 $\pm$" in latex
    assert all(word in latex for word in (r"\toprule", r"\midrule", r"\bottomrule", r"\multicolumn{3}{c}{HMDB51}"))
    assert "HMDB51 1-shot" in paths[1].read_text()


# What LaTeX takes for something else, and how it is written to be itself.
ESCAPES = {
    "R&D 100 %": r"R\&D 100 \%",
    "$5 #1 a_b": r"\$5 \#1 a\_b",
    "{x}^2": r"\{x\}\textasciicircum 2",
    "a~b": r"a\textasciitilde b",
    "a \\ b": r"a \textbackslash \space b",
    r"\input{/etc/passwd}": r"\textbackslash input\{/etc/passwd\}",
    "<b>|x|</b>": r"\textless{}b\textgreater{}\textbar{}x\textbar{}\textless{}/b\textgreater{}",
    "[2] x": r"{[}2] x",
    "*x": r"{*}x",
    "größe 動画 †": r"größe 動画 $\dagger$",
    "a ± 5 & \\textbf{b}": r"a ± 5 \& \textbackslash textbf\{b\}",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_names_are_themselves_in_latex(tmp_path, name):
    """As names of benchmarks, backbones and methods, beside numbers whose own LaTeX stays."""
    files = [predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25)]
    worse = [predictions(tmp_path / "2.parquet", [3, 4, 3, 4] * 25, method="otam")]
    own = {"benchmark": f"x{name}", "backbone": name, "published_method": "", "published_backbone": ""}
    rows = [setting(files, title=f"m{name}", **own), setting(worse, method="otam", title="OTAM", **own)]
    layout = Layout("main", "Accuracy", {f"x{name}": f"x{name}"}, (1,))
    write_layout(layout, compare_all(rows), *(tmp_path / f"main.{suffix}" for suffix in ("csv", "md", "tex")))
    written = ESCAPES[name]
    inside = written.replace("{[}", "[").replace("{*}", "*")
    latex = (tmp_path / "main.tex").read_text()
    assert f"\n{written} & m{inside} & ours & \\textbf{{80.0}} $\\pm$ 2.8 $\\pm$ 2.8 \\\\\n" in latex
    assert f"& x{inside} \\\\\n" in latex
    assert name in (tmp_path / "main.md").read_text() or "|" in name
    assert pd.read_csv(tmp_path / "main.csv")["backbone"].eq(name).all()


def test_tables_of_other_benchmarks_hold_what_was_run():
    keys = ("clip-freeze", "otam", "clip-fsar", "clip-fsar-zero-shot")
    rows = [setting(["p"], benchmark="mine", method=key, shot=0 if "zero" in key else 1) for key in keys]
    assert [layout.name for layout in layouts(rows)] == ["main-5way", "zero-shot-5way"]
    rows += [setting(["p"], benchmark="mine", method="otam-modulation")]
    assert "components-5way" in [layout.name for layout in layouts(rows)]


def test_what_is_not_published_is_an_empty_cell(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 3] * 20)]
    unknown = setting(
        files, benchmark="demo", selection="not trained", published_method="CLIP-Freeze", published_backbone=""
    )
    write_tables([unknown], tmp_path / "table.csv", tmp_path / "table.md")
    row = pd.read_csv(tmp_path / "table.csv").iloc[0]
    assert np.isnan(row["published"]) and np.isnan(row["source"]) and row["selection"] == "not trained"


def test_published_figures_have_sources_and_none_is_doubled_within_one():
    table = published_results()
    assert table["source"].str.len().gt(5).all() and table["accuracy"].between(0, 100).all()
    assert not table.duplicated(["method", "backbone", "benchmark", "way", "shot", "source"]).any()
    assert published_result("CLIP-FSAR", "CLIP-RN50", "hmdb51", 5, 2) is None
    at = ["method", "backbone", "benchmark", "way", "shot"]
    second_hand = table[table["quoted"]]
    assert {"TEAM", "LGA"} <= set(second_hand["method"]) and "CLIP-FSAR" not in set(second_hand["method"])
    assert second_hand["source"].str.contains("check against the paper").all()
    read = table[~table["quoted"]].groupby(at).head(1)[at].assign(read=True)
    first = table.drop_duplicates(at).merge(read, how="left")
    assert not (first["quoted"] & first["read"].eq(True)).any()  # what was read itself comes first


def test_every_number_of_the_reference_is_published(repository):
    folder = repository.parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("needs ../shared/reference")
    video = pd.read_csv(folder / "published_video.csv").drop(columns="std_over_seeds")
    video = video[video["backbone"].str.startswith("R(2+1)D-34")]  # of the matching functions
    reference = pd.concat([*(pd.read_csv(folder / f"{name}.csv") for name in ("published", "published_more")), video])
    ours = {"D2ST-Adapter": "D²ST-Adapter", "chamfer++": "Chamfer++", "mean": "Mean of all pairs"}
    ours |= {name.lower(): name for name in ("Diagonal", "Linear")} | {"max": "Max pair"}
    reference["method"] = reference["method"].replace(ours)
    assert set(reference.itertuples(index=False, name=None)) == set(
        published_results()[list(reference)].itertuples(index=False, name=None)
    )
    names = {"D²ST-Adapter", "TS-FSAR", "EMP-Net", "CLIP-SPM", "Task-Adapter++", "CLIP-FSAR + LoRA", "AIM"}
    assert names <= set(reference["method"])


def test_what_is_quoted_second_hand_is_marked_wherever_it_is_shown(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25, method="team")]
    own = {"method": "team", "title": "TEAM", "published_method": "TEAM", "published_backbone": "INet-RN50"}
    rows = [setting(files, **own), setting(files, **own, benchmark="ssv2_small", inductive=False)]
    write_tables(rows, tmp_path / "table.csv", tmp_path / "table.md")
    table = pd.read_csv(tmp_path / "table.csv", dtype=str, keep_default_na=False)
    assert table["published"].tolist() == ["62.8", ""] and table["published_quoted"].tolist() == ["yes", ""]
    assert table["inductive"].tolist() == ["yes", "no"]
    assert "62.8 ‡" in (tmp_path / "table.md").read_text() and FOOTNOTE in (tmp_path / "table.md").read_text()
    layout = next(layout for layout in layouts(rows) if layout.name == "table2")
    paths = [tmp_path / f"table2.{suffix}" for suffix in ("csv", "md", "tex")]
    write_layout(layout, compare_all(rows), *paths)
    row = pd.read_csv(paths[0], dtype=str).set_index(["backbone", "method", "figures"]).sort_index()
    assert row.loc["INet-RN50", "TEAM"]["HMDB51 1-shot"].to_dict() == {
        "published": "62.8 ‡",
        "ours": "80.0 ± 2.8 ± 2.8",
        "difference": "+17.2 ‡",
    }
    assert FOOTNOTE in paths[1].read_text()
    latex = paths[2].read_text()
    assert r"62.8 $\ddagger$" in latex and r"$\ddagger$: Second-hand" in latex and "‡" not in latex


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.glob("deep/*")) == []
    with atomic(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_every_published_name_is_published():
    names = set(published_results()["method"])
    assert [m.title for m in METHODS.values() if m.published_as and m.published_as not in names] == []


def test_a_model_card_has_what_a_reader_asks(tmp_path):
    about = {
        "components": {"metric": "otam"}, "backbone": {"weights": "openai"}, "text": {}, "sampling": {"frames": 8},
        "head": {},
        "training": {"iterations": 5000, "learning_rate": 1e-5}, "seed": 1, "data_seed": 0,
        "selection": {"split": "val", "iteration": 300, "accuracy": 0.701},
        "videos": {"train": {"classes": 31, "videos": 4280}, "val": {"classes": 10, "videos": 1194}},
        "environment": {"torch": "2.15.0"},
        "features": {"views": 4, "stored": True},
        "resumed_with_other_code": [{"iteration": 40, "files": ["fsar/methods/clip_fsar/head.py"]}],
    }  # fmt: skip
    write_json(tmp_path / "training.json", about)
    rows = [
        setting([predictions(tmp_path / f"{shot}.parquet", [5, 4, 3, 4] * 25, shot=shot)], shot=shot) for shot in (1, 5)
    ]
    licences = {"videos": "CC BY 4.0", "weights": "MIT"}
    saw = {"WIT-400M": None, "Kinetics-400": ["kinetics100"], "shapes": []}
    source = {"code": "someone/code, commit 1", "deviations": "another norm", "code_selection": "best on test"}
    write_model_card(
        tmp_path / "training.json", rows, "CLIP-FSAR", "Wang et al.", source, licences, saw, tmp_path / "README.md"
    )
    card = ModelCard.load(tmp_path / "README.md")
    found = [(result.metric_value, result.dataset_config) for result in card.data.eval_results]
    assert found == [(80.0, "5-way 1-shot, CLIP-FSAR"), (80.0, "5-way 5-shot, CLIP-FSAR")]
    for expected in (
        "80.00",
        "69.2",
        "300 of 5000",
        "70.10 %",
        "4280",
        "1e-05",
        "2.15.0",
        "CC BY 4.0",
        "MIT",
        "clip_fsar/head.py",
        "someone/code, commit 1",
        "another norm",
        "best on test; here: best on the validation classes",
        "inductive: yes",
        "WIT-400M; whether videos of a benchmark are in it is not known",
        "Kinetics-400; has videos of kinetics100",
        "shapes; has videos of no benchmark",
        "one of 4 views of each of its videos, which are encoded once",
    ):
        assert expected in card.text, expected


def test_a_card_of_two_targets_has_their_rows_and_what_was_left_out(tmp_path):
    about = {
        "components": {}, "backbone": {"weights": "openai"}, "training": {"iterations": 5}, "seed": 1, "data_seed": 0,
        "selection": {"iteration": 3, "accuracy": 0.7}, "videos": {"train": {"classes": 29, "videos": 9}},
        "environment": {}, "resumed_with_other_code": [], "features": {"views": "fresh", "stored": False},
    }  # fmt: skip
    write_json(tmp_path / "training.json", about)
    file = predictions(tmp_path / "1.parquet", [5, 4, 3, 4] * 25)
    crossed = {"trained_on": "kinetics100", "removed": ("bowling",), "models": "kinetics100-without-1-abc"}
    rows = [setting([file], benchmark=f"k100-to-{name}", base=name, **crossed) for name in ("hmdb51", "ucf101")]
    source = {"code": "", "deviations": "", "code_selection": ""}
    card = tmp_path / "README.md"
    write_model_card(
        tmp_path / "training.json", rows, "OTAM", "Cao et al.", source, {"videos": "a", "weights": "b"}, {}, card
    )
    text = card.read_text()
    assert "# OTAM, RN50, kinetics100-without-1-abc" in text and "videos (kinetics100)" in text
    for name in ("hmdb51", "ucf101"):
        assert f"- k100-to-{name}: trained on kinetics100, without 1 class (bowling); tested on {name}" in text
        assert f"| k100-to-{name} | CLIP-FSAR | 5 " in re.sub(" +", " ", text)


def deals_of_two_methods(folder):
    """Two deals, two backbones, two seeds: the second method is ahead by 4, 8, … percentage points, and once behind."""
    rows = []
    for deal in ("one", "two"):
        for backbone in ("a", "b"):
            files = {"otam": [], "clip-fsar": []}
            for seed in (1, 2):
                ahead = {("one", "a", 1): 1, ("two", "b", 2): -1}.get((deal, backbone, seed), 2)
                right = 10 if deal == "one" else 20  # of 25 queries in five episodes
                for method, total in (("otam", right), ("clip-fsar", right + ahead)):
                    each = [total // 5 + (number < total % 5) for number in range(5)]
                    files[method].append(
                        predictions(folder / f"{deal}{backbone}{seed}{method}.parquet", each, method=method)
                    )
            for method, title in (("otam", "OTAM"), ("clip-fsar", "CLIP-FSAR")):
                place = {"benchmark": deal, "backbone": backbone, "method": method, "title": title}
                rows.append(setting(files[method], seeds=(1, 2), **place))
    return rows


def test_differences_are_taken_on_each_deal_and_averaged_over_them(tmp_path):
    rows = deals_of_two_methods(tmp_path)
    frozen = [predictions(tmp_path / "frozen.parquet", [1, 1, 1, 1, 1], method="clip-freeze")]
    for row in rows[::2]:
        place = {"benchmark": row.benchmark, "backbone": row.backbone, "method": "clip-freeze", "title": "CLIP-Freeze"}
        rows.append(setting(frozen, seeds=(), **place))
    write_over_deals(rows, tmp_path / "over_deals.csv", tmp_path / "over_deals.md")
    table = pd.read_csv(tmp_path / "over_deals.csv", keep_default_na=False).set_index(["method", "minus"])
    gain = table.loc["CLIP-FSAR", "OTAM"]
    # By deal (4 + 3 · 8) / 4 = 7 and (3 · 8 − 4) / 4 = 5; by backbone the same.
    assert (gain["mean"], gain["lowest"], gain["highest"], gain["above_zero"]) == (6, -4, 8, "7 of 8")
    assert float(gain["over_deals"]) == pytest.approx(stats.t.ppf(0.975, 1), abs=0.01)
    assert float(gain["over_backbones"]) == pytest.approx(stats.t.ppf(0.975, 1), abs=0.01)
    assert gain[["deals", "backbones", "seeds"]].tolist() == [2, 2, 2]
    plain = table.loc["OTAM", ""]
    assert (plain["mean"], plain["above_zero"]) == (60, "") and float(plain["over_deals"]) > 100
    # What is not trained has one accuracy for all seeds.
    trained = table.loc["CLIP-Freeze", "CLIP-FSAR"]
    assert (trained["mean"], trained["above_zero"], trained["seeds"]) == (20 - 66, "0 of 4", 1)
    assert "7 of 8" in (tmp_path / "over_deals.md").read_text()


def test_deals_backbones_and_seeds_are_each_averaged_over_the_others(tmp_path):
    """Three deals that differ by ten points and two backbones that differ by four: none is taken for the other."""
    rows = []
    for deal, of_deal in (("a", 1), ("b", 2), ("c", 3)):
        for backbone, of_backbone in (("RN50", [0, 0, 0, 0, 0]), ("ViT", [1, 0, 0, 0, 0])):
            folder = tmp_path / deal / backbone
            folder.mkdir(parents=True)
            files = [predictions(folder / "1.parquet", [of_deal + more for more in of_backbone])]
            rows.append(setting(files, benchmark=deal, backbone=backbone))
    table = over_deals(rows).iloc[0]
    assert (table["mean"], table["lowest"], table["highest"]) == (42, 20, 64)
    assert table[["deals", "backbones", "seeds"]].tolist() == [3, 2, 1]
    assert table["over_deals"] == pytest.approx(stats.t.ppf(0.975, 2) * 20 / np.sqrt(3))
    assert table["over_backbones"] == pytest.approx(stats.t.ppf(0.975, 1) * np.std([40, 44], ddof=1) / np.sqrt(2))


def test_tables_have_the_interval_over_trainings_where_there_are_several(tmp_path):
    files = [predictions(tmp_path / "1.parquet", [5, 4] * 20), predictions(tmp_path / "2.parquet", [4, 4] * 20)]
    paths = [tmp_path / f"main.{suffix}" for suffix in ("csv", "md", "tex")]
    for rows, text in (
        (setting(files, seeds=(1, 2)), "85.0 ± 1.6 ± 1.6 ± 63.5"),
        (setting(files[:1]), "90.0 ± 3.2 ± 3.2"),
    ):
        rows = [replace(rows, benchmark="mine")]
        write_layout(layouts(rows)[0], compare_all(rows), *paths)
        assert pd.read_csv(paths[0])["mine 1-shot"].tolist() == [text]
        assert (
            ("over trainings" in paths[1].read_text()) == ("over trainings" in paths[2].read_text()) == (len(text) > 18)
        )
        assert text.replace("±", r"$\pm$") in paths[2].read_text()


def test_figures_of_another_protocol_stand_beside_none_and_are_in_the_documents(repository):
    table = pd.read_csv(PUBLISHED)
    other = table[table["source"].str.contains(OTHER, regex=False)]
    assert len(other) >= 5 and published_result("TAMT", other["backbone"].iloc[0], "hmdb51", 5, 5) is None
    text = (repository / "docs/domains.md").read_text()
    assert [value for value in other["accuracy"] if f" {value:.2f} " not in text] == []
