"""10,000 test episodes on cached features, against one episode at a time with OTAM walked cell by cell.

2,400 videos of 24 classes, T = 8; features and the head's weights are random. The baseline runs the first episodes, and
its predictions must be the same; its time for all of them follows from these.
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from fsar.evaluation.episode_logits import predict
from fsar.evaluation.kept_features import Features, rows_of
from fsar.methods import METHODS
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs
from perf.command import reader
from perf.usual_way import episode_logits
from perf.worlds import draw

CLASSES, VIDEOS, FRAMES, EPISODES = 24, 2400, 8, 10000
BASELINE, ROUNDS = 100, 3


class Setting:
    """Made-up features of videos, and 5-way episodes with one query per class."""

    def __init__(self, method: str, shot: int, width: int, videos: int, episodes: int):
        torch.manual_seed(0)
        made_of = METHODS[method].components
        self.head = build_head(made_of, Inputs(width, FRAMES), made_of.settings).eval()
        self.frames, self.text = torch.randn(videos, FRAMES, width), torch.randn(CLASSES, width)
        labels = [str(number % CLASSES) for number in range(videos)]
        self.episodes = draw([str(number) for number in range(videos)], labels, shot, episodes)

    def predict(self) -> NDArray[np.int64]:
        """Evaluate all episodes, as the workflow does."""
        rows, classes = rows_of(self.episodes.video_ids), rows_of(self.episodes.class_names)
        return predict(self.head, self.episodes, Features(rows, {"frames": self.frames}, classes, self.text))

    def predict_one(self, number: int) -> NDArray[np.int64]:
        """Evaluate one episode in the usual way."""
        support, queries, classes = (
            torch.from_numpy(part[number])
            for part in (self.episodes.support, self.episodes.queries, self.episodes.classes)
        )
        logits = episode_logits(self.head, self.frames[support], self.frames[queries.flatten()], self.text[classes])
        return logits.argmax(dim=-1).numpy()


@torch.inference_mode()
def compare(method: str, shot: int, width: int) -> None:
    """Print a row of the table."""
    setting = Setting(method, shot, width, VIDEOS, EPISODES)
    ours, usual = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        predicted = setting.predict()
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        for number in range(BASELINE):
            assert (setting.predict_one(number) == predicted[number].ravel()).all()
        usual.append((time.perf_counter() - started) * EPISODES / BASELINE)
    ratios = [slow / fast for slow, fast in zip(usual, ours, strict=True)]
    own = f"{median(ours):.1f} ({min(ours):.1f}–{max(ours):.1f})"
    print(f"| {METHODS[method].title} | {shot} | {median(usual):.0f} | {own} | {median(ratios):.0f}× |", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("evaluation", __doc__)
    whole.add_argument("width", nargs="?", type=int, default=512, help="D, of a frame's features")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    width = parser().parse_args(arguments).width
    print(f"{EPISODES:,} episodes, {VIDEOS:,} videos, D = {width}, {torch.get_num_threads()} threads")
    print("| method | shot | one at a time, s | cached features, s | ratio |")
    print("|---|---|---|---|---|", flush=True)
    for method in ("clip-fsar", "otam"):
        for shot in (1, 5):
            compare(method, shot, width)


if __name__ == "__main__":
    main()
