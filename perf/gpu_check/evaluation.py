"""The episodes of a test on the GPU, on cached features, beside one episode at a time with OTAM cell by cell."""

from functools import partial
from pathlib import Path
from statistics import median

import torch

from perf.evaluation import Setting
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes

# Methods whose prototypes the plain way has, and episodes that it does.
PLAIN, BASELINE = ("clip-fsar", "otam"), 10
# Rounds, and the seconds after which none is added.
ROUNDS, PATIENCE = 3, 2.0
# Predictions that may differ from the plain way's, by the order of sums alone.
CHANGED = 0.02


@torch.inference_mode()
def look_at_evaluation(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Evaluate the episodes of each method and shot."""
    for method in sizes.methods:
        for shot in sizes.shots:
            setting = Setting(method, shot, sizes.width, sizes.test_videos, sizes.episodes)
            setting.head.to(device.torch)
            setting.frames, setting.text = setting.frames.to(device.torch), setting.text.to(device.torch)
            predicted = setting.predict()  # warm
            taken = [device.seconds(setting.predict)]
            while len(taken) < ROUNDS and sum(taken) < PATIENCE:
                taken.append(device.seconds(setting.predict))
            row = {"method": method, "shot": shot, "episodes": sizes.episodes, "seconds": median(taken)}
            if method in PLAIN:
                plain = [setting.predict_one(number) for number in range(BASELINE)]
                seconds = sum(device.seconds(partial(setting.predict_one, number)) for number in range(BASELINE))
                row["plain_seconds"] = seconds / BASELINE * sizes.episodes
                differ = sum((one != ours.ravel()).mean() for one, ours in zip(plain, predicted, strict=False))
                findings.check(
                    f"{method}, {shot} shots: the predictions are the plain way's", differ / BASELINE <= CHANGED
                )
            findings.row("evaluation", **row)
