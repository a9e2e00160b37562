"""The adapter of D²ST-Adapter (Pei et al., ICCV 2025, arXiv 2312.01431), as its public code computes it.

Of each video few places are sampled, where the features themselves move them to, and all tokens attend to these: many
places in few frames (spatial) and few places in all frames (temporal).

Shapes: videos V, frames T, rows H and columns W of a map, P = H·W patches, L = P tokens of a frame with those in front
that are no patches; width D of the backbone, a of the adapter, heads h; places n of a video along time, rows or
columns, S in all.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Kernels(NamedTuple):
    """Of one adapter, in (frames, rows, columns).

    Attributes:
        heads: h.
        spatial, stride: kernel of the offsets of spatial attention, and its steps.
        temporal: kernel of those of temporal attention, and its steps.
    """

    heads: int
    spatial: list[int]
    stride: list[int]
    temporal: list[int]


class Places(nn.Module):
    """Finds places in a video, and the features there.

    Places are first spread evenly, one per kernel; a convolution over the features moves each, by at most as much as
    they are apart. Each head has its own. Along an axis of size s the place x in (−1, 1) lies at (x + 1)·(s − 1)/2,
    counted from the first cell, while places are spread as the centres of n equal parts of (−1, 1): two conventions, as
    published.

    Args:
        width: a / h.
        size: (T, H, W).
        kernel, stride: of the convolution.
    """

    start: Tensor
    reach: Tensor

    def __init__(self, width: int, size: tuple[int, ...], kernel: list[int], stride: list[int]):
        super().__init__()
        self.size = size
        extent, steps = (kernel[0], kernel[1], kernel[2]), (stride[0], stride[1], stride[2])
        self.convolution = nn.Conv3d(width, width, extent, steps, groups=width)
        self.norm = nn.LayerNorm(width)
        self.offset = nn.Linear(width, 3, bias=False)
        counts = [(s - k) // step + 1 for s, k, step in zip(size, kernel, stride, strict=True)]
        centres = [(2 * torch.arange(n) + 1) / n - 1 for n in counts]
        start = torch.stack(torch.meshgrid(*centres, indexing="ij"), dim=-1)  # (n, n, n, 3)
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("reach", (2 / torch.tensor(counts)).clamp(max=1), persistent=False)

    def find(self, queries: Tensor) -> Tensor:
        """Return the places of each video and head: (V, h, a / h, T, H, W) → (V, h, S, 3), mostly in (−1, 1)."""
        found = self.convolution(queries.flatten(0, 1)).movedim(1, -1)  # (V·h, n, n, n, a / h)
        offsets = self.offset(F.gelu(self.norm(found))).float().tanh() * self.reach
        return (offsets + self.start).flatten(1, 3).unflatten(0, queries.shape[:2])

    def forward(self, queries: Tensor, cells: Tensor) -> Tensor:
        """Return the features at the places, interpolated between cells and 0 outside.

        As a product of matrices: the gradient of PyTorch's `grid_sample` is not the same twice on a GPU.

        Args:
            queries: (V, h, a / h, T, H, W), of which places are found.
            cells: (V, h, T·H·W, a / h) features.

        Returns:
            (V, h, S, a / h).
        """
        places = self.find(queries)
        time, rows, columns = (interpolation(places[..., axis], size) for axis, size in enumerate(self.size))
        shares = time[..., :, None, None] * rows[..., None, :, None] * columns[..., None, None, :]
        return shares.flatten(-3) @ cells  # (V, h, S, T·H·W) of the cells


def interpolation(place: Tensor, size: int) -> Tensor:
    """Return what a place takes of the cells along an axis: (...) in (−1, 1) from first to last cell → (..., size)."""
    position = (place.unsqueeze(-1) + 1) * ((size - 1) / 2)
    before = position.floor()
    beyond = position - before
    cell = torch.arange(size, device=place.device)
    return (cell == before) * (1 - beyond) + (cell == before + 1) * beyond


class DeformableAttention(nn.Module):
    """All tokens of a video attend to sampled places of it; the tokens in front of the patches are never sampled.

    Args:
        width: a.
        heads: h.
        places: that are sampled.
    """

    def __init__(self, width: int, heads: int, places: Places):
        super().__init__()
        self.heads, self.places = heads, places
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend: (V, T, L, a) normed tokens → (V, T, L, a)."""
        size = self.places.size
        patches = size[1] * size[2]
        queries = self.query(tokens)
        of_patches = self._by_head(queries[:, :, -patches:]).transpose(-1, -2).unflatten(-1, size)
        samples = self.places(of_patches, self._by_head(tokens[:, :, -patches:]))
        samples = samples.transpose(1, 2).flatten(2)  # (V, S, a)
        attended = F.scaled_dot_product_attention(
            self._by_head(queries),
            self._by_head(self.key(samples).unsqueeze(1)),
            self._by_head(self.value(samples).unsqueeze(1)),
        )  # (V, h, T·L, a / h)
        found: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return found.unflatten(1, tokens.shape[1:3])

    def _by_head(self, tokens: Tensor) -> Tensor:
        """Return (V, h, T·L, a / h) of (V, T, L, a)."""
        return tokens.flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2)


class DeformableAdapter(nn.Module):
    """One adapter: x ← x + g(up(GELU((spatial + temporal) / 2))) at the width a, 0 at the start.

    Args:
        width: D.
        adapter_width: a.
        size: (T, H, W).
        kernels: of its two kinds of attention.
        activated: g, and what follows the layer down to a, is a GELU, as in visual transformers; in ResNets nothing.
    """

    def __init__(self, width: int, adapter_width: int, size: tuple[int, ...], kernels: Kernels, activated: bool):
        super().__init__()
        self.size, self.activated = size, activated
        self.down = nn.Linear(width, adapter_width)
        self.position = nn.Conv3d(adapter_width, adapter_width, 3, padding=1, groups=adapter_width)
        share = adapter_width // kernels.heads
        spatial = Places(share, size, kernels.spatial, kernels.stride)
        temporal = Places(share, size, kernels.temporal, kernels.temporal)
        self.spatial_norm, self.temporal_norm = nn.LayerNorm(adapter_width), nn.LayerNorm(adapter_width)
        self.spatial = DeformableAttention(adapter_width, kernels.heads, spatial)
        self.temporal = DeformableAttention(adapter_width, kernels.heads, temporal)
        self.up = nn.Linear(adapter_width, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Adapt the tokens of videos: (V, T, L, D) → (V, T, L, D)."""
        y = self._located(self._activate(self.down(tokens)))
        spatial = y + self.spatial(self.spatial_norm(y))
        temporal = y + self.temporal(self.temporal_norm(y))
        return tokens + self._activate(self.up(F.gelu((spatial + temporal) / 2)))

    def _activate(self, tokens: Tensor) -> Tensor:
        return F.gelu(tokens) if self.activated else tokens

    def _located(self, tokens: Tensor) -> Tensor:
        """Add to each patch what a convolution over its neighbours in space and time says: (V, T, L, a)."""
        _, height, width = self.size
        front, patches = tokens.split([tokens.shape[2] - height * width, height * width], dim=2)
        near = self.position(patches.movedim(-1, 1).unflatten(-1, (height, width)))  # (V, a, T, H, W)
        return torch.cat([front, patches + near.flatten(3).movedim(1, -1)], dim=2)
