"""Test episodes of every method with a head of its own, on what is kept of the videos.

Videos of 24 classes, T = 8, random features; 5-way, 1 query per class, 1 and 5 shots. D = 2048, the width of ResNet-50,
and 2,400 videos; of methods that look at text or tokens D = 512, that of ViT-B/16, with 196 patches, and 240 videos,
since they keep more of each; of TAMT D = 384 with 49 places, those of VideoMAE's ViT-S/16 at 112 pixels.
Each method is given as many episodes as take some seconds; the time of 10,000 follows from these. The videos' own stage
is told apart, for 2,400 of them. The baseline is the plain metric OTAM, in the same run. Task-Adapter++ is left out:
what its tests cost is its backbone.
"""

import argparse
import time
from collections.abc import Sequence

import torch

from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods import MODELS
from fsar.methods.head import Head, build_head
from fsar.methods.needs import Inputs, TransformerSizes
from perf.command import reader

VIDEOS, CLASSES, FRAMES, WAY, TEXTS = 2400, 24, 8, 5, 16
RESNET, CLIP, VIDEOMAE = 2048, 512, 384
VIT = TransformerSizes(depth=12, width=768, heads=12, patches=196)
ALL = 10_000
BASELINES = ("otam", "clip_fsar")  # heads
ENOUGH = 5.0  # seconds


@torch.inference_mode()
def measure(model: str, shot: int) -> tuple[float, float]:
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
    started = time.perf_counter()
    episodes = FewShotLogits(head, stored, text, support, classes)
    videos = (time.perf_counter() - started) * VIDEOS / count
    done, started = 0, time.perf_counter()
    while done < ALL and time.perf_counter() - started < ENOUGH:
        part = slice(done, done + head.episodes_at_once)
        episodes(part, queries[part])
        done += len(queries[part])
    return videos, (time.perf_counter() - started) * ALL / done


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
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    models = parser().parse_args(arguments).models
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
    main()
