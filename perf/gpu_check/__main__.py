"""Run the parts, and write the page."""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

import perf.gpu_check as described
from perf.gpu_check.page import forget, write_page
from perf.gpu_check.parts import PARTS, SECONDS
from perf.gpu_check.running import FORK, Outcome, Part, run_part
from perf.gpu_check.sizes import FULL, REHEARSAL

# Seconds below which a part is not begun.
LEAST = 3.0


def main(arguments: list[str] | None = None) -> int:
    """Run the check; return its exit status."""
    # One that has asked CUDA itself can no longer be forked; this asks the driver's library.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    parser = argparse.ArgumentParser(
        "python -m perf.gpu_check",
        description=described.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results/gpu-check"))
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--parts", help="names, with commas between them")
    options = parser.parse_args(arguments)
    if not options.rehearse and not gpu_there():
        print(
            f"PyTorch {torch.__version__} finds no NVIDIA GPU here: see whether nvidia-smi lists one, and whether "
            "CUDA_VISIBLE_DEVICES hides it. With --rehearse all parts run on the CPU, with small sizes.",
            file=sys.stderr,
        )
        return 2
    wanted = ["world", *options.parts.split(",")] if options.parts else [part.name for part in PARTS]
    if unknown := sorted(set(wanted) - {part.name for part in PARTS}):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(part.name for part in PARTS)}")
    return check(options.folder, [part for part in PARTS if part.name in wanted], options.rehearse)


def gpu_there() -> bool:
    """Tell whether there is a GPU; asked by another process, since one that has asked can no longer be forked."""
    process = FORK.Process(target=lambda: os._exit(0 if torch.cuda.is_available() else 1))
    process.start()
    process.join()
    return process.exitcode == 0


def check(folder: Path, parts: list[Part], rehearse: bool) -> int:
    """Run parts one after another, write the page, and return the exit status: 1 if anything failed."""
    folder.mkdir(parents=True, exist_ok=True)
    forget(folder)
    sizes, device = (REHEARSAL, "cpu") if rehearse else (FULL, "cuda")
    end, outcomes = time.monotonic() + sizes.patience * SECONDS, []
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as data:
        for number, part in enumerate(parts, 1):
            print(f"{number}/{len(parts)} {part.title}", flush=True)
            left = end - time.monotonic()
            if left < LEAST:
                outcomes.append(Outcome(part, 0.0, "no time was left"))
                continue
            shorter = replace(part, seconds=min(sizes.patience * part.seconds, left))
            outcomes.append(run_part(shorter, folder, Path(data), sizes, device))
            if failure := outcomes[-1].failure:
                print(failure, flush=True)
    failures = write_page(folder, outcomes, rehearse)
    print(f"{folder / 'README.md'}: {failures or 'no'} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
