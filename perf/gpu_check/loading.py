"""Whether the loader keeps up with the GPU, what copies to it cost, and how long a validation's videos take."""

from collections.abc import Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import torch
from torch.utils.data import DataLoader

from fsar.config import SamplingConfig, TrainingConfig
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.training.data import TimedLoader, TrainingBatch, TrainingEpisodes, load_episodes
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes
from perf.gpu_check.step import new_step
from perf.gpu_check.world import frames, videos
from perf.training_step import Step


def look_at_loading(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Load alone, then beside the steps of each backbone in bf16; copy; encode."""
    for backbone, architecture in sizes.backbones.items():
        step = new_step(architecture, "bf16", sizes.frames, device)
        step.whole()  # warm
        clips = len(step.pixels)
        for flip, jitter in ((False, False), (True, True)):
            what = f"{'flipped and jittered, ' if flip else ''}{sizes.workers} processes"
            episodes = training_episodes(data, sizes, step, flip, jitter)
            ready = iter(batches(episodes, sizes, device))
            next(ready)  # the processes start
            alone = device.seconds(partial(list, ready)) / (sizes.loaded - 1)
            loader = TimedLoader(batches(episodes, sizes, device))
            steps, waits = [], []
            for _ in range(sizes.loaded):
                loader.seconds = 0.0
                steps.append(device.seconds(partial(one_step, step, loader)))
                waits.append(loader.seconds)
            later = len(waits) // 2  # the first ones wait for the processes to start
            findings.row(
                "loading", backbone=backbone, loader=what, loader_alone_s=alone, step_s=median(steps[later:]),
                waited_s=sum(waits[later:]) / len(waits[later:]), clips_per_second=clips / alone,
            )  # fmt: skip
        encoding(data, sizes, device, findings, backbone, step)
        del step
    copies(sizes, device, findings)


def training_episodes(data: Path, sizes: Sizes, step: Step, flip: bool, jitter: bool) -> TrainingEpisodes:
    """Return training episodes at the size of a backbone's pictures."""
    settings = {key: value for key, value in sizes.training.items() if key in ("way", "queries")}
    config = TrainingConfig(**settings, iterations=sizes.loaded, flip=flip, colour_jitter=jitter)
    sampling, size = SamplingConfig(frames=sizes.frames), step.model.module.backbone.image_size
    return TrainingEpisodes(frames(data, "large"), videos(data, "train"), config, sampling, size, seed=0)


def batches(episodes: TrainingEpisodes, sizes: Sizes, device: Device) -> DataLoader[TrainingBatch]:
    """Load all episodes, as the training loop does."""
    return load_episodes(episodes, range(sizes.loaded), sizes.workers, pin_memory=device.is_gpu)


def one_step(step: Step, loader: Iterator[TrainingBatch]) -> None:
    """Take a step on the next episode."""
    step.batch = next(loader)
    step.whole()


@torch.inference_mode()
def encoding(data: Path, sizes: Sizes, device: Device, findings: Findings, backbone: str, step: Step) -> None:
    """Encode the videos of a validation, in the step's arithmetic."""
    model, own = step.model.module.eval(), list(videos(data, "test")["video_id"])
    ids = list(islice(cycle(own), sizes.encoded))
    sampling, size = SamplingConfig(frames=sizes.frames), model.backbone.image_size
    clips = load_clips(frames(data, "large"), ids, sampling, size, 0, device.torch, sizes.workers)

    def encode() -> None:
        with step.fabric.autocast():
            encode_videos(model.encode, clips, device.torch)

    first, second = device.seconds(encode), device.seconds(encode)  # the processes that read stay for the second
    findings.row("encoding", backbone=backbone, arithmetic="bf16", videos=len(ids), first_s=first, second_s=second)


def copies(sizes: Sizes, device: Device, findings: Findings) -> None:
    """Copy an episode's pixels to the device."""
    pixels = torch.zeros(30, sizes.frames, 224, 224, 3, dtype=torch.uint8)
    kinds = {"pageable": pixels} | ({"pinned": pixels.pin_memory()} if device.is_gpu else {})
    for kind, memory in kinds.items():
        taken = [device.seconds(partial(memory.to, device.torch, non_blocking=True)) for _ in range(5)]
        findings.row("copies", memory=kind, megabytes=pixels.nbytes / 1e6, seconds=median(taken))
