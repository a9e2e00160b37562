"""One training step of CLIP-FSAR (30 clips × 8 frames), against the backbone's forward and backward pass alone.

The step is that of the training loop, set up as there: the backbone, the head, both objectives, the norm of the
gradients and the optimizer; --fast is `training.deterministic: false`. All rows but the first copy the pixels first.
The usual way beside it: OTAM walked cell by cell, and always a call for the support and one for the queries.
On a CPU that others use too, --processor-time measures that instead of the time that passes.
With a ResNet the training step too encodes support and queries apart, and a further row has them together, in one call.
Weights and pixels are random. `python -m perf.gpu` measures it on a GPU.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.config import BackboneConfig, SamplingConfig, TrainingConfig
from fsar.methods import MODELS
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.few_shot import FewShotModel, batch_norms
from fsar.model.open_clip_backbone import random_backbone
from fsar.training.data import TrainingBatch
from fsar.training.job import TrainingJob
from fsar.training.processes import start_processes
from fsar.training.setup import set_up_model
from fsar.training.step import train_step
from fsar.training.texts import EpisodeTexts
from perf.command import reader
from perf.usual_way import both_directions

WAY, SHOT, QUERIES, CLASSES = 5, 1, 5, 64


class Step:
    """A model on a device, and the ways to run a step of it."""

    def __init__(
        self,
        name: str,
        precision: str,
        device: str,
        frames: int,
        float32: str = "tf32",
        deterministic: bool = True,
    ):
        self.config = TrainingConfig(
            tasks_per_step=1, learning_rate=1e-6, precision=precision, float32=float32, deterministic=deterministic,
            threads=torch.get_num_threads(), workers=0,
        )  # type: ignore[arg-type] # fmt: skip
        self.fabric = start_processes(self.config, device)
        torch.manual_seed(0)
        backbone = random_backbone(name)
        self.job = TrainingJob(
            model="clip-fsar", benchmark="random", backbone_name=name, components=MODELS["clip-fsar"],
            backbone=BackboneConfig(model=name, weights="none"), sampling=SamplingConfig(frames=frames),
            head=ClipFsarConfig(), training=self.config, training_seed=0, seed=0,
        )  # fmt: skip
        self.model, self.optimizer = set_up_model(self.job, backbone, CLASSES, self.fabric)
        EpisodeTexts(self.model.module, self.job.text, [f"class {number}" for number in range(CLASSES)], ["none"])
        size, clips = backbone.image_size, WAY * (SHOT + QUERIES)
        pixels = torch.randint(256, (clips, frames, size, size, 3), dtype=torch.uint8)
        batch = TrainingBatch(0, pixels, torch.arange(WAY))
        on_gpu = self.fabric.device.type == "cuda"
        self.batch = TrainingBatch(0, *(part.pin_memory() for part in batch[1:])) if on_gpu else batch
        self.pixels = pixels.to(self.fabric.device)

    def backbone(self) -> None:
        """Frame features and their gradients, and nothing else."""
        self.optimizer.zero_grad()
        with self.fabric.autocast():
            features = self.model.module.backbone(self.pixels)
        self.fabric.backward(features.square().mean())

    def whole(self) -> None:
        """The step of the training loop."""
        self._step(self.job)

    def together(self) -> None:
        """The same, with BatchNorm over support and queries at once."""
        self._step(replace(self.job, training=self.config.model_copy(update={"batch_norm": "together"})))

    def _step(self, job: TrainingJob) -> None:
        _, _, statistics = train_step(
            self.fabric, self.model, self.optimizer, iter([self.batch]), job.training, job.training_seed
        )
        statistics.finish(self.fabric, 1)
        self.optimizer.step()

    def usual(self) -> None:
        """Two calls of the backbone and the alignment cell by cell."""
        module = self.model.module
        module.train()
        self.optimizer.zero_grad()
        with self.fabric.autocast():
            pixels = self.batch.videos.to(self.fabric.device, non_blocking=True)
            support, queries = (module.backbone(part) for part in pixels.split([WAY * SHOT, WAY * QUERIES]))
        loss = self._objectives(module, support, queries)
        self.fabric.backward(loss)
        self.optimizer.step()

    def _objectives(self, module: FewShotModel, support: Tensor, queries: Tensor) -> Tensor:
        head, text = module.head, module.training_text
        classes = torch.arange(WAY, device=text.device)
        prototypes = head.modulate(support, text[classes])  # one shot
        distances = frame_distances(head.modulate(queries), prototypes)
        labels = classes.repeat_interleave(QUERIES)
        few_shot = F.cross_entropy(-both_directions(distances, head.settings.smoothing), labels)
        logits = head.class_logits(torch.cat([support, queries]), text)
        return few_shot + F.cross_entropy(logits, torch.cat([classes.repeat_interleave(SHOT), labels]))


def seconds(run: Callable[[], None], device: torch.device, clock: Callable[[], float]) -> float:
    """Return the seconds of one call, with what it leaves to the GPU."""
    started = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - started


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("training_step", __doc__)
    whole.add_argument("--model", default="ViT-B-32", help="an architecture of open_clip (default: %(default)s)")
    whole.add_argument("--precision", default="32-true", help="training.precision (default: %(default)s)")
    whole.add_argument("--device", default="auto")
    whole.add_argument("--rounds", type=int, default=5)
    whole.add_argument("--frames", type=int, default=8, help="T (default: %(default)s)")
    whole.add_argument("--float32", choices=["tf32", "fp32"], default="tf32", help="training.float32")
    whole.add_argument("--fast", action="store_true", help="training.deterministic: false")
    whole.add_argument("--processor-time", action="store_true")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = parser().parse_args(arguments)
    deterministic = not options.fast
    step = Step(options.model, options.precision, options.device, options.frames, options.float32, deterministic)
    device = step.fabric.device
    runs: dict[str, Callable[[], None]] = {
        "backbone alone": step.backbone,
        "training step": step.whole,
        "the usual way": step.usual,
    }
    if batch_norms(step.model.train()):
        runs["training step, together"] = step.together
    for run in runs.values():
        for _ in range(1 if device.type == "cpu" else 5):
            run()  # warm
    clock = time.process_time if options.processor_time else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            times[name].append(seconds(run, device, clock))
    threads = torch.get_num_threads()
    arithmetic = f"{options.precision}, {options.float32}{', fast' if options.fast else ''}"
    print(f"{options.model}, {options.frames} frames, {arithmetic}, {device.type}, {threads} threads")
    print("| | s (least to most) | episodes/s | over the backbone alone |")
    print("|---|---|---|---|")
    for name, taken in times.items():
        ratio = median(own / alone for own, alone in zip(taken, times["backbone alone"], strict=True))
        print(
            f"| {name} | {median(taken):.3f} ({min(taken):.3f}–{max(taken):.3f}) | {1 / median(taken):.2f} "
            f"| {ratio:.3f}× |"
        )
    if together := times.get("training step, together"):
        ratios = [apart / both for apart, both in zip(times["training step"], together, strict=True)]
        print(f"apart over together: {median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})")


if __name__ == "__main__":
    main()
