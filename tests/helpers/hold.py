"""Trainings that wait: a test can stop one in its midst, however fast or slow the machine is.

The first training of a folder writes the checkpoint of a step, makes the file `held`, and waits until it is ended.
Later ones, which go on from there, do not wait.
"""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from fsar.training.checkpoint import Checkpoint

STEP = 5
PATIENCE = 600  # seconds for what takes a few, unless something is broken


def hold_first_training(folder: Path) -> None:
    """Let the trainings of this process wait, if no other process has called this for the folder."""
    first, save = folder / "first-training", Checkpoint.save
    if first.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    first.touch()

    def save_and_wait(self: Checkpoint, state: dict[str, object]) -> None:
        save(self, state)
        if state["step"] == STEP:
            self.wait()
            (folder / "held").touch()
            time.sleep(36000)

    Checkpoint.save = save_and_wait  # type: ignore[method-assign]


def plant(project: Path) -> None:
    """Make a copy of the project hold its first training."""
    shutil.copy(__file__, project / "fsar/hold.py")
    script = project / "workflow_scripts/train_model.py"
    lines = "from pathlib import Path\nfrom fsar.hold import hold_first_training\nhold_first_training(Path())\n"
    script.write_text(lines + script.read_text())


def wait_until(there: Callable[[], object], process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Wait for something that a process does.

    Raises:
        AssertionError: the process has ended without it, or it takes for ever.
    """
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, "it ended before what was waited for"
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.1)
