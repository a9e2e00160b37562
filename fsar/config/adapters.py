"""The settings of the adapters: a section for each kind, `adapters.<name>` in the config."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fsar.keys.bounds import Bound, FittedSection, LayerFacts
from fsar.keys.declare import ADAPTERS, Section, key, section

# Frames, rows and columns of a kernel, or its steps.
Extent = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=3, max_length=3)]
STAGES = 4


class BottleneckConfig(FittedSection):
    """Adapters that work at a smaller width."""

    bottleneck: float = key(
        "Width of an adapter, as a share of the width of the features that it adapts.",
        ADAPTERS,
        default=0.25,
        gt=0,
        le=1,
    )


class TaskConfig(BottleneckConfig):
    """Task-Adapter++; defaults as published for all benchmarks but SSv2."""

    blocks: int = key(
        "M: so many blocks of the visual encoder have adapters, the last ones.",
        ADAPTERS,
        unit="blocks",
        default=2,
        ge=1,
    )
    text_blocks: int = key(
        "M_t: so many blocks of the text encoder have adapters, the last ones; 0 leaves it as it is.",
        ADAPTERS,
        unit="blocks",
        default=8,
        ge=0,
    )
    texts: int = key(
        "S: texts of each class, which look at one another in the text encoder.",
        ADAPTERS,
        unit="texts",
        default=3,
        ge=1,
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("blocks", self.blocks, layers.depth)
        yield Bound("text_blocks", self.text_blocks, layers.text_depth)


class D2stAdaptersConfig(BottleneckConfig):
    """D²ST-Adapter; defaults as published, for pictures of 224 pixels."""

    heads: int = key("Attention heads of an adapter in a visual transformer.", ADAPTERS, default=4, ge=1)
    spatial_kernel: Extent = key(
        "In a visual transformer: frames, rows and columns that one place sampled by spatial attention is moved by.",
        ADAPTERS,
        default=[4, 5, 5],
    )
    spatial_stride: Extent = key(
        "From one such kernel to the next: frames, rows and columns.", ADAPTERS, default=[4, 3, 3]
    )
    temporal_kernel: Extent = key(
        "As `spatial_kernel`, of temporal attention, whose kernels lie side by side.", ADAPTERS, default=[1, 7, 7]
    )
    stage_heads: list[Annotated[int, Field(ge=1)]] = key(
        "Attention heads of the adapter after each of a ResNet's four stages.",
        ADAPTERS,
        default=[1, 2, 4, 8],
        min_length=STAGES,
        max_length=STAGES,
    )
    stage_spatial_kernels: list[Extent] = key(
        "As `spatial_kernel`, after each of a ResNet's four stages.",
        ADAPTERS,
        default=[[4, 7, 7], [4, 7, 7], [4, 5, 5], [4, 4, 4]],
        min_length=STAGES,
        max_length=STAGES,
    )
    stage_spatial_strides: list[Extent] = key(
        "As `spatial_stride`, after each of a ResNet's four stages.",
        ADAPTERS,
        default=[[4, 7, 7], [4, 7, 7], [4, 3, 3], [4, 3, 3]],
        min_length=STAGES,
        max_length=STAGES,
    )
    stage_temporal_kernels: list[Extent] = key(
        "As `temporal_kernel`, after each of a ResNet's four stages.",
        ADAPTERS,
        default=[[1, 14, 14], [1, 14, 14], [1, 7, 7], [1, 7, 7]],
        min_length=STAGES,
        max_length=STAGES,
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit of a visual transformer."""
        for key_name in ("spatial_kernel", "temporal_kernel"):
            kernel = getattr(self, key_name)
            yield Bound(f"{key_name} (frames)", kernel[0], frames)
            yield Bound(f"{key_name} (rows and columns)", max(kernel[1:]), layers.side)


class LoraConfig(Section):
    """LoRA; defaults as its paper has them for RoBERTa-base."""

    rank: int = key("Rank of what is added to a projection.", ADAPTERS, default=8, ge=1)
    alpha: float = key("α: what is added is multiplied by α / rank.", ADAPTERS, default=8.0, gt=0)
    projections: list[Literal["queries", "keys", "values"]] = key(
        "The projections of each block's attention that are adapted.",
        ADAPTERS,
        once=True,
        default=["queries", "values"],
        min_length=1,
    )


class AimConfig(BottleneckConfig):
    """AIM; defaults as published."""

    joint_scale: float = key(
        "What the adapter beside a block's feed-forward part is multiplied by.", ADAPTERS, default=0.5, gt=0
    )


class AdaptersConfig(Section):
    """The kinds of adapters, by the names of their files."""

    task: TaskConfig = section("Task-Adapter++.", default=TaskConfig())
    d2st: D2stAdaptersConfig = section("D²ST-Adapter.", default=D2stAdaptersConfig())
    lora: LoraConfig = section("LoRA, on attention.", default=LoraConfig())
    aim: AimConfig = section("AIM.", default=AimConfig())
