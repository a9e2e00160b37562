"""D²ST-Adapter (Pei et al., ICCV 2025, arXiv 2312.01431): deformable attention over a video, beside a frozen backbone.

Of each video few places are sampled, where the features themselves move them to, and all tokens attend to these: many
places in few frames (spatial) and few places in all frames (temporal). In a visual transformer an adapter follows each
block, in a ResNet each of the four stages.

Shapes: videos V, frames T, rows H and columns W of a map, P = H·W patches, L = P tokens of a frame with those in front
that are no patches; width D of the backbone, a of the adapter, heads h; samples n of a video along time, rows and
columns, S in all.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.config.adapters import D2stAdaptersConfig
from fsar.errors import UserError
from fsar.model.adapters.adapter import Adapters
from fsar.model.adapters.ends import TrainedEnds
from fsar.model.backbone import Backbone
from fsar.model.vision_transformer import VisionTransformer


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


class D2stAdapter(nn.Module):
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


class D2stAdapters(Adapters):
    """One after each block of a visual transformer, with trained ends; or one after each stage of a ResNet."""

    settings: D2stAdaptersConfig

    def __init__(self, backbone: Backbone, frames: int, settings: D2stAdaptersConfig):
        super().__init__(backbone, frames, settings)
        self.inserted = nn.ModuleList()
        self.ends: TrainedEnds | None = None
        if backbone.transformer_sizes is None:
            self._insert_into_resnet(backbone)
        else:
            self._insert_into_transformer(backbone.transformer, backbone.name)

    def _insert_into_transformer(self, transformer: VisionTransformer, name: str) -> None:
        own = self.settings
        kernels = Kernels(own.heads, own.spatial_kernel, own.spatial_stride, own.temporal_kernel)
        keys = ("heads", "spatial_kernel", "temporal_kernel")
        for block in transformer.blocks:
            adapter = self._add(transformer.sizes.width, transformer.grid, kernels, keys, name, activated=True)
            block.module.register_forward_hook(partial(self._after_block, adapter))
        # Published beside the adapters: what is trained at the transformer's ends.
        self.ends = TrainedEnds(transformer, self.frames, class_embedding=True)

    def _insert_into_resnet(self, backbone: Backbone) -> None:
        own = self.settings
        stages = resnet_stages(backbone)
        maps = map_sizes(backbone, stages)
        names = ("stage_heads", "stage_spatial_kernels", "stage_temporal_kernels")
        for number, (stage, (width, *grid)) in enumerate(zip(stages, maps, strict=True)):
            kernels = Kernels(
                own.stage_heads[number],
                own.stage_spatial_kernels[number],
                own.stage_spatial_strides[number],
                own.stage_temporal_kernels[number],
            )
            keys = tuple(f"{name}[{number}]" for name in names)
            adapter = self._add(width, tuple(grid), kernels, keys, backbone.name, activated=False)
            stage.register_forward_hook(partial(self._after_stage, adapter))

    def _add(
        self, width: int, grid: tuple[int, ...], kernels: Kernels, keys: tuple[str, ...], name: str, activated: bool
    ) -> nn.Module:
        """Make one adapter, if its kernels fit; the keys are those of the heads and of both kernels."""
        size = (self.frames, *grid)
        adapter_width = int(width * self.settings.bottleneck)
        if adapter_width == 0 or adapter_width % kernels.heads:
            raise UserError(
                f"adapters.d2st.{keys[0]} is {kernels.heads}, which does not divide the width {adapter_width} of an "
                f"adapter in {name}: choose another number, or another adapters.d2st.bottleneck"
            )
        for key, kernel in zip(keys[1:], (kernels.spatial, kernels.temporal), strict=True):
            if any(k > s for k, s in zip(kernel, size, strict=True)):
                raise UserError(
                    f"adapters.d2st.{key} is {kernel}, larger than what {name} has of a video there, {list(size)} "
                    "frames, rows and columns: choose a smaller kernel, more frames or larger pictures"
                )
        adapter = D2stAdapter(width, adapter_width, size, kernels, activated)
        self.inserted.append(adapter)
        return adapter

    def _after_block(self, adapter: nn.Module, module: nn.Module, given: Any, tokens: Tensor) -> Tensor:
        """Adapt (V·T, L, D) tokens after a block."""
        adapted: Tensor = adapter(self.by_frame(tokens))
        return adapted.flatten(0, 1)

    def _after_stage(self, adapter: nn.Module, module: nn.Module, given: Any, maps: Tensor) -> Tensor:
        """Adapt (V·T, D, H, W) maps after a stage."""
        tokens = maps.movedim(1, -1)  # (V·T, H, W, D)
        adapted = self._after_block(adapter, module, given, tokens.flatten(1, 2))
        return adapted.unflatten(1, tokens.shape[1:3]).movedim(-1, 1)


def resnet_stages(backbone: Backbone) -> list[nn.Module]:
    """Return the last block of each of a ResNet's four stages.

    Not the stages: where activations are computed again, timm calls only their blocks.

    Raises:
        UserError: the backbone has no such stages.
    """
    network: Any = getattr(backbone.visual, "trunk", backbone.visual)  # of timm, within open_clip or alone
    stages: list[Any] = [getattr(network, f"layer{number}", None) for number in range(1, 5)]
    if not all(isinstance(stage, nn.Sequential) and len(stage) for stage in stages):
        raise UserError(
            f"D²ST-Adapter is for visual transformers with plain blocks and for ResNets, and {backbone.name} is neither"
        )
    return [stage[-1] for stage in stages]


@torch.no_grad()
def map_sizes(backbone: Backbone, modules: list[nn.Module]) -> list[tuple[int, ...]]:
    """Return channels, rows and columns of the maps that modules of a backbone give of a picture."""
    found: list[tuple[int, ...]] = []
    hooks = [m.register_forward_hook(lambda module, given, maps: found.append(tuple(maps.shape[1:]))) for m in modules]
    training = backbone.visual.training
    backbone.visual.eval()  # the statistics of BatchNorm stay
    backbone.visual(torch.zeros(1, 3, backbone.image_size, backbone.image_size, device=backbone.mean.device))
    backbone.visual.train(training)
    for hook in hooks:
        hook.remove()
    return found


def build(backbone: Backbone, frames: int, settings: D2stAdaptersConfig) -> Adapters:
    """Put D²ST-Adapters into a backbone; raises UserError where it is of no kind that they fit, or too small."""
    return D2stAdapters(backbone, frames, settings)
