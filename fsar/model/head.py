"""Everything between CLIP's frame features and the logits of an episode: the part of CLIP-FSAR that is not CLIP.

Shapes: way N, shot K, queries Q of the whole episode, frames T, feature width D, training classes C.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from fsar.config import HeadConfig
from fsar.model.matching.metric import load_metric
from fsar.model.methods import Components
from fsar.model.similarity import cosine_similarity
from fsar.model.temporal_transformer import TemporalTransformer


class Head(nn.Module):
    """The components of a method on top of frame features (CLIP-FSAR, Sec. 3).

    Args:
        components: which there are.
        width: D, the width of the backbone's joint space; with a transformer, a multiple of `config.heads`.
        config: sizes, dropout and the smoothing of the matching.
    """

    def __init__(self, components: Components, width: int, config: HeadConfig):
        super().__init__()
        self.components = components
        self.config = config
        self.temporal_transformer = (
            TemporalTransformer(
                width,
                config.depth,
                heads=config.heads,
                feed_forward=config.feed_forward,
                attention_dropout=config.attention_dropout,
                feed_forward_dropout=config.feed_forward_dropout,
            )
            if components.temporal_transformer
            else None
        )
        self.metric = load_metric(components.metric, width, config)
        # The learnable scale of the video-text logits, 1 at the start.
        self.scale = nn.Parameter(torch.ones(1)) if components.video_text_loss else None

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

    def modulates_each_shot(self, shot: int) -> bool:
        """Tell whether each support video is modulated by itself: then its modulation is the same in every episode."""
        return shot == 1 or self.metric.keeps_shots or self.config.merge == "after"

    def merge(self, shots: Tensor) -> Tensor:
        """Make one prototype of the K modulated shots, (..., K, T, D) → (..., T, D), unless the metric keeps them."""
        return shots if self.metric.keeps_shots else shots.mean(dim=-3)

    def prototypes(self, support: Tensor, text: Tensor) -> Tensor:
        """Make one prototype per class: modulated with the class's text, shots averaged before or after that.

        Args:
            support: (N, K, T, D) frame features of the support videos.
            text: (N, D) text features of the classes.

        Returns:
            (N, T, D) prototypes; (N, K, T, D) for a metric that keeps the shots.
        """
        shot = support.shape[1]
        if self.modulates_each_shot(shot):
            each = self.modulate(support.flatten(0, 1), text.repeat_interleave(shot, dim=0))
            return self.merge(each.unflatten(0, support.shape[:2]))
        return self.modulate(support.mean(dim=1), text)

    def represent(self, videos: Tensor) -> Tensor:
        """Turn videos into what the metric compares: (..., T, D) → (..., …)."""
        return self.metric.represent(videos.flatten(0, -3)).unflatten(0, videos.shape[:-2])

    def match(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return few-shot logits, minus the distance: (..., Q, …), (..., N, …) → (..., Q, N)."""
        return -self.metric(queries, prototypes)

    def few_shot_logits(self, support: Tensor, queries: Tensor, text: Tensor) -> Tensor:
        """Return the logits of one episode: (N, K, T, D), (Q, T, D), (N, D) → (Q, N)."""
        return self.match(self.represent(self.modulate(queries)), self.represent(self.prototypes(support, text)))

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

    def text_logits(self, queries: Tensor, text: Tensor) -> Tensor:
        """Return the logits of the class names alone (zero-shot), with the plain cosine.

        Args:
            queries: (..., Q, T, D) frame features, not modulated.
            text: (..., N, D) text features of the episode's classes.

        Returns:
            (..., Q, N) logits; their scale is 1 where none was trained.
        """
        cosine = F.normalize(queries.mean(dim=-2), dim=-1) @ F.normalize(text, dim=-1).transpose(-1, -2)
        return cosine if self.scale is None else self.scale * cosine


def combined_logits(few_shot: Tensor, text: Tensor, text_weight: float, frames: int) -> Tensor:
    """Return log(p_text^β · p_few-shot^(1−β)), the paper's † (CLIP-FSAR, Eq. 7).

    Args:
        few_shot: (..., N) logits −d; p_few-shot = softmax(−d / T).
        text: (..., N) logits; p_text is their softmax.
        text_weight: β, from 0 (few-shot alone) to 1 (text alone).
        frames: T; distances grow with it. The public code has 8, its number of frames.
    """
    return text_weight * text.log_softmax(dim=-1) + (1 - text_weight) * (few_shot / frames).log_softmax(dim=-1)


def load_head(components: Components, config: HeadConfig, features: Path, trained: Path | None) -> Head:
    """Load the head of a trained model alone, for features that are there already; without weights, a fresh one."""
    with safe_open(features, framework="pt") as file:
        width = file.get_slice("frames").get_shape()[-1]
    head = Head(components, width, config)
    if trained is not None:
        with safe_open(trained, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("head.")]  # noqa: SIM118 (not a dict)
            head.load_state_dict({name.removeprefix("head."): file.get_tensor(name) for name in names})
    return head
