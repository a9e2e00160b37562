"""Seconds on a GPU, beside what they cannot be less than: a training step, the loader, and the episodes of tests.

The page, README.md in the folder, has a table of each, and a CSV lies beside it for each table. Operations and bytes
are counted: those of products of matrices and convolutions, and all that an operation reads and writes once. The
limits are their numbers over the rates of this device, measured here too: a product of large matrices, a copy of its
memory. Weights and pixels are random, videos are rendered: nothing is downloaded. On a CPU everything is small, and
the numbers mean nothing.
"""

import argparse
import gc
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from fsar.config import SamplingConfig, TrainingConfig
from fsar.fabric import set_deterministic, set_float32
from fsar.training.data import TimedLoader, TrainingEpisodes, load_episodes
from perf.activation_memory import saved_bytes
from perf.command import reader
from perf.evaluation import Setting
from perf.training_step import Step, seconds
from perf.worlds import short_clips, store_of, ten_second_clips

# What an arithmetic is in the config: training.precision and training.float32.
ARITHMETICS = {"bf16": ("bf16-mixed", "tf32"), "tf32": ("32-true", "tf32"), "fp32": ("32-true", "fp32")}
PATIENCE = 1.5  # seconds after which nothing is measured once more
PLAIN = 10  # test episodes that the plain way does
# Goals: a step beside the backbone alone, the plain way beside a step, and the share of a step that waits for frames.
MOST_OF_A_STEP = 1.15
LEAST_FASTER = 3.0
MOST_WAITED = 0.05
Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes:
        backbones: architectures of open_clip.
        arithmetics: names in `ARITHMETICS`.
        frames: T.
        rounds: measurements at most.
        loaded, workers: episodes out of the loader, and its processes.
        tests, videos, width: episodes of a test, the videos they are of, and D.
        matrix, copied: side of the matrices of a product, and the bytes of a copy, by which rates are measured.
    """

    backbones: tuple[str, ...] = ("RN50-quickgelu", "ViT-B-16-quickgelu")
    arithmetics: tuple[str, ...] = tuple(ARITHMETICS)
    frames: int = 8
    rounds: int = 8
    loaded: int = 40
    workers: int = 6
    tests: int = 10_000
    videos: int = 2400
    width: int = 1024
    matrix: int = 8192
    copied: int = 2**30


SMALL = Sizes(("small-clip",), ("fp32",), 1, 1, 3, 0, 20, 144, 16, 64, 2**10)


class BytesMoved(TorchDispatchMode):
    """Counts the bytes that each operation reads and writes; views move none."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count its tensors."""
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [one for one in tree_leaves((args, kwargs, result)) if isinstance(one, torch.Tensor)]
            self.total += sum(tensor.nbytes for tensor in tensors)
        return result


def counted(run: Callable[[], Any]) -> tuple[int, int]:
    """Return the operations of a call (a multiplication and an addition are two), and the bytes it moves."""
    with FlopCounterMode(display=False) as operations, BytesMoved() as moved:
        run()
    return operations.get_total_flops(), moved.total


def measured(run: Callable[[], Any], device: torch.device, rounds: int) -> list[float]:
    """Return the seconds of some calls after one that is not counted; of fewer where they take long, but of one."""
    taken: list[float] = []
    seconds(run, device, time.perf_counter)
    while len(taken) < rounds and sum(taken) < PATIENCE:
        taken.append(seconds(run, device, time.perf_counter))
    return taken


def rates(sizes: Sizes, device: torch.device) -> list[Row]:
    """Return the operations per second in each arithmetic, and the bytes of memory read or written per second."""
    memory = torch.zeros(sizes.copied, dtype=torch.uint8, device=device)
    rows = [{"what": "a copy in memory", "rate": 2 * sizes.copied / min(measured(memory.clone, device, sizes.rounds))}]
    for arithmetic in sizes.arithmetics:
        precision, float32 = ARITHMETICS[arithmetic]
        set_float32(float32)  # type: ignore[arg-type]
        kind = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
        matrix = torch.randn(sizes.matrix, sizes.matrix, device=device, dtype=kind)
        taken = min(measured(partial(torch.mm, matrix, matrix), device, sizes.rounds))
        rows.append({"what": arithmetic, "rate": 2 * sizes.matrix**3 / taken})
    return rows


