"""What a checkpoint costs: seconds that training waits for it, seconds until it is written, and gigabytes."""

from pathlib import Path
from typing import Any

from fsar.training.checkpoint import Checkpoint
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import new_step
from perf.training_step import Step


def look_at_checkpoints(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Save and load the state of a training of each backbone, and its best weights."""
    for number, (backbone, architecture) in enumerate(sizes.backbones.items()):
        step = new_step(architecture, sizes.arithmetics[0], sizes.frames, device)
        step.whole()  # makes Adam's moments
        folder = data / f"checkpoint {number}"
        folder.mkdir()
        findings.row("checkpoints", backbone=backbone, **costs(step, folder, device))
        del step


def costs(step: Step, folder: Path, device: Device) -> dict[str, float]:
    """Return the seconds of saving and loading, and the gigabytes that then lie in an empty folder."""
    model: Any = step.model.module
    found = {}
    with Checkpoint(folder / "last.pt", {}, {}) as checkpoint:

        def save() -> None:
            state = {"model": model.trained_state(), "optimizer": step.optimizer.state_dict()}
            checkpoint.save({"step": 1, "best": {"iteration": 1}, "other_code": [], **state})

        def load() -> None:
            state = checkpoint.load()
            assert state is not None
            model.load_trained_state(state["model"])
            step.optimizer.load_state_dict(state["optimizer"])

        for name, write in (("best", lambda: checkpoint.save_best(model.trained_state(), 1)), ("state", save)):
            found[f"{name}_waited_s"] = device.seconds(write)
            found[f"{name}_written_s"] = found[f"{name}_waited_s"] + device.seconds(checkpoint.wait)
        found["load_s"] = device.seconds(load)
    return found | {"gigabytes": sum(file.stat().st_size for file in folder.iterdir()) / 1e9}
