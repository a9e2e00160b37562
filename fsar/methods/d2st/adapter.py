"""D²ST-Adapter (Pei et al., ICCV 2025, arXiv 2312.01431) in a backbone: deformable attention over each video.

In a visual transformer an adapter follows each block, in a ResNet each of the four stages.

Shapes: videos V, frames T, tokens of a frame L; width D, rows H and columns W of a map.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.blocks.ends import TrainedEnds
from fsar.methods.blocks.vision_transformer import VisionTransformer
from fsar.methods.d2st.deformable import DeformableAdapter, Kernels
from fsar.methods.d2st.record import D2stAdaptersConfig


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
        adapter = DeformableAdapter(width, adapter_width, size, kernels, activated)
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
