"""MML-FSAR, features of three stages of a frozen CLIP with adapters that look along time."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from fsar.keys.bounds import Bound, LayerFacts
from fsar.keys.declare import ADAPTERS, HEAD, key
from fsar.methods.blocks.record import BottleneckConfig, rising
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import TRAINING, HeadSettings, Kind


class MmlfsarConfig(HeadSettings):
    """MML-FSAR; defaults as published, but for the text of support videos in the loss."""

    needs: ClassVar[Kind] = "tokens"
    texts: ClassVar[Literal["none", "mean", "each"]] = "mean"

    levels: Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(rising)] = key(
        "The blocks, in rising order, after which the class token of a frame is its low, middle and high feature.",
        HEAD,
        default=[4, 8, 12],
        min_length=3,
        max_length=3,
    )
    inner_width: int = key(
        "Width of queries and keys where low and middle features look at the high ones.", HEAD, default=128, ge=1
    )
    level_share: float = key(
        "α, share of the probabilities by low and by middle features in the decision; the high ones have 1 − 2α.",
        HEAD,
        default=0.15,
        ge=0,
        le=0.5,
    )
    text_power: float = key(
        "γ: the probabilities by class names to this power, times those by videos to 1 − γ, decide. The public code "
        "has 0.7 (SSv2 0.3), but switched off.",
        HEAD,
        default=0.0,
        ge=0,
        le=1,
    )
    text_loss_weight: float = key("Weight of the loss of class names.", TRAINING, default=0.25, ge=0)
    support_in_text_loss: Literal["videos", "with_text"] = key(
        "What of support videos the loss of class names compares: their features, or, as in the public code, these "
        "with the text of their own class added, which it is then compared with.",
        TRAINING,
        default="videos",
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("levels", max(self.levels), layers.depth)


class MmlfsarAdaptersConfig(BottleneckConfig):
    """MML-FSAR; defaults as published, but for the pixels."""

    for_transformers: ClassVar[bool] = True

    bottleneck: float = key(
        "Width of an adapter, as a share of the width of the features that it adapts.",
        ADAPTERS,
        default=0.75,
        gt=0,
        le=1,
    )
    segments: list[Annotated[int, Field(ge=1)]] = key(
        "Segments of a video within which frames look at one another, in equal stages of the blocks from the first.",
        ADAPTERS,
        unit="segments",
        default=[4, 2, 1],
        min_length=1,
    )
    pixels: Literal["backbone", "published"] = key(
        "Mean and deviation that pixels are normalised by: those of the backbone, or 0.45 and 0.225 as in the public "
        "code, which are not CLIP's.",
        ADAPTERS,
        default="backbone",
    )


RECORD = Record(
    title="MML-FSAR.",
    head=MmlfsarConfig,
    adapters=MmlfsarAdaptersConfig,
    models={"mml-fsar": Components(head="mmlfsar", trains="adapters", adapters="mmlfsar")},
    methods={
        "mml-fsar": Method(
            "MML-FSAR",
            "MML-FSAR, 2026: three stages of a frozen CLIP with adapters along time, each matched by Bi-MHM",
            code="Shuo-Zheng/MML-FSAR, commit 932cbb9",
            deviations="the loss of class names compares support videos without their text "
            "(heads.mmlfsar.support_in_text_loss); CLIP's own normalisation of pixels (adapters.mmlfsar.pixels); as "
            "many queries of each class, where the code draws 5 in all; half a cosine down to nought, where the code's "
            "line ends at a number of episodes that is not given",
            code_selection="best on validation classes (trainer.py:234–248); the test accuracy is logged each time",
        )
    },
)
