"""Test episodes of every method with a head of its own, on what is kept of the videos.

Videos of 24 classes, T = 8, random features; 5-way, 1 query per class, 1 and 5 shots. D = 2048, the width of ResNet-50,
and 2,400 videos; of methods that look at text or tokens D = 512, that of ViT-B/16, with 196 patches, and 240 videos,
since they keep more of each. Each method is given as many episodes as take some seconds; the time of 10,000 follows
from these. The videos' own stage is told apart, for 2,400 of them. Seconds are the processor's, of all threads
together, so that programs beside this one count less. The baseline is the plain metric OTAM, in the same run; the limit
is the time of the episodes' products of matrices alone, at the rate of large ones in the same run. Task-Adapter++ is
left out: what its tests cost is its backbone.
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch.utils.flop_counter import FlopCounterMode

from fsar.cpu_products import fast_products
from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods import MODELS
from fsar.methods.head import Head, build_head
from fsar.methods.needs import Inputs, TransformerSizes
from perf.command import reader

VIDEOS, CLASSES, FRAMES, WAY, TEXTS = 2400, 24, 8, 5, 16
RESNET, CLIP = 2048, 512
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
    inputs = Inputs(CLIP if with_text else RESNET, FRAMES, transformer=VIT)
    head = build_head(components, inputs, components.settings).eval().requires_grad_(False)  # as the counter asks
    count = videos // 10 if with_text else videos
    stored = kept(head, count)
    support = torch.stack([torch.randperm(count)[: WAY * shot].view(WAY, shot) for _ in range(ALL)])
    queries = torch.stack([torch.randperm(count)[:WAY] for _ in range(ALL)])
    text = torch.randn(CLASSES, *((TEXTS,) if components.each_text else ()), CLIP if with_text else 0)
    classes = torch.stack([torch.randperm(CLASSES)[:WAY] for _ in range(ALL)])
    started = time.process_time()
    episodes = FewShotLogits(head, stored, text, support, classes)
    stage = (time.process_time() - started) * VIDEOS / count
    done, started = 0, time.process_time()
    while done < ALL and time.process_time() - started < enough:
        part = slice(done, done + head.episodes_at_once)
        episodes(part, queries[part])
        done += len(queries[part])
    took = (time.process_time() - started) * ALL / done
    first = slice(0, head.episodes_at_once)
    with FlopCounterMode(display=False) as counter:
        episodes(first, queries[first])
    return stage, took, counter.get_total_flops() * ALL / len(queries[first])


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
    whole.add_argument("--mkl", action="store_true", help="multiply matrices as PyTorch does by itself")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    given = parser().parse_args(arguments)
    with nullcontext() if given.mkl else fast_products():
        rate = large_products()
        print(f"{rate / 1e9:.0f} GFLOP/s in large products, {torch.get_num_threads()} threads\n")
        print(
            "| method | shots | stage of 2,400 videos (s) | 10,000 episodes (s) | against OTAM | TFLOP | of the limit |"
        )
        print("|---|---|---|---|---|---|---|")
        for shot in (1, 5):
            baseline = sum(measure("otam", shot, given.videos, given.seconds)[:2])
            for model in given.models:
                videos, episodes, flop = measure(model, shot, given.videos, given.seconds)
                print(
                    f"| {model} | {shot} | {videos:.1f} | {episodes:.1f} | {(videos + episodes) / baseline:.1f} × | "
                    f"{flop / 1e12:.1f} | {episodes / (flop / rate):.1f} × |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
