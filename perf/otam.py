"""OTAM forward and backward for one training episode, in both directions, against a walk cell by cell.

25 queries × 5 classes, T = 8. Both work on all pairs at once; they must give the same costs and gradients.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from fsar.methods.blocks.otam import both_directions
from perf import usual_way
from perf.command import reader

ROUNDS, REPEATS, SMOOTHING = 7, 20, 0.5


def measure(alignment: Callable[[Tensor, float], Tensor], distances: Tensor) -> tuple[float, Tensor]:
    """Return milliseconds for one forward and backward pass, and the gradient."""
    started = time.perf_counter()
    for _ in range(REPEATS):
        leaf = distances.clone().requires_grad_()
        alignment(leaf, SMOOTHING).square().sum().backward()
    assert leaf.grad is not None
    return 1000 * (time.perf_counter() - started) / REPEATS, leaf.grad


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("otam", __doc__)
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both, and their ratio."""
    parser().parse_args(arguments)
    torch.manual_seed(0)
    print("| threads | cell by cell, ms | whole columns, ms | ratio (least to most) |")
    print("|---|---|---|---|")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        distances = torch.rand(25, 5, 8, 8)
        pairs = []
        for _ in range(ROUNDS):
            (slow, expected), (fast, got) = (
                measure(alignment, distances) for alignment in (usual_way.both_directions, both_directions)
            )
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
            pairs.append((slow, fast))
        ratios = [slow / fast for slow, fast in pairs]
        slow, fast = (median(column) for column in zip(*pairs, strict=True))
        print(f"| {threads} | {slow:.2f} | {fast:.2f} | {median(ratios):.1f}× ({min(ratios):.1f}–{max(ratios):.1f}) |")


if __name__ == "__main__":
    main()
