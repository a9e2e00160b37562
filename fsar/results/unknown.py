"""How well each method tells unknown queries from known ones: a row per setting and score, with intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsar.episodes.stored import UNKNOWN
from fsar.evaluation.known_scores import LEARNT, MAIN, MEANING, known_scores
from fsar.evaluation.predictions import read_predictions, views_of, with_unknown
from fsar.files import atomic, atomic_csv
from fsar.results.accuracies import episodes_and_sources
from fsar.results.setting import Setting
from fsar.statistics.design import Design
from fsar.statistics.intervals import mean_and_interval
from fsar.statistics.unknown import MEASURES
from fsar.statistics.unknown_as_published import PUBLISHED
from fsar.statistics.videos import covariance_over_videos

Values = NDArray[np.float64]

# Measures in percent, each followed by the half-widths of its 95 % intervals.
OVER = ("over_episodes", "over_videos")
COLUMNS = [
    "benchmark", "backbone", "method", "way", "shot",
    "score",  # by which known and unknown queries are told apart (docs/unknown.md)
    "main",  # yes: the score that figures and rankings look at; else empty
    *(name for measure in MEASURES for name in (measure, *(f"{measure}_{over}" for over in OVER))),
    "accuracy",  # percent, of the known queries: the most that oscr can be
    "known", "unknown",  # queries of an episode
    "episodes",
]  # fmt: skip
HEADINGS = {"auroc": "AUROC", "aupr": "AUPR", "fpr95": "FPR at 95 % recall", "oscr": "OSCR"}


@dataclass(frozen=True)
class Asked:
    """What a setting says of all queries; trainings and draws of frames R, episodes E, queries of an episode Q.

    Attributes:
        scores: (R, E, Q) each, by name.
        right: (R, E, Q) whether a query's class is found.
        unknown: (Q,) which of an episode's queries are unknown: the last.
        labels: (Q,) of the classes in the episode.
    """

    scores: dict[str, Values]
    right: NDArray[np.bool_]
    unknown: NDArray[np.bool_]
    labels: NDArray[np.int64]

    @classmethod
    def read(cls, setting: Setting) -> "Asked":
        """Read it from the setting's predictions."""
        columns = ["episode", "label", "predicted", "logits", "nearness", "text", "known"]
        tables = [
            part
            for path in setting.predictions
            for part in _by_draw(
                read_predictions(path, setting.method, setting.way, setting.shot, columns, unknown=True), views_of(path)
            )
        ]
        labels = tables[0]["label"].to_numpy(np.int64)
        episodes = int(tables[0]["episode"].max()) + 1
        found = [known_scores(np.stack(list(table["logits"])), _further(table)) for table in tables]
        right = np.stack([(table["label"] == table["predicted"]).to_numpy() for table in tables])
        labels = labels.reshape(episodes, -1)[0]
        return cls(
            {name: np.stack([own[name] for own in found]).reshape(len(found), episodes, -1) for name in found[0]},
            right.reshape(len(found), episodes, -1),
            labels == UNKNOWN,
            labels,
        )

    @property
    def main(self) -> str:
        """The score that figures and rankings look at: what was learnt, where something was."""
        return LEARNT if LEARNT in self.scores else MAIN

    def pooled(self, score: str) -> list[tuple[Values, Values, NDArray[np.bool_]]]:
        """Return of each training and draw the scores of known and unknown queries, and which known ones are right."""
        return [
            (scores[:, ~self.unknown].ravel(), scores[:, self.unknown].ravel(), right[:, ~self.unknown].ravel())
            for scores, right in zip(self.scores[score], self.right, strict=True)
        ]


def asks_unknown(setting: Setting) -> bool:
    """Tell whether a setting's tests ask unknown queries."""
    return with_unknown(setting.predictions[0])


def unknown_table(settings: Iterable[Setting], measures: str = "pooled") -> pd.DataFrame:
    """Return a row per setting and score; columns of `COLUMNS`.

    Args:
        settings: whose tests asked unknown queries.
        measures: pooled over all queries; or per-episode, as published (`fsar.statistics.unknown_as_published`).
    """
    rows: list[dict[str, object]] = []
    designs: dict[tuple[str, str], tuple[Design, NDArray[np.int64]]] = {}
    for setting in settings:
        at = setting.episodes, setting.manifest
        if at not in designs:
            designs[at] = design_with_unknown(setting)
        rows += _rows(setting, *designs[at], measures)
    return pd.DataFrame(rows, columns=COLUMNS)


def main_aurocs(settings: Sequence[Setting]) -> Values:
    """Return the AUROC of each setting by its main score, and its half-width over test videos, in percent: (S, 2)."""
    design, slots = design_with_unknown(settings[0])
    asked = (Asked.read(setting) for setting in settings)
    found = (_with_intervals(design, slots, pooled_influences(own, own.main, "auroc")) for own in asked)
    return np.array([(value, over_videos) for value, _, over_videos in found])


def _rows(setting: Setting, design: Design, slots: NDArray[np.int64], measures: str) -> list[dict[str, object]]:
    """Return the rows of one setting; `slots` (Q,) is the place of each query's class in the design."""
    asked = Asked.read(setting)
    accuracy = 100 * float(asked.right[:, :, ~asked.unknown].mean())
    counts = {"known": int((~asked.unknown).sum()), "unknown": int(asked.unknown.sum()), "episodes": design.episodes}
    rows = []
    for score in asked.scores:
        if measures == "pooled":
            values = {name: pooled_influences(asked, score, name) for name in MEASURES}
        else:
            values = {name: _of_episodes(asked, score, name) for name in PUBLISHED}
        row: dict[str, object] = {**setting.named, "score": score, "main": "yes" if score == asked.main else ""}
        for name, of_queries in values.items():
            row |= {
                name if end == "" else f"{name}_{end}": value
                for end, value in zip(("", *OVER), _with_intervals(design, slots, of_queries), strict=True)
            }
        rows.append(row | {"accuracy": accuracy} | counts)
    return rows


