"""10,000 test episodes on cached features, against one episode at a time with OTAM walked cell by cell.

    python -m benchmarks.evaluation [backbone width]

2,400 videos of 24 classes, T = 8; features and the head's weights are random. The baseline runs the first episodes, and
its predictions must be the same; its time for all of them follows from these.
"""

import sys
import time
from statistics import median

import numpy as np
import torch

from benchmarks.usual_way import episode_logits
from fsar.config import HeadConfig
from fsar.episodes.draw import EpisodeSampler
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.evaluate import predict
from fsar.model.head import Head
from fsar.model.methods import METHODS

CLASSES, VIDEOS, FRAMES, EPISODES, WAY = 24, 2400, 8, 10000, 5
BASELINE, ROUNDS = 100, 3


def draw(shot: int) -> StoredEpisodes:
    """Return 5-way episodes with one query per class."""
    sampler = EpisodeSampler((np.arange(VIDEOS) % CLASSES).astype(str).astype(object), WAY, shot, 1)
    rng = np.random.default_rng(0)
    drawn = [sampler.draw(rng) for _ in range(EPISODES)]
    return StoredEpisodes(
        video_ids=[str(number) for number in range(VIDEOS)],
        class_names=[str(number) for number in range(CLASSES)],
        classes=np.stack([episode.classes for episode in drawn]),
        support=np.stack([episode.support for episode in drawn]),
        queries=np.stack([episode.queries for episode in drawn]),
    )


@torch.inference_mode()
def compare(method: str, shot: int, width: int) -> None:
    """Print a row of the table."""
    torch.manual_seed(0)
    head = Head(METHODS[method].components, width, HeadConfig()).eval()
    frames, text, episodes = torch.randn(VIDEOS, FRAMES, width), torch.randn(CLASSES, width), draw(shot)
    rows = {name: row for row, name in enumerate(episodes.video_ids)}
    classes = {name: row for row, name in enumerate(episodes.class_names)}
    ours, usual = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        predicted = predict(head, episodes, rows, frames, classes, text)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        for number in range(BASELINE):
            support, queries = (torch.from_numpy(part[number]) for part in (episodes.support, episodes.queries))
            logits = episode_logits(
                head, frames[support], frames[queries.flatten()], text[torch.from_numpy(episodes.classes[number])]
            )
            assert (logits.argmax(dim=-1).numpy() == predicted[number].ravel()).all()
        usual.append((time.perf_counter() - started) * EPISODES / BASELINE)
    ratios = [slow / fast for slow, fast in zip(usual, ours, strict=True)]
    own = f"{median(ours):.1f} ({min(ours):.1f}–{max(ours):.1f})"
    print(f"| {METHODS[method].title} | {shot} | {median(usual):.0f} | {own} | {median(ratios):.0f}× |", flush=True)


def main() -> None:
    """Print the table."""
    width = int(sys.argv[1]) if sys.argv[1:] else 512
    print(f"{EPISODES:,} episodes, {VIDEOS:,} videos, D = {width}, {torch.get_num_threads()} threads")
    print("| method | shot | one at a time, s | cached features, s | ratio |")
    print("|---|---|---|---|---|", flush=True)
    for method in ("clip-fsar", "otam"):
        for shot in (1, 5):
            compare(method, shot, width)


if __name__ == "__main__":
    main()
