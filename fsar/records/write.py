"""Writes the records of a finished run, from its table and the files that its rows come from."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fsar import __version__
from fsar.errors import UserError
from fsar.evaluation.made_from import WEIGHTS
from fsar.evaluation.predictions import predictions_made_from, read_predictions, views_of
from fsar.files import read_csv, read_json, sha256_of
from fsar.records.checksums import QUERY_COLUMNS, of_lists, of_queries, read_episodes
from fsar.records.fields import Backbone, Benchmark, Code, Method, Predictions, Record, Videos, save_records
from fsar.results.covers import is_interval
from fsar.results.setting import Setting
from fsar.seal import REMEDY

RESULTS = "results"


def write_records(settings: Sequence[Setting], facts: Sequence[Mapping[str, Any]], table: Path, path: Path) -> None:
    """Write a record for each row of a run's table.

    Args:
        settings: the rows.
        facts: what the plan knows of each (`fsar.plan.records.facts_of`).
        table: results/table.csv of the same run.
        path: file to write. Equal runs give equal bytes: it holds no times, and no paths outside the run.

    Raises:
        UserError: the table has no such row, or predictions are of other episodes than those that are stored.
    """
    names = ["benchmark", "backbone", "method", "way", "shot"]
    rows = read_csv(table, dtype=str, keep_default_na=False).to_dict("records")
    by_name = {tuple(row[name] for name in names): row for row in rows}
    lists, episodes, sha256 = cache(of_lists), cache(read_episodes), cache(sha256_of)
    made_from = cache(predictions_made_from)  # which reads a whole file, to compare its seal
    records = []
    for setting, fact in zip(settings, facts, strict=True):
        row = by_name.get(tuple(map(str, setting.named.values())))
        if row is None:
            raise UserError(f"{table} has no row of {', '.join(map(str, setting.named.values()))}. {REMEDY}.")
        whole, queries, videos = episodes(Path(setting.episodes))
        counts = read_json(setting.counts)
        records.append(
            Record(
                benchmark=Benchmark(
                    name=setting.benchmark,
                    lists=lists(Path(setting.manifest)),
                    episodes=whole,
                    queries=queries,
                    trained_on=setting.trained_on or None,
                    tested_on=setting.base if setting.trained_on else None,
                    removed=list(setting.removed),
                ),
                backbone=_backbone(setting, fact["backbone"], made_from(setting.predictions[0])),
                method=Method(name=setting.method, title=setting.title, inductive=setting.inductive),
                way=setting.way,
                shot=setting.shot,
                seeds=list(setting.seeds),
                selection=setting.selection,
                settings=dict(fact["settings"]),
                accuracy=float(row["accuracy"]),
                intervals={name: float(text) for name, text in row.items() if is_interval(str(name)) and text},
                episodes=int(row["episodes"]),
                videos=Videos(listed=counts["listed"], used=counts["used"], test=videos),
                predictions=[
                    _predictions(setting, own, queries, sha256(own), made_from(own)) for own in setting.predictions
                ],
                code=Code(fsar=__version__, checksum=fact["code"]),
            )
        )
    save_records(records, path)


def _backbone(setting: Setting, about: Mapping[str, Any], made: Mapping[str, str]) -> Backbone:
    """Return a backbone, with the checksum of its weights that the predictions carry, where they are a file."""
    files = made.get("the file of the backbone", "").split()
    is_file = about["weights_are_a_file"]
    return Backbone(
        name=setting.backbone,
        library=about["library"],
        model=Path(about["model"]).name,
        weights=Path(about["weights"]).name if is_file else about["weights"],
        checksum=files[-1] if is_file and files else None,
        saw=about["saw"],
    )


def _predictions(setting: Setting, path: str, queries: str, checksum: str, made: Mapping[str, str]) -> Predictions:
    """Describe a file of predictions, and check that it is of the stored episodes."""
    asked = read_predictions(path, setting.method, setting.way, setting.shot, QUERY_COLUMNS)
    if of_queries(asked, views_of(path)) != queries:
        raise UserError(
            f"{path} has predictions of {setting.title}, {setting.way}-way {setting.shot}-shot, that are of other "
            f"episodes than those that are stored. {REMEDY}."
        )
    trained = made.get(WEIGHTS) or None
    return Predictions(file=str(Path(path).relative_to(RESULTS)), checksum=checksum, trained=trained)
