"""Chamfer++, and plain matchings of frames as they are: all support frames of a class are looked at, no prototype."""

from typing import Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import MotionConfig
from fsar.methods.otam.record import TableMetric
from fsar.methods.record import Components, Method, Record

CHAMFERPP_PAPER = "Bertrand et al., CVPRW 2023"
LEAST_OF_VISIL = 4


class ChamferppConfig(MotionConfig):
    """Chamfer++; defaults as published for SSv2 with one support video."""

    metric: TableMetric = key(
        "How the table of similarities of a query with a class becomes one number: a file in fsar/methods/blocks/.",
        HEAD,
        default="chamfer",
    )
    shots: Literal["joint", "separate", "side_by_side"] = key(
        "The support videos of a class are one table (joint); or each has its own, and their scores are averaged "
        "(separate), as metrics that look at places always do (OTAM, diagonal, linear); or, as in the public code, "
        "they stand one after another for those too, so that diagonal sees the first one alone, and OTAM depends on "
        "their order.",
        HEAD,
        default="joint",
    )
    tuple_length: int = key("L: frames of a tuple, in their order.", HEAD, unit="frames", default=3, ge=1, le=3)
    projection: int = key(
        "Width that tuples are projected to, before a LayerNorm; 0 compares them as they are.", HEAD, default=1152, ge=0
    )
    visil: bool = key(
        "ViSiL's network of four convolutions sees each table before the metric does.", HEAD, default=False
    )
    smoothing: float = key("λ of the softmin in OTAM.", HEAD, default=0.1, gt=0)
    temperature: float = key("g: scores are multiplied by it, and by w.", HEAD, default=100.0, gt=0)
    weight: float = key("w at the start; it is trained.", HEAD, default=0.1, gt=0)

    @property
    def least_frames(self) -> tuple[int, str]:
        """As many as a tuple has, and as the poolings of ViSiL's network need."""
        least, why = super().least_frames
        if self.visil:
            return LEAST_OF_VISIL, "pools tables of similarities twice (heads.chamferpp.visil)"
        if self.tuple_length > least:
            return self.tuple_length, f"compares tuples of {self.tuple_length} frames (heads.chamferpp.tuple_length)"
        return least, why

    @property
    def any_share(self) -> bool:
        """The projection has weights for frames and for what moves in them."""
        return not self.projection

    @property
    def tests_mb(self) -> int:
        """Tuples of all videos, as measured where they are projected: see `HeadSettings`."""
        return 4000 if self.projection or self.tuple_length == 1 else 12000

    @property
    def imported_by_name(self) -> tuple[str, ...]:
        """The metric."""
        return (f"fsar.methods.blocks.{self.metric}",)

    def reads(self, key_name: str) -> bool:
        """λ is OTAM's."""
        return key_name != "smoothing" or self.metric.startswith("otam")


def plain(metric: str) -> Components:
    """Return a model that compares the frames of a frozen backbone as they are."""
    fixed = (("metric", metric), ("tuple_length", 1), ("projection", 0), ("visil", False))
    return Components(head="chamferpp", trains="nothing", fixed=fixed)


RECORD = Record(
    title="Chamfer++.",
    head=ChamferppConfig,
    models={
        "chamferpp": Components(head="chamferpp", trains="head"),
        "chamfer": plain("chamfer"),
        "mean-pairs": plain("mean_pairs"),
    },
    methods={
        "chamferpp": Method(
            "Chamfer++",
            f"{CHAMFERPP_PAPER}: tuples of frames of a frozen backbone, projected; each meets its nearest, joint over "
            "the support videos",
            "Chamfer++",
            code="jbertrand89/temporal_matching, commit 4f14d68",
            deviations="frames of the backbone, or with an encoder of video windows of 16 frames, which are in the "
            "middle of their part at test; only metrics without places are joint",
            code_selection="best on validation classes (run_matching.py:314–346)",
        ),
        "chamfer": Method(
            "Chamfer",
            f"{CHAMFERPP_PAPER}: frames of a frozen backbone as they are, each with its nearest among all of a class",
        ),
        "mean-pairs": Method(
            "Mean of all pairs",
            f"{CHAMFERPP_PAPER}: all frames of a query with all frames of a class, of a frozen backbone",
            "Mean of all pairs",
        ),
    },
)
