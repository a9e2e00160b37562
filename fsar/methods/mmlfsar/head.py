"""The head of MML-FSAR: features of three stages of CLIP, each matched by itself, as its public code computes it.

1. The class token of a frame after three of the blocks, through the last norm and projection: low, middle, high.
2. Low and middle ones look at the high ones of their video: x + softmax(Q(x) K(h)ᵀ / √d) V(h).
3. The text of a support video's class is added to all three: x + V(text). The public code has an attention there, but
   to a text repeated over the frames: its softmax is uniform, its queries and keys have no effect, and are not here.
4. Each stage gives probabilities: softmax of minus the distances by Bi-MHM, the mean over the shots. They are averaged.
5. In training the mean frame of every video is compared with the texts of the episode's classes, too.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, joint space D, inner width d.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.bi_mhm import bi_mhm
from fsar.methods.blocks.similarity import cosine_similarity, frame_distances
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.mmlfsar.record import MmlfsarConfig
from fsar.methods.needs import Inputs, Needs, Tensors

STAGES = ("low", "middle", "frames")  # the last are the high ones, which are the features of frames elsewhere, too
TINY = 1e-8  # the least probability that the loss takes the logarithm of


class Looking(nn.Module):
    """Frames that look at others of their video: x + softmax(Q(x) K(y)ᵀ / √d) V(y).

    Args:
        width: D.
        inner: d.
    """

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, inner), nn.Linear(width, inner), nn.Linear(width, width)

    def forward(self, frames: Tensor, seen: Tensor) -> Tensor:
        """Map (V, T, D) and (V, T, D) to (V, T, D)."""
        alike = self.query(frames) @ self.key(seen).mT / math.sqrt(self.query.out_features)
        found: Tensor = alike.softmax(dim=-1) @ self.value(seen)
        return frames + found


class Mmlfsar(Head):
    """Probabilities by three stages, and a loss by class names.

    Raises:
        UserError: the backbone has too few blocks.
    """

    averages_shots = False
    classes_apart = False  # probabilities of several stages are averaged
    episodes_at_once = 50
    settings: MmlfsarConfig

    def __init__(self, inputs: Inputs, settings: MmlfsarConfig):
        super().__init__(inputs, settings)
        if inputs.transformer and max(settings.levels) > inputs.transformer.depth:
            raise UserError(
                f"heads.mmlfsar.levels is {settings.levels}, but the backbone has {inputs.transformer.depth} blocks: "
                "name others"
            )
        self.needs = Needs("tokens", tuple(settings.levels), projected=True)
        width = inputs.width
        self.looking = nn.ModuleDict({stage: Looking(width, settings.inner_width) for stage in STAGES[:2]})
        self.text = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(1))

    # A video by itself.

    def store(self, features: Tensors) -> Tensors:
        """Return the features of frames by stages, (V, T, D) each, low and middle ones after they have looked."""
        low, middle, high = features["tokens"][:, :, :, 0].unbind(dim=2)
        looking = self.looking
        return {"low": looking["low"](low, high), "middle": looking["middle"](middle, high), "frames": high}

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Add the text of the class, (V, D), to every frame of every stage."""
        added = self.text(text).unsqueeze(1)  # (V, 1, D)
        return {stage: stored[stage] + added for stage in STAGES}

    def class_stage(self, stored: Tensors, text: Tensor) -> Tensors:
        """Return the scaled cosine of the mean frame with the text of each class, (V, C)."""
        return {"text": self.scale * cosine_similarity(stored["frames"].mean(dim=1), text)}

    def text_scale(self) -> Tensor | None:
        """Return the trained scale of cosines with texts."""
        return self.scale

    # An episode.

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the probabilities by each stage and by class names, (B, Q, N) each."""
        found = {}
        for stage in STAGES:
            shots = support[stage]  # (B, N, K, T, D)
            distances = bi_mhm(frame_distances(queries[stage], shots.flatten(1, 2)))  # (B, Q, N·K)
            found[stage] = (-distances.unflatten(-1, shots.shape[1:3]).mean(dim=-1)).softmax(dim=-1)
        return found | {"text": queries["text"].softmax(dim=-1)}

    def score_weights(self) -> dict[str, float]:
        """Return the share of each stage."""
        share = self.settings.level_share
        return {"low": share, "middle": share, "frames": 1 - 2 * share}

    def decide(self, scores: Tensors) -> Tensor:
        """Return the logarithm of the mean probability, (B, Q, N); with γ, of its product with that by names."""
        by_videos = super().decide(scores).clamp(min=TINY).log()
        power = self.settings.text_power
        if power == 0:
            return by_videos
        return power * scores["text"].clamp(min=TINY).log() + (1 - power) * by_videos

    # Training.

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries by videos and of all videos by class names."""
        scores = self.episode_stage(*self.staged(episode))
        probabilities = super().decide(scores)[0].clamp(min=TINY)
        text = episode.text[episode.classes]  # (N, D)
        shots, asked = episode.split(episode.stored)
        own = torch.arange(episode.way, device=text.device).repeat_interleave(episode.shot)
        if self.settings.support_in_text_loss == "with_text":
            shots = self.support_stage(shots, text[own], episode.shot)
        by_text = torch.cat([self.class_stage(each, text)["text"] for each in (shots, asked)])  # (V, N)
        losses = {
            "few_shot": F.nll_loss(probabilities.log(), episode.labels, reduction=self.loss_over_queries),
            "text": F.cross_entropy(by_text, torch.cat([own, episode.labels])),
        }
        return self.decide(scores)[0], losses

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and the weight of the class names."""
        return {"few_shot": 1.0, "text": self.settings.text_loss_weight}
