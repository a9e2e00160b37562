"""A training episode of a head on a backbone as it is: on stored features, against encoding its videos.

Both take the step of the training loop on the same episode, in turns; the ratio is of processor time, the median of
the rounds. What the head itself takes is the limit: no way of giving it features makes an episode faster than that. The
last column counts its matrix products and says what they take alone, at the rate of a large one in the same run.
Pixels and weights are random, and reading frames is left out, which the way with videos needs, too. The sizes on the
demo's backbones are those of configs/methods.yaml.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from fsar.config import load
from fsar.methods.needs import Given
from fsar.model.open_clip_backbone import random_backbone
from fsar.training.data import TrainingBatch
from fsar.training.job import TrainingJob
from fsar.training.processes import start_processes
from fsar.training.setup import set_up_model
from fsar.training.step import train_step
from perf.command import reader

CLASSES = 60
MODELS = ("clip-fsar-head", "ts-fsar", "emp-net")


class Episode:
    """An episode of a model, as videos and as features.

    Args:
        model: its name.
        backbone: of open_clip.
        queries: per class.
        demo: the head has the sizes of configs/methods.yaml, else those of its own defaults.
    """

    def __init__(self, model: str, backbone: str, queries: int, demo: bool):
        own = yaml.safe_load(Path("configs/methods.yaml").read_text(encoding="utf-8"))["benchmarks"]["demo"]
        training = {"queries": queries, "tasks_per_step": 1, "threads": 1, "workers": 0}
        values = {
            "run": {"benchmarks": ["demo"], "backbones": ["B"], "methods": [model]},
            "benchmarks": {"demo": {"source": {"kind": "demo"}, "shots": [1], "training": training}},
            "backbones": {"B": {"model": backbone, "weights": "random.safetensors"}},
            "heads": own["heads"] if demo else {},
        }
        self.job = TrainingJob.of(load(values).of("demo", "B", model), shot=1, seed=0)
        self.fabric = start_processes(self.job.training, "cpu")
        torch.manual_seed(0)
        self.model, self.optimizer = set_up_model(self.job, random_backbone(backbone), CLASSES, self.fabric)
        module, parts = self.model.module, self.job.components
        module.set_training_text(torch.randn(CLASSES, *((3,) if parts.each_text else ()), module.backbone.width))
        size, videos, way = module.backbone.image_size, 5 * (1 + queries), torch.arange(5)
        clips = torch.randint(256, (videos, self.job.sampling.frames, size, size, 3), dtype=torch.uint8)
        with torch.no_grad():
            given = module.backbone.eval().give(clips, module.head.needs)
        self.videos, self.features = TrainingBatch(0, clips, way), TrainingBatch(0, Given(given), way)

    def seconds(self, batch: TrainingBatch) -> float:
        """Return the processor time of a step on it."""
        started = time.process_time()
        train_step(self.fabric, self.model, self.optimizer, iter([batch]), self.job.training, 0)
        self.optimizer.step()
        return time.process_time() - started

    def operations(self) -> int:
        """Return the operations of the matrix products of a step on features."""
        with FlopCounterMode(display=False) as counter:
            self.seconds(self.features)
        return int(counter.get_total_flops())


def rate() -> float:
    """Return operations per second of processor time, of a matrix product of 2048 rows and columns."""
    matrix, started = torch.randn(2048, 2048), time.process_time()
    for _ in range(3):
        matrix @ matrix
    return 3 * 2 * len(matrix) ** 3 / (time.process_time() - started)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("stored_features", __doc__)
    whole.add_argument("models", nargs="*", default=MODELS, metavar="MODEL", help="default: %(default)s")
    whole.add_argument("--backbone", default="small-vit-clip", help="of open_clip; default: the demo's, %(default)s")
    whole.add_argument("--queries", type=int, default=3, help="per class; default: the demo's, %(default)s")
    whole.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    asked = parser().parse_args(arguments)
    print("| model | videos encoded in each episode (s) | stored features (s) | ratio | matrix products alone (s) |")
    print("|---|---|---|---|---|")
    for model in asked.models:
        episode = Episode(model, asked.backbone, asked.queries, demo=asked.backbone.startswith("small"))
        rounds = [(episode.seconds(episode.videos), episode.seconds(episode.features)) for _ in range(asked.rounds + 1)]
        videos, features = (sorted(own) for own in zip(*rounds[1:], strict=True))  # the first finds memory
        ratio = median(first / second for first, second in rounds[1:])
        alone = episode.operations() / rate()
        print(
            f"| {model} | {median(videos):.3f} | {median(features):.4f} | {ratio:.1f} × | {alone:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
