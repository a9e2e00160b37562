"""Memory of the tests of one model, with 2,400 videos of RN50's width, against what the rule states.

Each model is tested in a process of its own, with one and with five shots, in two threads. Features are random. What a
metric keeps of every video decides; of the episodes there are 1,000, since more are not held at a time.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch

from fsar.episodes.stored import draw_episodes
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.feature_file import write_features
from fsar.evaluation.load_head import load_head
from fsar.files import write_parquet
from fsar.methods import MODELS
from fsar.methods.needs import Inputs
from fsar.sources.manifest import SCHEMA
from fsar.videos.shards import INDEX_SCHEMA
from perf.command import reader

CLASSES, VIDEOS, FRAMES, WIDTH, EPISODES = 24, 2400, 8, 1024, 1000
SHOTS = (1, 5)


def make_files(folder: Path) -> None:
    """Write features and stored episodes."""
    ids, labels = [f"v{number}" for number in range(VIDEOS)], [f"c{number % CLASSES}" for number in range(VIDEOS)]
    names = sorted(set(labels))
    torch.manual_seed(0)
    frames, text = torch.randn(VIDEOS, FRAMES, WIDTH), torch.randn(CLASSES, WIDTH)
    write_features(folder / "features.safetensors", ids, {"frames": frames}, names, text, Inputs(WIDTH, FRAMES))
    manifest = pd.DataFrame(
        {"video_id": ids, "path": ids, "class_name": labels, "split": "test", "source": "random"}
    ).assign(group="")
    write_parquet(folder / "manifest.parquet", manifest, SCHEMA)
    unknown = {field.name: "" if pa.types.is_string(field.type) else 0 for field in INDEX_SCHEMA}
    index = manifest[["video_id"]].assign(**{**unknown, "status": "ok"} | {"video_id": ids})
    write_parquet(folder / "index.parquet", index[INDEX_SCHEMA.names], INDEX_SCHEMA)
    for shot in SHOTS:
        draw_episodes(
            folder / "manifest.parquet", folder / "index.parquet", "test", 5, shot, 1, EPISODES, 0,
            folder / f"{shot}.parquet",
        )  # fmt: skip


def test(model: str, folder: Path) -> None:
    """Run all tests of a model and print the most memory that this process had, in megabytes."""
    features = folder / "features.safetensors"
    head = load_head(MODELS[model], MODELS[model].settings, features, None)
    tests = [PlannedTest(model, "few-shot", 5, shot, folder / f"{shot}.parquet") for shot in SHOTS]
    evaluate_model(head, tests, features, folder / f"{model}.parquet", "cpu", 2)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("tests_memory", __doc__)
    default = ["otam", "clip-fsar", "trx", "clip-fsar-trx"]
    whole.add_argument("models", nargs="*", default=default, metavar="MODEL", help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per model."""
    models = parser().parse_args(arguments).models
    if "PERF_FOLDER" in os.environ:
        test(models[0], Path(os.environ["PERF_FOLDER"]))
        return
    print("| model | MB | MB stated |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        for model in models:
            command = [sys.executable, "-m", "perf.tests_memory", model]
            run = subprocess.run(command, env=os.environ | {"PERF_FOLDER": folder}, stdout=subprocess.PIPE, check=True)
            print(f"| {model} | {int(run.stdout):,} | {MODELS[model].settings.tests_mb:,} |", flush=True)


if __name__ == "__main__":
    main()
