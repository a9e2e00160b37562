"""Runs all tests of a model on the features of its videos, and writes one file of predictions."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from fsar.episodes.stored import UNKNOWN, StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.episode_logits import Answers, DecidesBy, episode_answers
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.kept_features import Features
from fsar.evaluation.made_from import check_made_from
from fsar.evaluation.predictions import (
    predictions_made_from,
    predictions_writer,
    schema_of,
    views_of,
    with_unknown,
)
from fsar.evaluation.text_weight import text_weights
from fsar.fabric import one_device
from fsar.methods.head import Head
from fsar.seal import REMEDY

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedTest:
    """One test of a model.

    Attributes:
        method: its name, for the file of predictions.
        decides_by: the support videos, the class names, or both (see `fsar.methods.Method`).
        way, shot: N and K of its episodes.
        episodes: the stored episodes.
        inductive: queries are asked alone (see `fsar.methods.Method`).
    """

    method: str
    decides_by: DecidesBy
    way: int
    shot: int
    episodes: Path
    inductive: bool = True


def evaluate_model(
    head: Head,
    tests: Sequence[PlannedTest],
    features: Path,
    path: Path,
    device: str,
    threads: int,
    expected: Mapping[str, str] | None = None,
    made: Mapping[str, str] = MappingProxyType({}),
    validation: tuple[Path, Sequence[Path]] | None = None,
    expected_to_choose: Mapping[str, str] | None = None,
) -> None:
    """Run all tests of a model and write every prediction, a row per query, test by test.

    Args:
        head: with its trained weights.
        tests: what to test with.
        features: file of the test videos' features, encoded by the same model.
        path: Parquet file to write, see `fsar.evaluation.predictions`.
        device: auto, cpu or cuda.
        threads: cores of the job.
        expected: what the features must be made from; None if unknown.
        made: what the predictions are made from (`fsar.evaluation.made_from`).
        validation: features of the validation videos, made from the same, and stored episodes for each shot, of a head
            whose weight of class names these choose.
        expected_to_choose: what those features must be made from, where they are of another benchmark than is tested.

    Raises:
        UserError: the features are damaged or of another model; or as `write_predictions`.
    """
    where = one_device(device, "fp32", threads)
    head = head.eval().to(where)
    weights = {}
    if validation is not None:
        known, episodes = validation
        weights = text_weights(head, read_features(known, expected_to_choose or expected).to(where), episodes)
    write_predictions(head, tests, read_features(features, expected).to(where), path, made=made, weights=weights)


def write_predictions(
    head: Head,
    tests: Sequence[PlannedTest],
    features: Features,
    path: Path,
    part: tuple[int, int] = (0, 1),
    made: Mapping[str, str] = MappingProxyType({}),
    weights: Mapping[int, float] = MappingProxyType({}),
) -> None:
    """Run tests and write the predictions of all episodes, or of a part of them.

    Args:
        head: in evaluation mode, where the text features are.
        tests: what to test with.
        features: of all videos and classes in the episodes.
        path: Parquet file to write, see `fsar.evaluation.predictions`.
        part: (which, of how many) parts. Parts end between calls of the head, so that the
            number of parts changes no digit.
        made: what the predictions are made from (`fsar.evaluation.made_from`).
        weights: of the class names, by shot, where they were chosen.

    Raises:
        UserError: a logit is NaN or infinite, a method needs text features that are missing, or the
            episodes are damaged, of another way or shot, or of videos without features.
    """
    number, parts = part
    views = features.views
    unknown = any(StoredEpisodes.read(test.episodes).unknown.shape[1] for test in tests)
    with predictions_writer(path, made, parts, len(views), weights, unknown) as writer:
        for test in tests:
            head.text_weight = weights.get(test.shot, head.text_weight)
            episodes = _episodes(test)
            _check_features(episodes, features, test.episodes)
            at_once = head.at_once(test.way)
            calls = -(-len(episodes.queries) // at_once)
            start, end = (at_once * (calls * place // parts) for place in (number, number + 1))
            own = episodes.between(start, end)
            if not len(own.queries):
                continue
            subject = f"The method {test.method} ({test.way}-way {test.shot}-shot)"
            names_count = test.decides_by != "few-shot" or head.settings.compares_with_text
            if names_count and not features.text.shape[-1]:
                raise UserError(
                    f"{subject} looks at class names, but the backbone has no text encoder: choose methods that do not "
                    "(run.methods), or weights of a whole CLIP (backbones.….weights)"
                )
            for view in views:
                found = episode_answers(head, own, view, test.decides_by, test.inductive, subject)
                table = _rows(test, own, _columns(found, unknown, head.settings.prototypes), start)
                writer.write_table(pa.Table.from_pandas(table, schema_of(unknown), preserve_index=False))
                accuracy = (table["label"] == table["predicted"])[table["label"] != UNKNOWN].mean()
                log.info("%s, %d-way %d-shot: accuracy %.4f", test.method, test.way, test.shot, accuracy)


def gather_predictions(parts: Sequence[Path], tests: Sequence[PlannedTest], path: Path) -> None:
    """Join the parts that `write_predictions` wrote: for each test and draw of frames one group of rows, in the order
    of its episodes.

    Raises:
        UserError: a part is damaged or of another model, or a query is missing or there twice.
    """
    made = predictions_made_from(parts[0])
    for part in parts[1:]:
        check_made_from(part, predictions_made_from(part), made, f"Delete {part.parent}, and its tests are made again")
    tables = [pq.read_table(part) for part in parts]
    views = views_of(parts[0])
    with predictions_writer(path, made, len(parts), views, unknown=with_unknown(parts[0])) as writer:
        for test in tests:
            wanted = (
                (pc.field("method") == test.method) & (pc.field("way") == test.way) & (pc.field("shot") == test.shot)
            )
            own = [table.filter(wanted) for table in tables]
            for view in range(views):
                of_view = [table.slice(len(table) // views * view, len(table) // views) for table in own]
                joined = pa.concat_tables(of_view).unify_dictionaries()
                _check_complete(joined, test, parts)
                writer.write_table(joined)


def _check_complete(table: pa.Table, test: PlannedTest, parts: Sequence[Path]) -> None:
    """Check that a test has the episodes 0 to E − 1, each once, with all queries in their order."""
    expected = _queries(_episodes(test), 0)
    found = table.select(list(expected)).to_pandas()
    same = len(found) == len(expected) and all(
        np.array_equal(found[name].astype(str), expected[name].astype(str)) for name in expected
    )
    if not same:
        asked = expected["episode"].nunique()
        raise UserError(
            f"The parts {parts[0]} to {parts[-1].name} do not hold each of the {len(expected)} queries of the {asked} "
            f"episodes once, with which {test.method} is tested ({test.way}-way {test.shot}-shot): there are "
            f"{len(found)} rows of {found['episode'].nunique()} episodes. Delete {parts[0].parent}, and the same "
            "command makes these tests again."
        )


def _episodes(test: PlannedTest) -> StoredEpisodes:
    """Read the episodes of a test."""
    episodes = StoredEpisodes.read(test.episodes)
    way, shot = episodes.support.shape[1:]
    if (way, shot) != (test.way, test.shot):
        raise UserError(
            f"{test.episodes} has {way}-way {shot}-shot episodes, not {test.way}-way {test.shot}-shot ones. {REMEDY}."
        )
    return episodes


def _check_features(episodes: StoredEpisodes, features: Features, path: Path) -> None:
    """Check that every video and class of the episodes has features."""
    for names, rows in ((episodes.video_ids, features.videos), (episodes.class_names, features.classes)):
        if missing := next((name for name in names if name not in rows), None):
            raise UserError(f"{path} has {missing!r}, which is not among the videos and classes tested. {REMEDY}.")


def _columns(found: Iterable[Answers], unknown: bool, prototypes: bool) -> dict[str, NDArray[np.float32]]:
    """Return what was said of all queries, by the columns of the file.

    Args:
        found: what was said.
        unknown: whether episodes have unknown queries, and so the file more than logits.
        prototypes: whether the logits of the support say how near prototypes are.
    """
    parts: list[dict[str, torch.Tensor]] = []
    for answers in found:
        own = {"logits": answers.logits}
        if unknown:
            nothing = answers.logits.new_full(answers.logits.shape[:2], torch.nan)
            own |= {"known": nothing if answers.known is None else answers.known}
            near = answers.few_shot if prototypes else None
            for name, each in (("nearness", near), ("text", answers.text)):
                own[name] = nothing if each is None else each.amax(dim=-1)
        parts.append({name: each.cpu() for name, each in own.items()})
    return {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}


def _rows(
    test: PlannedTest, episodes: StoredEpisodes, columns: dict[str, NDArray[np.float32]], first: int
) -> pd.DataFrame:
    """Return the rows of a test, in the order of its episodes (`first` is the first's number), labels and queries."""
    logits = columns["logits"]  # (E, N·Q + U, N)
    own: dict[str, Any] = {"method": test.method, "way": test.way, "shot": test.shot}
    asked = _asked(episodes)
    own |= {name: each.ravel()[asked] for name, each in columns.items() if name != "logits"}
    logits = logits.reshape(-1, logits.shape[-1])[asked]
    return _queries(episodes, first).assign(**own, predicted=logits.argmax(axis=-1), logits=list(logits))


def _asked(episodes: StoredEpisodes) -> NDArray[np.bool_] | slice:
    """Return which of the queries of all episodes are asked, known ones and then unknown ones of each."""
    if episodes.asked is None:
        return slice(None)
    count = len(episodes.asked)
    unknown = np.ones(episodes.unknown.reshape(count, -1).shape, bool)
    return np.concatenate([episodes.asked.reshape(count, -1), unknown], axis=1).ravel()


def _queries(episodes: StoredEpisodes, first: int) -> pd.DataFrame:
    """Return the columns of a test's rows that describe its queries: of each episode the known, then the unknown."""
    count, way, queries = episodes.queries.shape
    unknown = episodes.unknown.reshape(count, -1)
    labels = np.r_[np.repeat(np.arange(way), queries), np.full(unknown.shape[1], UNKNOWN)]
    classes = [episodes.classes.repeat(queries, axis=1), episodes.unknown_classes.reshape(count, -1)]
    videos = [episodes.queries.reshape(count, -1), unknown]
    names, numbers = (np.concatenate(own, axis=1).ravel() for own in (classes, videos))
    asked = _asked(episodes)
    return pd.DataFrame(
        {
            "episode": np.repeat(first + np.arange(count), len(labels))[asked],
            "label": np.tile(labels, count)[asked],
            "class_name": pd.Categorical.from_codes(names[asked], categories=episodes.class_names),
            "video_id": pd.Categorical.from_codes(numbers[asked], categories=episodes.video_ids),
        }
    )
