"""The head of D²ST-Adapter (Pei et al., ICCV 2025): frames as its adapters leave them, matched by Bi-MHM.

Shapes: episodes B, way N, queries Q, videos V, frames T, width before the projection W, training classes C.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.bi_mhm import bi_mhm
from fsar.methods.blocks.motion import beside_motion
from fsar.methods.d2st.record import D2stConfig
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs, Tensors


class D2st(Head):
    """Bi-MHM by sums of 1 − cos, with the plain cosine, between queries and the means of each class's shots.

    Training also classifies the mean over time of every video among the training classes.
    """

    # At a ResNet's width the frames of an episode 5-way 5-shot with 25 queries are 3 MB, twice where they are normed.
    episodes_at_once = 100
    settings: D2stConfig

    def __init__(self, inputs: Inputs, settings: D2stConfig):
        super().__init__(inputs, settings)
        if inputs.classes:
            self.for_training["classifier"] = nn.Linear(inputs.width, inputs.classes)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return frames as they are compared, (V, T, W), twice as wide with what moves."""
        return {"unprojected": self.single_frames(stored)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distance of every query to every class, (B, Q, N)."""
        prototypes = F.normalize(support["unprojected"][:, :, 0], dim=-1)  # (B, N, T, W)
        frames = F.normalize(queries["unprojected"], dim=-1)  # (B, Q, T, W)
        return {"few_shot": -bi_mhm(1 - torch.einsum("bqtw,bnuw->bqntu", frames, prototypes))}

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return the frames as they are compared: (V, T, W), (V, T, 2·W) with what moves."""
        return beside_motion(stored["unprojected"], self.settings.motion_share)

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries and of the videos' classes."""
        logits, losses = super().losses(episode)
        if self.for_training:
            losses["classification"] = F.cross_entropy(self.class_logits(episode.stored), episode.video_classes)
        return logits, losses

    def class_logits(self, stored: Tensors) -> Tensor:
        """Return the logits of the training classes of each video: (V, T, W) → (V, C)."""
        return self.for_training["classifier"](stored["unprojected"].mean(dim=1))

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and λ."""
        return {"few_shot": 1.0, "classification": self.settings.classification_weight}
