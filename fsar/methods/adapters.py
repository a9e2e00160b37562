"""What adapters are: modules that are put into a backbone from outside; of a frozen one they are all that is trained.

Shapes: videos V, frames T, tokens of a frame L = 1 + P with the class token first, token width W; maps (V·T, D, h, w).
"""

from typing import Any, Protocol

from torch import Tensor, nn

from fsar.methods.backbone import Backbone
from fsar.methods.by_name import the_class
from fsar.methods.settings import AdapterSettings


class Adapters(nn.Module):
    """Adapters of one kind, in the blocks of one backbone.

    Making one inserts it: by hooks, by a `forward` put in place of a block's, or by a parametrisation of a weight; the
    backbone's own modules and their names stay as they are. What is trained and saved is what this module holds, so it
    must not hold modules of the backbone. Frames come video by video, (V·T, …), as `Backbone.give` has them.

    Args:
        backbone: with its pretrained weights, if it has them; what is inserted leaves its features as they are at the
            start, unless a kind of adapter says otherwise.
        frames: T.
        settings: its own section of the config.

    Attributes:
        texts: S, how many texts of a class the text encoder is given together; 0 where it is left as it is.
        first_across: where videos look at one another (`Components.across_videos`), the number of the first block in
            which they do; what comes before it is computed once per video.
        videos_together: there, how many videos of a call look at one another, those of one episode after those of
            another; None where it is all of them.
    """

    texts: int = 0
    first_across: int = 0
    videos_together: int | None = None

    def __init__(self, backbone: Backbone, frames: int, settings: Any):
        super().__init__()
        self.frames, self.settings = frames, settings

    def by_frame(self, tokens: Tensor) -> Tensor:
        """Return (V, T, …) of (V·T, …)."""
        return tokens.unflatten(0, (-1, self.frames))


class Adapted(Backbone, Protocol):
    """A backbone that adapters can be put into."""

    adapters: Adapters | None


def insert_adapters(name: str, backbone: Adapted, frames: int, settings: AdapterSettings) -> Adapters:
    """Put adapters into a backbone and return them: those of a folder's `adapter.py`, which is imported by name.

    Raises:
        UserError: this kind of adapter does not fit the backbone.
    """
    backbone.adapters = the_class(name, "adapter", Adapters)(backbone, frames, settings)
    return backbone.adapters
