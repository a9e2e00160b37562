"""The settings of a method's head and adapters, and what is known of both before they are built.

Nothing here imports torch; see `fsar.methods.record`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from fsar.keys.bounds import FittedSection
from fsar.keys.declare import key

TRAINING = ("train_model",)
# What a head may ask of the backbone (`fsar.methods.needs`): one vector of each frame in the joint space, or before the
# projection into it; a map of vectors; or the tokens of chosen layers.
Kind = Literal["frames", "unprojected", "maps", "tokens"]


def dropout_key(description: str, default: float, decides: Sequence[str] = TRAINING) -> Any:
    """Declare a key that holds the probability of a dropout."""
    return key(description, decides, unit="probability", default=default, ge=0, lt=1)


class HeadSettings(FittedSection):
    """The settings of a head, `heads.<folder>` in the config, and what is known of it before it is built.

    Attributes:
        needs: what it asks of the backbone.
        texts: how it looks at the texts of an episode's classes: not, their mean, each, or tokens of the first.
        needs_pixels: its losses look at the pixels of training videos.
        prototypes: its scores say how near the prototypes of classes are, or what a query finds among their examples.
    """

    needs: ClassVar[Kind] = "frames"
    texts: ClassVar[Literal["none", "mean", "each", "tokens"]] = "none"
    needs_pixels: ClassVar[bool] = False
    prototypes: ClassVar[bool] = True

    @property
    def folder(self) -> str:
        """The folder of its method."""
        return type(self).__module__.split(".")[-2]

    @property
    def compares_with_text(self) -> bool:
        """Whether it looks at the texts of an episode's classes, in tests too."""
        return self.texts != "none"

    @property
    def reads_text(self) -> bool:
        """Whether it looks at any text, if only in training."""
        return self.compares_with_text

    @property
    def least_frames(self) -> tuple[int, str]:
        """How many frames a video must have, and why: what the head does."""
        return 1, ""

    @property
    def one_query(self) -> str:
        """Why an episode must have one query of each class; empty if it may have more."""
        return ""

    @property
    def tests_mb(self) -> int:
        """Memory of tests in megabytes, by what is kept of each of 2,400 videos (docs/performance.md)."""
        return 4000

    @property
    def chooses_text_weight(self) -> bool:
        """Whether tests weigh class names against the support as validation classes tell (`Head.text_weight`)."""
        return False

    @property
    def imported_by_name(self) -> tuple[str, ...]:
        """Modules of `fsar.methods` that the head imports by a name in its settings."""
        return ()

    def reads(self, key_name: str) -> bool:
        """Tell whether a head with these settings depends on a key of them."""
        return True


class AdapterSettings(FittedSection):
    """The settings of adapters, `adapters.<folder>` in the config.

    Attributes:
        for_transformers: they fit no other visual encoder.
        for_video: they are for the blocks of an encoder of video; all others are for encoders of single pictures.
        across_videos: with them a video's features depend on the other videos of its call.
        in_text_encoder: they adapt the text encoder, too.
    """

    for_transformers: ClassVar[bool] = False
    for_video: ClassVar[bool] = False
    across_videos: ClassVar[bool] = False
    in_text_encoder: ClassVar[bool] = False
