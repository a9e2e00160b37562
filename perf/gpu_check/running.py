"""Each part runs in a process of its own: a crash, a broken CUDA context or lost time stays there."""

import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes

# The libraries are imported once; this process itself never touches the GPU, or no fork of it could.
FORK = get_context("fork")
# Lines of a log that the page shows.
SHOWN = 60


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        name: of its files.
        title: on the page.
        seconds: it may take on a GPU.
        run: gets the folder with the data, the sizes, the device, and writes findings.
    """

    name: str
    title: str
    seconds: float
    run: Callable[[Path, Sizes, Device, Findings], None]


@dataclass(frozen=True)
class Outcome:
    """How a part ended.

    Attributes:
        part: which.
        seconds: it took.
        failure: what to tell on the page; None if it came to its end.
    """

    part: Part
    seconds: float
    failure: str | None


def run_part(part: Part, folder: Path, data: Path, sizes: Sizes, device: str) -> Outcome:
    """Run a part in a process of its own, and end it when its time is over.

    Args:
        part: which.
        folder: for its findings and its log.
        data: what the first part has made for all.
        sizes, device: of everything.
    """
    log = folder / "logs" / f"{part.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    process = FORK.Process(target=_child, args=(part, folder, data, sizes, device, log))
    started = time.monotonic()
    process.start()
    assert process.pid is not None  # it was started
    process.join(part.seconds)
    late = process.is_alive()
    with suppress(ProcessLookupError):  # with what it has started, such as a loader's processes
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    seconds = time.monotonic() - started
    if process.exitcode == 0 and not late:
        return Outcome(part, seconds, None)
    reason = f"ended after its {part.seconds:.0f} s" if late else f"the process ended with {process.exitcode}"
    return Outcome(part, seconds, f"{reason}\n{_end_of(log)}")


def _child(part: Part, folder: Path, data: Path, sizes: Sizes, device: str, log: Path) -> None:
    os.setsid()  # with the processes it starts it can be ended as one
    # cuBLAS computes the same sums in every run only with this, read when it is first used.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    with log.open("w", encoding="utf-8", buffering=1) as file:
        os.dup2(file.fileno(), 2)  # libraries' messages and progress bars
        sys.stderr = file
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(max(part.seconds - 1, 0.5), file=file)
        try:
            torch.manual_seed(0)
            part.run(data, sizes, Device(device), Findings(folder, part.name, part.seconds))
        except BaseException:
            file.write(traceback.format_exc())
            status = 1
        else:
            status = 0
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.flush()
        file.flush()
        os._exit(status)  # what belongs to the process that was forked is not ended here


def _end_of(log: Path) -> str:
    """Return the last lines of a log; of a part that was late, where each of its threads was."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    late = [number for number, line in enumerate(lines) if line.startswith("Timeout (")]
    return "\n".join(lines[late[-1] :][:SHOWN] if late else lines[-SHOWN:])
