"""CLIP-FSAR's head and its parts (Wang et al., IJCV 2023): OTAM, prototypes modulated by text, video-text objective.

Shapes: way N, shot K, queries Q of the whole episode, frames T, feature width D, training classes C.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.config import HeadConfig
from fsar.errors import UserError
from fsar.methods.blocks.metric import load_metric
from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.blocks.temporal_transformer import TemporalTransformer
from fsar.methods.head import Head, Inputs, TrainingEpisode
from fsar.methods.needs import Tensors


class ClipFsar(Head):
    """The components of a method on top of frame features (CLIP-FSAR, Sec. 3).

    Args:
        inputs: D, the width of the backbone's joint space, is with a transformer a multiple of `settings.heads`; the
            components say which parts there are.
        settings: sizes, dropout and the smoothing of the matching.

    Raises:
        UserError: the attention heads do not divide D.
    """

    settings: HeadConfig

    def __init__(self, inputs: Inputs, settings: HeadConfig):
        super().__init__(inputs, settings)
        self.components = inputs.components
        self.looks_at_all_texts = self.components.video_text_loss
        if self.components.temporal_transformer and inputs.width % settings.heads:
            raise UserError(
                f"head.heads is {settings.heads}, which does not divide the backbone's width {inputs.width}"
            )
        self.temporal_transformer = (
            TemporalTransformer(
                inputs.width,
                settings.depth,
                heads=settings.heads,
                feed_forward=settings.feed_forward,
                attention_dropout=settings.attention_dropout,
                feed_forward_dropout=settings.feed_forward_dropout,
            )
            if self.components.temporal_transformer
            else None
        )
        self.metric = load_metric(self.components.metric, inputs.width, settings)
        self.averages_shots = not self.metric.keeps_shots
        self.episodes_at_once = self.metric.episodes_at_once
        # The learnable scale of the video-text logits, 1 at the start.
        self.scale = nn.Parameter(torch.ones(1)) if self.components.video_text_loss else None

    def modulate(self, videos: Tensor, text: Tensor | None = None) -> Tensor:
        """Let the frames of each video see one another and, with a text token, the text of the video's class.

        Args:
            videos: (V, T, D) frame features.
            text: (V, D) text features of support videos; None for queries, whose class is unknown.

        Returns:
            (V, T, D).
        """
        if self.temporal_transformer is None:
            return videos
        return self.temporal_transformer(videos, text if self.components.text_token else None)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Modulate query videos, and turn them into what the metric compares."""
        return {"compared": self.metric.represent(self.modulate(stored["frames"]))}

    def support_like_queries(self, shot: int) -> bool:
        """Tell it where no text is looked at, and no mean of shots is modulated instead of each of them."""
        return not self.components.text_token and not self._modulates_the_mean(shot)

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Modulate support videos, each with the text of its class; or leave that to their mean, as published."""
        frames = stored["frames"]
        if self._modulates_the_mean(shot):
            return {"frames": frames}
        return {"compared": self.metric.represent(self.modulate(frames, text))}

    def _modulates_the_mean(self, shot: int) -> bool:
        merges_before = shot > 1 and self.settings.merge == "before" and not self.metric.keeps_shots
        return merges_before and self.temporal_transformer is not None

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Match queries with prototypes, or with all shots; the score is minus the distance."""
        ((name, compared),) = support.items()  # (B, N, 1, T, D), or (B, N, K, …)
        if not self.metric.keeps_shots:
            compared = compared.squeeze(2)
            if name == "frames":
                compared = self.modulate(compared.flatten(0, 1), text.flatten(0, 1)).view_as(compared)
        return {"few_shot": -self.metric(queries["compared"], compared)}

    def class_logits(self, videos: Tensor, text: Tensor) -> Tensor:
        """Return the logits of the video-text objective (CLIP-FSAR, Eq. 2).

        Args:
            videos: (V, T, D) frame features of support and query videos.
            text: (C, D) text features of all training classes.

        Returns:
            (V, C) logits, scale · cos(mean over frames, text).
        """
        if self.scale is None:
            raise ValueError("this model has no video-text objective")
        return self.scale * cosine_similarity(videos.mean(dim=1), text)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The few-shot loss, and that of the video-text objective where there is one."""
        return ("few_shot",) if self.scale is None else ("few_shot", "video_text")

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the queries' logits and the terms of CLIP-FSAR's Eq. 8."""
        logits, losses = super().losses(episode)
        if self.scale is not None:
            class_logits = self.class_logits(episode.stored["frames"], episode.text)
            losses["video_text"] = F.cross_entropy(class_logits, episode.video_classes)
        return logits, losses

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return modulated frame features."""
        return self.modulate(stored["frames"], text)

    def text_scale(self) -> Tensor | None:
        """Return the trained scale of similarities with texts, where there is one."""
        return self.scale


def build(inputs: Inputs, settings: HeadConfig) -> ClipFsar:
    """Build the head."""
    return ClipFsar(inputs, settings)
