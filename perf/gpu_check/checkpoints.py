"""Seconds and sizes of a checkpoint and of the weights."""

from pathlib import Path

from fsar.model.few_shot import save_weights
from fsar.training.checkpoint import Checkpoint
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import new_step


def look_at_checkpoints(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Save and load the state of a training of each backbone."""
    for backbone, architecture in sizes.backbones.items():
        step = new_step(architecture, "tf32", sizes.frames, device)
        step.whole()  # makes Adam's moments
        model = step.model.module
        checkpoint, weights = Checkpoint(data / "checkpoint.pt", {}, {}), data / "weights.safetensors"

        def save(step=step, model=model, checkpoint=checkpoint) -> None:
            checkpoint.save({"step": 1, "model": model.trained_state(), "optimizer": step.optimizer.state_dict()})

        def load(step=step, model=model, checkpoint=checkpoint) -> None:
            state = checkpoint.load()
            model.load_trained_state(state["model"])
            step.optimizer.load_state_dict(state["optimizer"])

        seconds = {
            "save": device.seconds(save),
            "load": device.seconds(load),
            "save_weights": device.seconds(lambda model=model, to=weights: save_weights(model.trained_state(), to)),
        }
        sizes_of = {"checkpoint_gb": checkpoint.path.stat().st_size / 1e9, "weights_gb": weights.stat().st_size / 1e9}
        findings.row("checkpoints", backbone=backbone, **seconds, **sizes_of)
