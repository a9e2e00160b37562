"""Test episodes of every method with a head of its own, on what is kept of the videos.

Videos of 24 classes, T = 8, random features; 5-way, 1 query per class, 1 and 5 shots. D = 2048, the width of ResNet-50,
and 2,400 videos; of methods that look at text or tokens D = 512, that of ViT-B/16, with 196 patches, and 240 videos,
since they keep more of each; of TAMT D = 384 with 49 places, those of VideoMAE's ViT-S/16 at 112 pixels.
Each method is given as many episodes as take some seconds; the time of 10,000 follows from these; prototypes that a
head makes beforehand are those of all 10,000. The videos' own stage is told apart, for 2,400 of them. The baseline is
the plain metric OTAM, in the same run. Task-Adapter++ is left out: its tests cost what its backbone does.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods import MODELS
from fsar.methods.head import Head, build_head
from fsar.methods.needs import Inputs, Tensors, TransformerSizes
from perf.command import reader

VIDEOS, CLASSES, FRAMES, WAY, TEXTS = 2400, 24, 8, 5, 16
RESNET, CLIP, VIDEOMAE = 2048, 512, 384
VIT = TransformerSizes(depth=12, width=768, heads=12, patches=196)
ALL = 10_000
BASELINES = ("otam", "clip_fsar")  # heads
ENOUGH = 5.0  # seconds
Clock = Callable[[], float]


@torch.inference_mode()
def measure(model: str, shot: int, clock: Clock = time.perf_counter) -> tuple[float, float]:
    """Return the seconds of the videos' stage, and of 10,000 episodes after it."""
    torch.manual_seed(0)
    components = MODELS[model]
    with_text = components.compares_with_text
    width = CLIP if with_text else VIDEOMAE if components.for_video else RESNET
    head = build_head(components, Inputs(width, FRAMES, transformer=VIT), components.settings).eval()
    count = VIDEOS // 10 if with_text or components.for_video else VIDEOS
    stored = kept(head, count)
    support = torch.stack([torch.randperm(count)[: WAY * shot].view(WAY, shot) for _ in range(ALL)])
    queries = torch.stack([torch.randperm(count)[:WAY] for _ in range(ALL)])
    text = torch.randn(CLASSES, *((TEXTS,) if components.each_text else ()), CLIP if with_text else 0)
    classes = torch.stack([torch.randperm(CLASSES)[:WAY] for _ in range(ALL)])
    prototypes = Timed(head.prototypes, clock)
    head.prototypes = prototypes  # type: ignore[method-assign]
    started = clock()
    episodes = FewShotLogits(head, stored, text, support, classes)
    videos = (clock() - started - prototypes.seconds) * VIDEOS / count
    done, started = 0, clock()
    while done < ALL and clock() - started < ENOUGH:
        part = slice(done, done + head.episodes_at_once)
        episodes(part, queries[part])
        done += len(queries[part])
    return videos, prototypes.seconds + (clock() - started) * ALL / done


class Timed:
    """A function, and how many seconds its calls took."""

    def __init__(self, function: Callable[..., Tensors], clock: Clock):
        self.function, self.clock, self.seconds = function, clock, 0.0

    def __call__(self, *arguments: Any) -> Tensors:
        started = self.clock()
        made = self.function(*arguments)
        self.seconds += self.clock() - started
        return made


def kept(head: Head, count: int) -> dict[str, torch.Tensor]:
    """Return what is kept of `count` videos, of random features."""
    needs, width = head.needs, head.inputs.width
    given = {needs.kind: torch.randn(2, FRAMES, width, *((7, 7) if needs.kind == "maps" else ()))}
    if needs.kind == "tokens":
        shape = (2, FRAMES, len(needs.layers), 1 + VIT.patches, width if needs.projected else VIT.width)
        given = {"tokens": torch.randn(shape), "frames": torch.randn(2, FRAMES, width)}
    return {name: torch.randn(count, *part.shape[1:]) for name, part in head.store(given).items()}


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("methods", __doc__)
    own = [name for name, made_of in MODELS.items() if made_of.head not in BASELINES and not made_of.across_videos]
    whole.add_argument("models", nargs="*", default=own, metavar="MODEL", help="default: %(default)s")
    whole.add_argument("--processor-time", action="store_true", help="of one thread, on a machine that others use")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    asked = parser().parse_args(arguments)
    models, clock = asked.models, time.process_time if asked.processor_time else time.perf_counter
    if asked.processor_time:
        torch.set_num_threads(1)
    print("| method | shots | stage of 2,400 videos (s) | 10,000 episodes (s) | against OTAM |\n|---|---|---|---|---|")
    for shot in (1, 5):
        baseline = sum(measure("otam", shot, clock))
        for model in models:
            videos, episodes = measure(model, shot, clock)
            print(
                f"| {model} | {shot} | {videos:.1f} | {episodes:.1f} | {(videos + episodes) / baseline:.1f} × |",
                flush=True,
            )


if __name__ == "__main__":
    main()
