"""What settings of heads and adapters must fit: the layers of a backbone, and the frames of a video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fsar.keys.declare import Section


@dataclass(frozen=True)
class LayerFacts:
    """The layers of a CLIP of open_clip's own.

    Attributes:
        depth, width: blocks of its visual transformer, and the width of their tokens.
        side: patches of a side of a picture.
        text_depth: blocks of its text encoder.
    """

    depth: int
    width: int
    side: int
    text_depth: int


class Bound(NamedTuple):
    """A number of a section's key, and the largest that there is room for."""

    key: str
    value: int
    largest: int


class FittedSection(Section):
    """A section whose numbers must fit a backbone."""

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit; nothing, unless a section says otherwise.

        Args:
            layers: of the backbone.
            frames: T.
        """
        yield from ()
