"""What moves, beside what is there: a frame's feature and, beside it, the same minus its video's mean over time.

What an encoder of pictures says of a frame is mostly what its whole video shows. With the mean over time taken away,
what is left is what changes. Of a frame f of a video with the mean f̄, and a share w,

    u = f / |f|,    d = f − f̄,    m = d / √(|d|² + (ε|f|)²),    f ↦ [√(1−w)·u, √w·m],

whose cosine with another is (1−w)·cos(u, u′) + w·cos(m, m′) where both move: any matching of frames takes it as it is.
Where nothing moves d is noise; ε keeps it from being blown up, and m is then nearly zero. docs/motion.md has the study.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# ε: what changes by less than this share of a frame's length counts as noise. Compression and grain change the features
# of a video in which nothing moves by a few per cent.
LEAST_MOTION = 0.03


def beside_motion(frames: Tensor, share: float) -> Tensor:
    """Put beside each frame what moves in it.

    Args:
        frames: (..., T, D) features of the frames of videos.
        share: w, of what moves in the cosine of two frames: from 0, which leaves frames as they are, to 1.

    Returns:
        (..., T, 2·D) of length 1 at most; (..., T, D) where the share is 0.
    """
    if share == 0:
        return frames
    exact = frames.to(torch.promote_types(frames.dtype, torch.float32))  # differences of 16 bits are mostly rounding
    there = F.normalize(exact, dim=-1)
    change = exact - exact.mean(dim=-2, keepdim=True)
    noise = LEAST_MOTION * exact.norm(dim=-1, keepdim=True)
    moves = F.normalize(torch.cat([change, noise], dim=-1), dim=-1)[..., :-1]
    return torch.cat([math.sqrt(1 - share) * there, math.sqrt(share) * moves], dim=-1).to(frames.dtype)


def width_beside_motion(width: int, share: float) -> int:
    """Return the width of what `beside_motion` returns of features of D numbers."""
    return width if share == 0 else 2 * width
