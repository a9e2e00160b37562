"""Tables and statistics of the paper's grid from finished tests: 340 trainings of configs/paper.yaml with five seeds.

The predictions are made up at their real size: 10,000 episodes of a query per class for every shot, 100 videos a class.
The five trainings of a model are one file under five names; each is read.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import yaml
from snakemake.utils import update_config

from fsar.benchmarks.splits import SPLITS
from fsar.config import load
from fsar.episodes.stored import StoredEpisodes, draw_episodes
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, predictions_writer
from fsar.files import write_json, write_parquet
from fsar.plan.plan import Plan
from fsar.plan.rows import rows
from fsar.results.comparisons import compare_all, write_statistics
from fsar.results.setting import Setting
from fsar.results.table import write_tables
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.videos.shards import INDEX_SCHEMA
from perf.command import reader

SEEDS, CLASSES, VIDEOS, EPISODES = 5, 24, 100, 10_000
REPOSITORY = Path(__file__).parents[1]


def settings_of_the_paper() -> list[Setting]:
    """Return the rows of the paper's table, with five seeds."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    update_config(values, yaml.safe_load((REPOSITORY / "configs/paper.yaml").read_text()))
    values["run"]["seeds"] = list(range(1, SEEDS + 1))
    return rows(Plan(load(values)))


def make_up(settings: Sequence[Setting], episodes: int) -> None:
    """Write what the statistics of these settings read, below the working directory."""
    for setting in settings:
        if not Path(setting.manifest).exists():
            _videos(Path(setting.manifest))
            write_json(Path(setting.counts), {"listed": CLASSES * VIDEOS, "used": CLASSES * VIDEOS})
        if not Path(setting.episodes).exists():
            index = Path(setting.manifest).with_name("index.parquet")
            drawn = (setting.way, setting.shot, 1, episodes, 0, Path(setting.episodes))
            draw_episodes(Path(setting.manifest), index, "test", *drawn)
    by_file = sorted(settings, key=lambda setting: setting.predictions)
    for files, own in groupby(by_file, key=lambda setting: setting.predictions):
        first, *others = map(Path, files)
        first.parent.mkdir(parents=True, exist_ok=True)
        with predictions_writer(first, {}) as writer:
            for setting in own:
                writer.write_table(_predictions(setting))
        for other in others:
            os.link(first, other)


def _videos(manifest: Path) -> None:
    """Write a manifest of test videos, and the index of their frames."""
    names = [f"video {number}" for number in range(CLASSES * VIDEOS)]
    classes = [f"class {number % CLASSES:02}" for number in range(CLASSES * VIDEOS)]
    empty = pa.array([None] * len(names))
    told = {"video_id": names, "path": names, "class_name": classes, "split": [SPLITS[-1]] * len(names)}
    told |= {"source": ["made up"] * len(names), "group": [""] * len(names), "status": ["ok"] * len(names)}
    for path, schema in ((manifest, MANIFEST_SCHEMA), (manifest.with_name("index.parquet"), INDEX_SCHEMA)):
        columns = [pa.array(told.get(field.name, empty)).cast(field.type) for field in schema]
        write_parquet(path, pa.Table.from_arrays(columns, schema=schema).to_pandas(), schema)


def _predictions(setting: Setting) -> pa.Table:
    """Return a test: each query is right with the same chance, whatever its class and video."""
    stored = StoredEpisodes.read(Path(setting.episodes))
    count, way, queries = stored.queries.shape
    rng = np.random.default_rng(len(setting.title))
    label = np.tile(np.repeat(np.arange(way, dtype=np.int16), queries), count)
    wrong = rng.random(len(label)) < 0.4
    columns = {
        "method": pa.array([setting.method] * len(label)),
        "way": pa.array(np.full(len(label), way, np.int16)),
        "shot": pa.array(np.full(len(label), setting.shot, np.int16)),
        "episode": pa.array(np.repeat(np.arange(count, dtype=np.int32), way * queries)),
        "label": pa.array(label),
        "class_name": _named(stored.classes.repeat(queries), stored.class_names),
        "video_id": _named(stored.queries.ravel(), stored.video_ids),
        "predicted": pa.array(((label + wrong * rng.integers(1, way, len(label))) % way).astype(np.int16)),
        "logits": pa.array(list(np.zeros((len(label), way), np.float32)), pa.list_(pa.float32())),
    }
    return pa.table(columns, schema=PREDICTIONS_SCHEMA)


def _named(numbers: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]", names: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(names))


def timed(what: str, work: Callable[[], object]) -> None:
    """Print how long something takes, and the processor's time of it, which other programs lengthen less."""
    started = time.perf_counter(), time.process_time()
    work()
    took = time.perf_counter() - started[0], time.process_time() - started[1]
    print(f"| {what} | {took[0]:.1f} | {took[1]:.1f} |", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("statistics", __doc__)
    whole.add_argument("episodes", nargs="?", type=int, default=EPISODES, help="episodes of a test")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the times."""
    episodes = parser().parse_args(arguments).episodes
    settings = settings_of_the_paper()
    trainings = {path for setting in settings if setting.seeds for path in setting.predictions}
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        make_up(settings, episodes)
        print(f"{len(settings)} rows, {len(trainings)} trainings, {episodes:,} episodes, {VIDEOS} videos a class")
        print("| what | s | of the processor, s |\n|---|---|---|", flush=True)
        timed("table.csv and table.md", lambda: write_tables(settings, Path("table.csv"), Path("table.md")))
        timed("comparisons.csv and classes.csv", lambda: write_statistics(settings, Path("c.csv"), Path("classes.csv")))
        timed("what the paper's tables compare", lambda: compare_all(settings))
        os.chdir(REPOSITORY)


if __name__ == "__main__":
    main()
