"""Test episodes of every method with a head of its own, on what is kept of the videos.

Videos of 24 classes, T = 8, random features; 5-way, 1 query per class, 1 and 5 shots. D = 2048, the width of ResNet-50,
and 2,400 videos; of methods that look at text or tokens D = 512, that of ViT-B/16, with 196 patches, and 240 videos,
since they keep more of each; of TAMT D = 384 with 49 places, those of VideoMAE's ViT-S/16 at 112 pixels.
Each method is given as many episodes as take some seconds; the time of 10,000 follows from these; prototypes that a
head makes beforehand are those of all 10,000. The videos' own stage is told apart, for 2,400 of them. Seconds are the
processor's, of all threads together, so that programs beside this one count less. The baseline is the plain metric
OTAM, in the same run; the limit is the time of the episodes' products of matrices alone, at the rate of large ones in
the same run. Task-Adapter++ is left out: its tests cost what its backbone does.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

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


@torch.inference_mode()
def large_products() -> float:
    """Return how many floating-point operations a second a layer of ResNet-50's width does, of a thousand rows."""
    rows, weight = torch.randn(1000, RESNET), torch.randn(RESNET, RESNET)
    seconds = []
    for _ in range(10):
        started = time.process_time()
        rows @ weight.T
        seconds.append(time.process_time() - started)
    return 2 * rows.numel() * RESNET / min(seconds)


@torch.inference_mode()
def measure(model: str, shot: int, videos: int = VIDEOS, enough: float = 5.0) -> tuple[float, float, float]:
    """Return the seconds of the videos' stage, of 10,000 episodes after it, and the operations of their products."""
    torch.manual_seed(0)
    components = MODELS[model]
    with_text = components.compares_with_text
    width = CLIP if with_text else VIDEOMAE if components.for_video else RESNET
    inputs = Inputs(width, FRAMES, transformer=VIT)
    head = build_head(components, inputs, components.settings).eval().requires_grad_(False)  # as the counter asks
    count = videos // 10 if with_text or components.for_video else videos
    stored = kept(head, count)
    support = torch.stack([torch.randperm(count)[: WAY * shot].view(WAY, shot) for _ in range(ALL)])
    queries = torch.stack([torch.randperm(count)[:WAY] for _ in range(ALL)])
    text = torch.randn(CLASSES, *((TEXTS,) if components.each_text else ()), CLIP if with_text else 0)
    classes = torch.stack([torch.randperm(CLASSES)[:WAY] for _ in range(ALL)])
    counted = Counted(head.prototypes)
    head.prototypes = counted  # type: ignore[method-assign]
    started = time.process_time()
    episodes = FewShotLogits(head, stored, text, support, classes)
    stage = (time.process_time() - started) * VIDEOS / count
    first = slice(0, head.episodes_at_once)
    episodes(first, queries[first])  # with which the prototypes of all are made
    done, started = 0, time.process_time()
    while done < ALL and time.process_time() - started < enough:
        part = slice(done, done + head.episodes_at_once)
        episodes(part, queries[part])
        done += len(queries[part])
    took = counted.seconds + (time.process_time() - started) * ALL / done
    with FlopCounterMode(display=False) as counter:
        episodes(first, queries[first])
    return stage, took, counted.operations + counter.get_total_flops() * ALL / len(queries[first])


class Counted:
    """A function, with the seconds and the operations of its calls."""

    def __init__(self, function: Callable[..., Tensors]):
        self.function, self.seconds, self.operations = function, 0.0, 0.0

    def __call__(self, *arguments: Any) -> Tensors:
        started = time.process_time()
        with FlopCounterMode(display=False) as counter:
            made = self.function(*arguments)
        self.seconds += time.process_time() - started
        self.operations += counter.get_total_flops()
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
    whole.add_argument("--videos", type=int, default=VIDEOS, help="as many as fit into memory; default: %(default)s")
    whole.add_argument("--seconds", type=float, default=5.0, help="of episodes, each; default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    given = parser().parse_args(arguments)
    rate = large_products()
    print(f"{rate / 1e9:.0f} GFLOP/s in large products, {torch.get_num_threads()} threads\n")
    print("| method | shots | stage of 2,400 videos (s) | 10,000 episodes (s) | against OTAM | TFLOP | of the limit |")
    print("|---|---|---|---|---|---|---|")
    for shot in (1, 5):
        baseline = sum(measure("otam", shot, given.videos, given.seconds)[:2])
        for model in given.models:
            videos, episodes, flop = measure(model, shot, given.videos, given.seconds)
            of_limit = f"{episodes / (flop / rate):.1f} ×" if flop else "–"  # PyTorch counts no products of some layers
            print(
                f"| {model} | {shot} | {videos:.1f} | {episodes:.1f} | {(videos + episodes) / baseline:.1f} × | "
                f"{flop / 1e12:.2f} | {of_limit} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
