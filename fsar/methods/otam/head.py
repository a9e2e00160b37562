"""Frames matched by a metric: CLIP-Freeze and OTAM, Bi-MHM, mean cosine (Wang et al., IJCV 2023, Sec. 4).

They are matched as they are, or with what moves beside them (`fsar/methods/blocks/motion.py`).

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D.
"""

from dataclasses import replace

from torch import Tensor

from fsar.methods.blocks.metric import load_metric
from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.otam.record import OtamConfig


class Otam(Head):
    """Minus the distance of a query from the prototype of each class, the mean of its support videos.

    A metric that keeps the shots (TRX) compares all support videos instead.
    """

    settings: OtamConfig

    def __init__(self, inputs: Inputs, settings: OtamConfig):
        super().__init__(inputs, settings)
        matched = replace(inputs, width=width_beside_motion(inputs.width, settings.motion_share))
        self.metric = load_metric(settings.metric, matched, settings.smoothing)
        self.averages_shots = not self.metric.keeps_shots
        self.episodes_at_once = self.metric.episodes_at_once

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return what the metric compares of each video, (V, …) each."""
        return self.represent(stored["frames"])

    def represent(self, frames: Tensor) -> Tensors:
        """Return what the metric compares of videos, (V, T, D) → (V, …) each."""
        return self.metric.represent(beside_motion(frames, self.settings.motion_share))

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return frames as they are matched: (V, T, D), (V, T, 2·D) with what moves."""
        return beside_motion(stored["frames"], self.settings.motion_share)

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distances of an episode, (B, Q, N)."""
        return {"few_shot": -self.metric(queries, support)}
