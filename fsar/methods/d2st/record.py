"""D²ST-Adapter: adapters with deformable attention, and a head of Bi-MHM."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from fsar.keys.bounds import Bound, LayerFacts
from fsar.keys.declare import ADAPTERS, key
from fsar.methods.blocks.record import MOTION, BottleneckConfig, MotionConfig, with_motion
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, Kind

# Frames, rows and columns of a kernel, or its steps.
Extent = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=3, max_length=3)]
STAGES = 4  # of a ResNet


class D2stConfig(MotionConfig):
    """The head of D²ST-Adapter; defaults as published for SSv2-Small and CLIP."""

    needs: ClassVar[Kind] = "unprojected"

    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.5, ge=0
    )


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


D2ST = Components(head="d2st", trains="adapters", adapters="d2st")
RECORD = Record(
    title="D²ST-Adapter.",
    head=D2stConfig,
    adapters=D2stAdaptersConfig,
    models={"d2st": D2ST, "d2st-motion": with_motion(D2ST)},
    methods={
        "d2st": Method(
            "D²ST-Adapter",
            "Pei et al., ICCV 2025 (arXiv 2312.01431): adapters with deformable attention in every block, Bi-MHM",
            "D²ST-Adapter",
            code="qizhongtan/D2ST-Adapter, commit 44387fa",
            deviations="weight decay spares every normalisation layer, where the code spares those with `bn` or "
            "`norm` in their name",
            code_selection=f"{ON_TEST}, twice in a run (:186)",
        ),
        "d2st-motion": Method("D²ST-Adapter + motion", MOTION),
    },
)
