"""How few-shot code usually does what this project does otherwise: the baselines of the benchmarks.

Random access into the video for every clip, the alignment walked cell by cell in Python, one episode at a time. Each is
written with the care of ordinary good code: in torch, over all pairs of an episode at once, without needless copies.
"""

from pathlib import Path

import decord
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.otam.head import Otam


def read_clip(path: Path, positions: NDArray[np.int64], size: int, crop: int, mean: Tensor, std: Tensor) -> Tensor:
    """Return (T, 3, crop, crop) normalised frames at some positions of a video, read by random access."""
    frames = decord.VideoReader(str(path), num_threads=1).get_batch(positions).asnumpy()  # (T, H, W, 3) bytes
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    pixels = F.interpolate(pixels, (size, size), mode="bilinear", align_corners=False)
    top, left = torch.randint(size - crop + 1, (2,)).tolist()
    return (pixels[..., top : top + crop, left : left + crop] - mean) / std


def otam(distances: Tensor, smoothing: float) -> Tensor:
    """Return the alignment costs of (Q, N, L, T) frame distances: (Q, N), walking the table cell by cell."""
    padded = F.pad(distances, (1, 1))  # a column of zeros on each side
    rows, columns = padded.shape[-2:]
    cost = [[padded[..., 0, 0]] * columns for _ in range(rows)]
    for m in range(1, columns):
        cost[0][m] = padded[..., 0, m] + cost[0][m - 1]
    for row in range(1, rows):
        cost[row][0] = padded[..., row, 0]
        for m in range(1, columns):
            before = [cost[row - 1][m - 1], cost[row][m - 1]]
            if m in (1, columns - 1):
                before.append(cost[row - 1][m])
            smallest = -smoothing * torch.log(sum(torch.exp(-value / smoothing) for value in before))  # type: ignore[arg-type]
            cost[row][m] = padded[..., row, m] + smallest
    return cost[-1][-1]


def both_directions(distances: Tensor, smoothing: float) -> Tensor:
    """Return OTAM(D) + OTAM(Dᵀ)."""
    return otam(distances, smoothing) + otam(distances.transpose(-1, -2), smoothing)


def episode_logits(head: Otam, support: Tensor, queries: Tensor, text: Tensor) -> Tensor:
    """Return the logits of one episode: (N, K, T, D), (Q, T, D), (N, D) → (Q, N)."""
    prototypes = support.mean(dim=1)
    if isinstance(head, ClipFsar):
        prototypes, queries = head.modulate(prototypes, text), head.modulate(queries)
    return -both_directions(frame_distances(queries, prototypes), head.settings.smoothing)
