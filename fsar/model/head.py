"""Everything between CLIP's frame features and the logits of an episode: the part of CLIP-FSAR that is not CLIP.

Shapes: way N, shot K, queries Q of the whole episode, frames T, feature width D, training classes C.
"""

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from fsar.config import HeadConfig
from fsar.model.matching import otam_distance
from fsar.model.methods import METHODS, Method
from fsar.model.similarity import cosine_similarity
from fsar.model.temporal_transformer import TemporalTransformer


class Head(nn.Module):
    """The components of a method on top of frame features (CLIP-FSAR, Sec. 3).

    Args:
        method: which components there are.
        width: D, the width of the backbone's joint space; with a transformer, a multiple of `config.heads`.
        config: sizes, dropout and the smoothing of the matching.
    """

    def __init__(self, method: Method, width: int, config: HeadConfig):
        super().__init__()
        self.method = method
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
            if method.temporal_transformer
            else None
        )
        # The learnable scale of the video-text logits, 1 at the start.
        self.scale = nn.Parameter(torch.ones(1)) if method.video_text_loss else None

    def modulate_queries(self, queries: Tensor) -> Tensor:
        """Let the frames of each query see one another: (Q, T, D) → (Q, T, D)."""
        return queries if self.temporal_transformer is None else self.temporal_transformer(queries)

    def prototypes(self, support: Tensor, text: Tensor) -> Tensor:
        """Make one prototype per class: average the shots, then modulate with the class's text ("merge before").

        Args:
            support: (N, K, T, D) frame features of the support videos.
            text: (N, D) text features of the classes.

        Returns:
            (N, T, D) prototypes.
        """
        merged = support.mean(dim=1)  # (N, T, D)
        if self.temporal_transformer is None:
            return merged
        return self.temporal_transformer(merged, text if self.method.text_token else None)

    def match(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return few-shot logits, minus the alignment distance: (..., Q, T, D), (..., N, T, D) → (..., Q, N)."""
        return -otam_distance(queries, prototypes, self.config.smoothing)

    def few_shot_logits(self, support: Tensor, queries: Tensor, text: Tensor) -> Tensor:
        """Return the logits of one episode: (N, K, T, D), (Q, T, D), (N, D) → (Q, N)."""
        return self.match(self.modulate_queries(queries), self.prototypes(support, text))

    def class_logits(self, videos: Tensor, text: Tensor) -> Tensor:
        """Return the logits of the video-text objective (CLIP-FSAR, Eq. 2).

        Args:
            videos: (V, T, D) frame features of support and query videos.
            text: (C, D) text features of all training classes.

        Returns:
            (V, C) logits, scale · cos(mean over frames, text).
        """
        if self.scale is None:
            raise ValueError(f"{self.method.title} has no video-text objective")
        return self.scale * cosine_similarity(videos.mean(dim=1), text)


def load_head(method: str, config: HeadConfig, features: Path, trained: Path | None) -> Head:
    """Load the head of a trained model alone, for features that are there already; without weights, a fresh one."""
    with safe_open(features, framework="pt") as file:
        width = file.get_slice("frames").get_shape()[-1]
    head = Head(METHODS[method], width, config)
    if trained is not None:
        with safe_open(trained, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("head.")]  # noqa: SIM118 (not a dict)
            head.load_state_dict({name.removeprefix("head."): file.get_tensor(name) for name in names})
    return head
