"""What a checkpoint costs a training: nothing saved, saved in a thread beside it, saved while it waits.

    python -m perf.checkpoints [--model RN50] [--rounds 5] [--frames 1] [--device auto]

A round is a training step (perf.training_step, with two classes) with each of the three, one after the other; the state
is that of the training loop. With a save, the time includes all of it: the copy, the step, and what is left to wait for
at its end. Then the sizes of the files. Weights and pixels are random.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from fsar.training.checkpoint import Checkpoint
from fsar.training.data import TrainingBatch
from perf.training_step import QUERIES, SHOT, Step, seconds

BEST = {"iteration": 1, "val_accuracy": 0.5}


def state_of(step: Step) -> dict[str, Any]:
    """Return what training saves."""
    state = {"step": 1, "best": BEST, "metrics": [], "other_code": [], "model": step.model.module.trained_state()}
    return state | {"optimizer": step.optimizer.state_dict(), "precision": step.fabric.strategy.precision.state_dict()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="RN50")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1)
    options = parser.parse_args()
    step = Step(options.model, "32-true", options.device, options.frames)
    step.batch = TrainingBatch(0, step.batch.videos[: 2 * (SHOT + QUERIES)], step.batch.classes[:2])
    with tempfile.TemporaryDirectory() as temporary, Checkpoint(Path(temporary) / "last.pt", {}, {}) as checkpoint:
        step.whole()  # warm, and Adam has its moments
        checkpoint.save_best(step.model.module.trained_state(), BEST["iteration"])
        checkpoint.wait()
        copied: list[float] = []

        def beside() -> None:
            started = time.perf_counter()
            checkpoint.save(state_of(step))
            copied.append(time.perf_counter() - started)
            step.whole()
            checkpoint.wait()

        def waiting() -> None:
            checkpoint.save(state_of(step))
            checkpoint.wait()
            step.whole()

        runs = {"no save": step.whole, "saved beside the step": beside, "saved before the step": waiting}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                times[name].append(seconds(run, step.fabric.device, time.perf_counter))
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(Path(temporary).iterdir())}
    threads = torch.get_num_threads()
    print(f"{options.model}, {options.frames} frames, {step.fabric.device.type}, {threads} threads")
    print("| | s (least to most) | more than without |")
    print("|---|---|---|")
    for name, taken in times.items():
        more = [own - without for own, without in zip(taken, times["no save"], strict=True)]
        print(f"| {name} | {median(taken):.2f} ({min(taken):.2f}–{max(taken):.2f}) | {median(more):.2f} |")
    print(f"the copy alone: {median(copied):.2f} s ({min(copied):.2f}–{max(copied):.2f})")
    print("; ".join(f"{name}: {size:,.0f} MB" for name, size in sizes.items()))


if __name__ == "__main__":
    main()
