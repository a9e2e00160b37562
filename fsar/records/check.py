"""Compares records with the predictions that they name."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fsar.errors import UserError
from fsar.evaluation.made_from import WEIGHTS
from fsar.evaluation.predictions import predictions_made_from, read_predictions, right_by_episode, views_of
from fsar.files import sha256_of
from fsar.records.checksums import QUERY_COLUMNS, of_queries
from fsar.records.fields import Record

DECIMALS = 2  # of an accuracy, as tables have it


def check_records(records: Sequence[Record], results: Path) -> list[str]:
    """Compute each accuracy again, and compare the checksums of files, weights and queries.

    Args:
        records: to check.
        results: the folder that their files of predictions are below.

    Returns:
        What does not hold, a sentence each; none where everything does.
    """
    checksum = cache(sha256_of)
    return [f"{record.called}: {problem}" for record in records for problem in _problems(record, results, checksum)]


def _problems(record: Record, results: Path, checksum: Callable[[Path], str]) -> list[str]:
    found, accuracies = [], []
    for own in record.predictions:
        path = results / own.file
        if not path.resolve().is_relative_to(results.resolve()):
            return [f"{own.file} is not below {results}"]
        try:
            columns = [*QUERY_COLUMNS, "predicted"]
            table = read_predictions(path, record.method.name, record.way, record.shot, columns)
            trained, views = predictions_made_from(path).get(WEIGHTS) or None, views_of(path)
        except UserError as error:
            return [str(error)]
        right = right_by_episode(table)
        accuracies.append(100 * right)
        found += _differences(
            path,
            ("checksum", own.checksum, checksum(path)),
            ("checksum of the trained weights", own.trained, trained),
            ("checksum of the queries", record.benchmark.queries, of_queries(table, views)),
            ("number of episodes", record.episodes, len(right)),
        )
    if len({len(own) for own in accuracies}) == 1:
        again = round(float(np.mean(accuracies)), DECIMALS)
        if abs(again - record.accuracy) > 0.5 * 10**-DECIMALS:
            found.append(f"the accuracy is {record.accuracy:.2f} % in the record, and {again:.2f} % by its predictions")
    return found


def _differences(path: Path, *compared: tuple[str, object, object]) -> list[str]:
    return [
        f"the {what} of {path} is {then} in the record, and {now} here" for what, then, now in compared if then != now
    ]
