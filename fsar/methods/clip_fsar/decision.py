"""Deciding by class names, alone or with the few-shot logits."""

import torch.nn.functional as F
from torch import Tensor

from fsar.methods.blocks.whole_video import whole_video


def text_logits(queries: Tensor, text: Tensor, scale: Tensor | None) -> Tensor:
    """Return the logits of the class names alone (zero-shot), with the plain cosine.

    Args:
        queries: (..., Q, T, D) frame features, not modulated.
        text: (..., N, D) text features of the episode's classes.
        scale: what training has found; None where it has found none, which is then 1.

    Returns:
        (..., Q, N) logits.
    """
    cosine = whole_video(queries) @ F.normalize(text, dim=-1).transpose(-1, -2)
    return cosine if scale is None else scale * cosine


def combined_logits(few_shot: Tensor, text: Tensor, text_weight: float, frames: int) -> Tensor:
    """Return log(p_text^β · p_few-shot^(1−β)), the paper's † (CLIP-FSAR, Eq. 7).

    Args:
        few_shot: (..., N) logits −d; p_few-shot = softmax(−d / T).
        text: (..., N) logits; p_text is their softmax.
        text_weight: β, from 0 (few-shot alone) to 1 (text alone).
        frames: T; distances grow with it. The public code has 8, its number of frames.
    """
    return text_weight * text.log_softmax(dim=-1) + (1 - text_weight) * (few_shot / frames).log_softmax(dim=-1)