def ways_of_a_step(step: Step) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield each way to run a step; the settings of the one before are undone then."""
    yield "backbone alone", step.backbone
    yield "training step, deterministic: false", step.whole
    set_deterministic(True)
    yield "training step", step.whole
    set_deterministic(False)
    yield "plain way", step.usual


def steps(sizes: Sizes, device: torch.device, rate: dict[str, float]) -> Iterator[Row]:
    """Yield a row for each backbone, arithmetic and way to run a training step."""
    for backbone in sizes.backbones:
        for arithmetic in sizes.arithmetics:
            step = new_step(backbone, arithmetic, sizes, device)
            alone = None
            for way, run in ways_of_a_step(step):
                row: Row = {"backbone": backbone, "arithmetic": arithmetic, "step": way}
                try:
                    operations, moved = counted(run)
                    taken = measured(run, device, sizes.rounds)
                except torch.OutOfMemoryError:
                    yield row | {"remark": "does not fit into memory"}
                    continue
                alone = alone or median(taken)
                yield row | {
                    "seconds": median(taken), "least": min(taken), "most": max(taken),
                    "over the backbone": median(taken) / alone,
                    "TFLOP": operations / 1e12, "limit of operations, s": operations / rate[arithmetic],
                    "GB moved": moved / 1e9, "limit of bytes, s": moved / rate["a copy in memory"],
                }  # fmt: skip
            del step, run


def memory(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Yield the gigabytes kept for the backward pass, as counted for docs/training.md, and the most of a step."""
    for backbone in sizes.backbones:
        for arithmetic in (one for one in ("bf16", "fp32") if one in sizes.arithmetics):
            for again in (False, True):
                step = new_step(backbone, arithmetic, sizes, device)
                if again:
                    step.model.module.backbone.checkpoint_activations()
                kept = saved_bytes(backbone, again, torch.bfloat16 if arithmetic == "bf16" else None)
                row = {"backbone": backbone, "arithmetic": arithmetic, "recomputed": again, "counted, GB": kept / 1e9}
                step.whole()  # makes Adam's moments
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats()
                    step.whole()
                    row["most of a step, GB"] = torch.cuda.max_memory_allocated() / 1e9
                yield row
                del step


def goals(steps: Sequence[Row], loading: Sequence[Row]) -> list[Row]:
    """Return what was aimed at for each step and its loader, beside what was found; none of what did not fit."""
    found = []
    taken = {(row["backbone"], row["arithmetic"], row["step"]): row.get("seconds") for row in steps}
    for backbone, arithmetic in dict.fromkeys((row["backbone"], row["arithmetic"]) for row in steps):
        ways = ("backbone alone", "training step, deterministic: false", "plain way")
        alone, step, plain = (taken.get((backbone, arithmetic, way)) for way in ways)
        of = {"backbone": backbone, "arithmetic": arithmetic}
        if step and alone:
            found.append(of | _goal("step over the backbone alone", step / alone, "at most", MOST_OF_A_STEP))
        if step and plain:
            found.append(of | _goal("plain way over the step", plain / step, "at least", LEAST_FASTER))
    for row in loading:
        of = {"backbone": row["backbone"], "arithmetic": row["arithmetic"]}
        waited = row["waited, s"] / row["step, s"]
        found.append(of | _goal("share of a step waited for the loader", waited, "at most", MOST_WAITED))
    return found


def _goal(what: str, found: float, bound: str, goal: float) -> Row:
    reached = found <= goal if bound == "at most" else found >= goal
    return {"what": what, "found": found, "goal": f"{bound} {goal:g}", "reached": "yes" if reached else "no"}


