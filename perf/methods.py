"""Test episodes of every method with a head of its own, on what is kept of the videos, at the width of ResNet-50.

    python -m perf.methods [method …]

2,400 videos of 24 classes, T = 8, D = 2048, random features; 5-way, 1 query per class, 1 and 5 shots. Each method is
given as many episodes as take some seconds; the time of 10,000 follows from these. The videos' own stage is told apart.
The baseline is the plain metric OTAM, in the same run.
"""

import sys
import time

import torch

from fsar.config import head_section
from fsar.evaluation.episode_logits import FewShotLogits
from fsar.model.heads.head import Head, Inputs, build_head
from fsar.model.methods import CLIP_FSAR_HEAD, MODELS

VIDEOS, CLASSES, FRAMES, WIDTH, WAY = 2400, 24, 8, 2048, 5
ALL = 10_000
ENOUGH = 5.0  # seconds


@torch.inference_mode()
def measure(model: str, shot: int) -> tuple[float, float]:
    """Return the seconds of the videos' stage, and of 10,000 episodes after it."""
    torch.manual_seed(0)
    components = MODELS[model]
    inputs = Inputs(WIDTH, FRAMES, components=components)
    head: Head = build_head(inputs, head_section(components.head)(**dict(components.fixed))).eval()
    stored = kept(head)
    support = torch.stack([torch.randperm(VIDEOS)[: WAY * shot].view(WAY, shot) for _ in range(ALL)])
    asked = torch.stack([torch.randperm(VIDEOS)[:WAY] for _ in range(ALL)])
    text, classes = torch.zeros(CLASSES, 0), torch.zeros(ALL, WAY, dtype=torch.long)
    started = time.perf_counter()
    episodes = FewShotLogits(head, stored, text, support, classes)
    videos = time.perf_counter() - started
    done, started = 0, time.perf_counter()
    while done < ALL and time.perf_counter() - started < ENOUGH:
        part = slice(done, done + head.episodes_at_once)
        episodes(part, asked[part])
        done += len(asked[part])
    return videos, (time.perf_counter() - started) * ALL / done


def kept(head: Head) -> dict[str, torch.Tensor]:
    """Return what is kept of all videos, of random features."""
    few = torch.randn(2, FRAMES, WIDTH, *((7, 7) if head.needs.kind == "maps" else ()))
    return {name: torch.randn(VIDEOS, *part.shape[1:]) for name, part in head.store({head.needs.kind: few}).items()}


def main(models: list[str]) -> None:
    """Print a table."""
    print("| method | shots | stage of 2,400 videos (s) | 10,000 episodes (s) | against OTAM |\n|---|---|---|---|---|")
    for shot in (1, 5):
        baseline = sum(measure("otam", shot))
        for model in models:
            videos, episodes = measure(model, shot)
            print(
                f"| {model} | {shot} | {videos:.1f} | {episodes:.1f} | {(videos + episodes) / baseline:.1f} × |",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or [name for name, parts in MODELS.items() if parts.head != CLIP_FSAR_HEAD])
