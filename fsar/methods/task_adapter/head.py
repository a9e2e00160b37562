"""The head of Task-Adapter++ (Cao et al., 2025, arXiv 2505.06002), as its public code computes it.

A query's similarity with the videos of a class is multiplied by that with the texts of the class, which tell its steps
in their order: each text is compared with the frames of its own part of the video.

Shapes: episodes B, way N, queries Q, frames T, feature width D, texts of a class S.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.task_adapter.record import TaskAdapterConfig


class TaskAdapter(Head):
    """The product of a semantic and a visual cosine, scaled.

    Frames of a query look at the next frames of all queries, so its scores depend on which other queries there are.
    """

    queries_apart = False

    def __init__(self, inputs: Inputs, settings: TaskAdapterConfig):
        super().__init__(inputs, settings)
        self.classes_apart = settings.orientation == "matched"
        self.queries_together = settings.orientation == "published"
        self.norm = nn.LayerNorm(inputs.width) if settings.aligned_norm else nn.Identity()

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode, (B, Q, N).

        Args:
            support: frame features of each class, (B, N, 1, T, D).
            queries: of each query, (B, Q, T, D).
            text: (B, N, S, D) features of each class's texts.

        Raises:
            UserError: the published orientation, and another number of queries than of classes.
        """
        visual = self.visual(support["frames"].squeeze(2), queries["frames"])
        semantic = self.semantic(queries["frames"], text)
        if self.settings.orientation == "published":
            # The public code multiplies (class, query) by (query, class), so query q is compared with the texts of
            # class q, and with the videos of each class (its models.py:100–113 at commit 3a29783).
            if visual.shape[1] != visual.shape[2]:
                raise UserError(
                    f"The published orientation of Task-Adapter++ needs as many queries as classes, and not "
                    f"{visual.shape[1]} for {visual.shape[2]}: set heads.task_adapter.orientation to matched, or "
                    "episodes.queries and training.queries to 1"
                )
            semantic = semantic.transpose(1, 2)
        return {"few_shot": self.settings.logit_scale * semantic * visual}

    def visual(self, support: Tensor, queries: Tensor) -> Tensor:
        """Return cosines of mean frames: (B, N, T, D), (B, Q, T, D) → (B, Q, N)."""
        classes, asked = F.normalize(support.mean(dim=2), dim=-1), F.normalize(queries.mean(dim=2), dim=-1)
        return asked @ classes.transpose(1, 2)

    def aligned(self, queries: Tensor) -> Tensor:
        """Return each frame from the second on, and what its predecessor finds in it: (B, Q, T, D) → (B, Q, T−1, D).

        u_i = softmax(Z_i Z_{i+1}ᵀ / √D) Z_{i+1} + Z_{i+1}, where Z_i are the i-th frames of all queries.
        """
        frames = queries.transpose(1, 2)  # (B, T, Q, D)
        before, after = frames[:, :-1], frames[:, 1:]
        alike = before @ after.transpose(-1, -2) / math.sqrt(frames.shape[-1])
        found = cast(Tensor, self.norm(alike.softmax(dim=-1) @ after))
        return (found + after).transpose(1, 2)

    def semantic(self, queries: Tensor, text: Tensor) -> Tensor:
        """Return each text's mean cosine with its window, averaged: (B, Q, T, D), (B, N, S, D) → (B, Q, N)."""
        aligned, texts = F.normalize(self.aligned(queries), dim=-1), F.normalize(text, dim=-1)
        count = text.shape[2]
        shares = windows(aligned.shape[2], count, aligned.device).to(aligned)
        means = shares @ aligned  # (B, Q, S, D): cosines are linear in them
        return means.flatten(2) @ texts.flatten(2).transpose(1, 2) / count


def windows(frames: int, texts: int, device: torch.device | None = None) -> Tensor:
    """Return what share each aligned frame has in the window of each text, (S, frames), rows that sum to one.

    Windows are as long as one another and spread evenly from the first frame to the last, and as short as they can be
    while neighbours share at least one frame: of length ⌈(frames + S − 1) / S⌉. Of 8 frames there are 7 aligned ones,
    and for 3 texts windows of 3 that start at 1, 3 and 5, as published.
    """
    length = math.ceil((frames + texts - 1) / texts)
    start = torch.arange(texts, device=device) * (frames - length) // max(texts - 1, 1)
    place = torch.arange(frames, device=device) - start.unsqueeze(1)
    return ((place >= 0) & (place < length)) / length
