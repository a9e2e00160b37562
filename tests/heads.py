"""A head for tests."""

from fsar.config import HeadConfig
from fsar.methods import Components
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.head import Inputs


def clip_fsar(components: Components, width: int, settings: HeadConfig, frames: int = 8) -> ClipFsar:
    """The head of CLIP-FSAR with some of its parts."""
    return ClipFsar(Inputs(width, frames, components=components), settings)