def new_step(backbone: str, arithmetic: str, sizes: Sizes, device: torch.device) -> Step:
    """Build a step of the fastest operations, whatever their bits, where those before it are gone."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    precision, float32 = ARITHMETICS[arithmetic]
    step = Step(backbone, precision, device.type, sizes.frames, float32, deterministic=False)
    step.model.train()
    return step


def loading(sizes: Sizes, device: torch.device, folder: Path) -> Iterator[Row]:
    """Yield, for each backbone, the seconds that steps wait for the loader, and those it takes alone."""
    clips = ten_second_clips(folder, 4) if device.type == "cuda" else short_clips(folder, 2)
    store, videos = store_of(clips, 512, folder)
    for backbone in sizes.backbones:
        step = new_step(backbone, sizes.arithmetics[0], sizes, device)
        size, sampling = step.model.module.backbone.image_size, SamplingConfig(frames=sizes.frames)
        episodes = TrainingEpisodes(store, videos, TrainingConfig(), sampling, size, seed=0)
        load = partial(load_episodes, episodes, range(sizes.loaded), sizes.workers, pin_memory=device.type == "cuda")
        ready = iter(load())
        next(ready)  # the processes start
        alone = seconds(partial(list, ready), device, time.perf_counter) / (sizes.loaded - 1)
        loader, waits, taken = TimedLoader(load()), [], []
        for _ in range(sizes.loaded):
            loader.seconds, started = 0.0, time.perf_counter()
            step.batch = next(loader)
            seconds(step.whole, device, time.perf_counter)
            taken.append(time.perf_counter() - started)
            waits.append(loader.seconds)
        later = slice(sizes.loaded // 2, None)  # the first ones wait for the processes to start
        yield {
            "backbone": backbone, "arithmetic": sizes.arithmetics[0], "processes": sizes.workers,
            "loader alone, s": alone, "step, s": median(taken[later]),
            "waited, s": sum(waits[later]) / len(waits[later]),
        }  # fmt: skip


@torch.inference_mode()
def tests(sizes: Sizes, device: torch.device) -> Iterator[Row]:
    """Yield the seconds of the episodes of a test, and of the same one at a time in the plain way."""
    for method in ("clip-fsar", "otam"):
        for shot in (1, 5):
            setting = Setting(method, shot, sizes.width, sizes.videos, sizes.tests)
            setting.head.to(device)
            setting.frames, setting.text = setting.frames.to(device), setting.text.to(device)
            taken = measured(setting.predict, device, 3)
            plain = sum(
                seconds(partial(setting.predict_one, number), device, time.perf_counter) for number in range(PLAIN)
            )
            each = {"method": method, "shot": shot, "episodes": sizes.tests, "seconds": median(taken)}
            yield each | {"plain way, s": plain / PLAIN * sizes.tests}


def machine(device: torch.device) -> list[Row]:
    """Return what this machine is."""
    facts = {"Python": platform.python_version(), "PyTorch": torch.__version__, "cores": str(os.cpu_count())}
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(0)
        facts |= {"GPU": about.name, "memory, GB": f"{about.total_memory / 1e9:.0f}", "CUDA": str(torch.version.cuda)}
    return [{"what": what, "which": which} for what, which in facts.items()]


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("gpu", __doc__)
    whole.add_argument("folder", nargs="?", type=Path, default=Path("results/gpu-check"), help="default: %(default)s")
    whole.add_argument("--device", choices=["cuda", "cpu"], default=os.environ.get("FSAR_GPU_CHECK_DEVICE", "cuda"))
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page after each table."""
    options = parser().parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no NVIDIA GPU here: see nvidia-smi and CUDA_VISIBLE_DEVICES.")
    device = torch.device(options.device)
    sizes = Sizes() if options.device == "cuda" else SMALL
    options.folder.mkdir(parents=True, exist_ok=True)
    page = options.folder / "README.md"
    page.write_text("# On a GPU\n" if device.type == "cuda" else "# On a CPU, small: the numbers mean nothing\n")

    def tell(title: str, rows: list[Row]) -> None:
        table = pd.DataFrame(rows)
        table.to_csv(options.folder / f"{title.lower().replace(' ', '_')}.csv", index=False, float_format="%.6g")
        text = f"\n## {title}\n\n{table.to_markdown(index=False, floatfmt='.4g')}\n"
        with page.open("a") as file:
            file.write(text)
        print(text, flush=True)

    tell("Machine", machine(device))
    found = rates(sizes, device)
    tell("Rates per second", found)
    stepped = list(steps(sizes, device, {row["what"]: row["rate"] for row in found}))
    tell("Training steps", stepped)
    with tempfile.TemporaryDirectory() as folder:
        loaded = list(loading(sizes, device, Path(folder)))
    tell("Loading", loaded)
    tell("Goals", goals(stepped, loaded))
    tell("Tests", list(tests(sizes, device)))
    tell("Memory", list(memory(sizes, device)))


if __name__ == "__main__":
    main()
