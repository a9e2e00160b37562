"""The head of CLIP-FSAR for tests."""

from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.needs import Inputs

# Without what it adds to OTAM.
PLAIN = {"modulation": False, "video_text_weight": 0.0}


def clip_fsar(width: int, frames: int = 8, **settings: object) -> ClipFsar:
    """The head with some of its parts."""
    return ClipFsar(Inputs(width, frames), ClipFsarConfig(**settings))
