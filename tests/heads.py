"""A head for tests."""

from fsar.config import HeadConfig
from fsar.model.heads.clip_fsar import ClipFsar
from fsar.model.heads.head import Inputs
from fsar.model.methods import Components


def clip_fsar(components: Components, width: int, settings: HeadConfig, frames: int = 8) -> ClipFsar:
    """The head of CLIP-FSAR with some of its parts."""
    return ClipFsar(Inputs(width, frames, components=components), settings)
