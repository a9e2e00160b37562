"""A video as one vector, whatever the order of its frames: what the plain baselines compare."""

import torch.nn.functional as F
from torch import Tensor


def whole_video(frames: Tensor) -> Tensor:
    """Return the mean of a video's frame features, with length one: (V, T, D) → (V, D)."""
    return F.normalize(frames.mean(dim=-2), dim=-1)