def pooled_influences(asked: Asked, score: str, measure: str) -> Values:
    """Return a measure as (E, Q) values of queries, in percent: their sums over an episode have the measure as mean."""
    count, known = asked.right.shape[1], ~asked.unknown
    found = []
    for parts in asked.pooled(score):
        measured = MEASURES[measure](*parts)
        values = np.empty((count, len(known)))
        values[:, known] = measured.known.reshape(count, -1) / known.sum()
        values[:, ~known] = measured.unknown.reshape(count, -1) / (~known).sum()
        found.append(values + measured.value / len(known))
    return np.asarray(100 * np.mean(found, axis=0))


def _of_episodes(asked: Asked, score: str, measure: str) -> Values:
    """Return a published measure of each episode by itself, (E, Q) in percent: an equal part for each query."""
    known, of = ~asked.unknown, PUBLISHED[measure]
    found = [
        [of(own[known], own[~known], right[known]) for own, right in zip(scores, rights, strict=True)]
        for scores, rights in zip(asked.scores[score], asked.right, strict=True)
    ]
    values = 100 * np.mean(found, axis=0) / len(known)
    return np.repeat(values[:, None], len(known), axis=1)


def _with_intervals(design: Design, slots: NDArray[np.int64], of_queries: Values) -> tuple[float, float, float]:
    """Return a measure with the half-widths of its intervals over episodes and over test videos.

    Args:
        design: the episodes, with a place for each class of unknown queries.
        slots: (Q,) the place of each query's class.
        of_queries: (E, Q) what each query adds.
    """
    places = design.classes.shape[1]
    by_class = np.stack([of_queries[:, slots == place].sum(axis=1) for place in range(places)], axis=1)  # (E, S)
    by_episode = by_class.sum(axis=1)
    value, over_episodes = mean_and_interval(by_episode)
    found = covariance_over_videos(design, by_episode[:, None], places * by_class[..., None])
    return value, over_episodes, float(found.of_accuracies.half_widths[0])


def design_with_unknown(setting: Setting) -> tuple[Design, NDArray[np.int64]]:
    """Return the sources of each episode's videos, the classes of unknown queries after its own.

    Returns:
        the design; and (Q,) which of its places each query is of: the known ones by class, then the unknown ones.

    Raises:
        UserError: the episodes are not of these videos.
    """
    stored, numbers = episodes_and_sources(setting)
    count, way, queries = stored.queries.shape
    # The other classes take turns, so of each episode the first ones are all that there are.
    others = len(np.unique(stored.unknown_classes[0]))
    of_unknown = np.arange(stored.unknown.shape[1]) % others
    width = max(stored.support.shape[2] + queries, int(np.bincount(of_unknown).max()))
    found = np.full((count, way + others, width), -1, np.int64)
    known = numbers[np.concatenate([stored.support, stored.queries], axis=2)]
    found[:, :way, : known.shape[2]] = known
    for place, slot in enumerate(of_unknown):
        found[:, way + slot, place // others] = numbers[stored.unknown[:, place]]
    classes = np.concatenate([stored.classes, stored.unknown_classes[:, :others]], axis=1)
    return Design(classes, found), np.r_[np.repeat(np.arange(way), queries), way + of_unknown]


def write_unknown(settings: Sequence[Setting], measures: str, csv: Path, markdown: Path) -> None:
    """Write the table as CSV, and that of the main scores as Markdown; arguments as of `unknown_table`."""
    table = unknown_table(settings, measures)
    with atomic_csv(csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    with atomic(markdown) as temporary:
        temporary.write_text(_markdown(table, measures), encoding="utf-8")


def shown_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers: the measures with their intervals in one column each, as text."""
    shown = table[["benchmark", "backbone", "method", "way", "shot", "score"]].astype(str)
    for name, heading in HEADINGS.items():
        widths = [table[f"{name}_{over}"] for over in OVER]
        shown[heading] = [
            "" if np.isnan(value) else f"{value:.1f}" + "".join(f" ± {w:.1f}" for w in own if not np.isnan(w))
            for value, *own in zip(table[name], *widths, strict=True)
        ]
    return shown.assign(accuracy=[f"{value:.1f}" for value in table["accuracy"]])


def _markdown(table: pd.DataFrame, measures: str) -> str:
    scores = [name for name in MEANING if name in set(table["score"])]
    text = shown_rows(table).to_markdown(index=False, disable_numparse=True) + "\n\n"
    text += "Percent ± 95 % interval over test episodes ± over test videos. Known queries are positive. "
    if measures == "pooled":
        text += "All queries of all episodes together.\n"
    else:
        text += "Means over episodes of what each has by itself, as published; the denominator of OSCR is theirs.\n"
    return (
        text
        + "\nScores, larger is surer that a query is known:\n\n"
        + "".join(f"- {name}: {MEANING[name]}\n" for name in scores)
    )


def _further(table: pd.DataFrame) -> dict[str, Values]:
    return {name: table[name].to_numpy(np.float64) for name in ("nearness", "text", "known")}


def _by_draw(table: pd.DataFrame, views: int) -> list[pd.DataFrame]:
    """Return the rows of each draw of the videos' frames."""
    count = len(table) // views
    return [table.iloc[view * count : (view + 1) * count] for view in range(views)]
