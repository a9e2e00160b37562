"""Settings that several methods share."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from fsar.keys.declare import ADAPTERS, HEAD, key
from fsar.methods.record import Components
from fsar.methods.settings import AdapterSettings, HeadSettings, dropout_key

CLIP_FSAR_PAPER = "Wang et al., IJCV 2023 (arXiv 2303.02982)"
# What several records say of their public codes, and none of them follows (docs/recipes.md).
ERASING = "no random erasing of training queries, which the code's settings leave on for UCF101 and HMDB51"
QUERIES = "7 queries per class at every shot, where the code has 3 for 5 shots"
DECAY = "weight decay spares normalisation layers"

# What is learnt from unknown queries, put before any head (`fsar/methods/blocks/learns_unknown.py`).
FSOSAR = "hsp-iit/fsosar, ICPR 2026"

# The method of this project, and its share in models that are named for it: chosen on validation classes.
MOTION = "This project, docs/motion.md: what moves in each frame beside what is there"
MOTION_SHARE = 0.75

# Frames in a tuple. The number of tuples grows fast: 8 frames have 28 pairs, 56 triples, 70 of four.
Cardinality = Annotated[int, Field(ge=1, le=4)]


def with_motion(model: Components) -> Components:
    """Return a model that also compares what moves (`MotionConfig`)."""
    return replace(model, fixed=(*model.fixed, ("motion_share", MOTION_SHARE)))


def rising(levels: list[int]) -> list[int]:
    """Return the numbers of blocks as they are; raises ValueError where they do not rise."""
    if levels != sorted(set(levels)):
        raise ValueError("must rise")
    return levels


class TuplesConfig(HeadSettings):
    """Tuples of frames, of the heads that compare these."""

    tuple_width: int = key("Width of the keys and values of tuples of frames.", HEAD, default=1152, ge=1)

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; of each metric the distance is the mean over these.",
        HEAD,
        once=True,
        default=[2, 3],
        min_length=1,
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """As many as the longest tuple has."""
        longest = max(self.cardinalities)
        return longest, f"compares tuples of {longest} frames (heads.{self.folder}.cardinalities)"

    @property
    def tests_mb(self) -> int:
        """As measured: see `HeadSettings`."""
        return 12000


class MotionConfig(HeadSettings):
    """What the heads share that match frames by their features: what moves in them, beside what is there."""

    motion_share: float = key(
        "w, share of what moves in the cosine of two frames: each frame's feature minus its video's mean over time "
        "(docs/motion.md). 0 compares frames as published.",
        HEAD,
        default=0.0,
        ge=0,
        le=1,
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """Nothing moves in one frame."""
        return (2, "compares what moves") if self.motion_share else super().least_frames

    @property
    def any_share(self) -> bool:
        """Whether the same weights go with any share."""
        return True


class WidenedMotionConfig(MotionConfig):
    """Of heads whose weights are made for frames as wide as what moves beside them makes them."""

    @property
    def any_share(self) -> bool:
        """Weights of one share are of no use with another."""
        return False


class RelationConfig(HeadSettings):
    """What HyRSM, HyRSM++ and MoLo share: positions added to scaled features, and attention over the frames."""

    feature_divisor: float = key(
        "A: features are multiplied by √(D/A) before positions are added to them.", HEAD, default=10.0, gt=0
    )
    position_scale: float = key("B, which positions are multiplied by.", HEAD, default=1.0, ge=0)
    heads: int = key("Attention heads; must divide the backbone's width.", HEAD, default=8, ge=1)
    position_dropout: float = dropout_key("Dropout after positions are added.", 0.1)
    attention_dropout: float = dropout_key("Dropout after the attention over frames.", 0.2)


class BottleneckConfig(AdapterSettings):
    """Adapters that work at a smaller width."""

    bottleneck: float = key(
        "Width of an adapter, as a share of the width of the features that it adapts.",
        ADAPTERS,
        default=0.25,
        gt=0,
        le=1,
    )
