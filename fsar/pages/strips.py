"""Frames side by side, small enough for a page."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL = 96  # pixels


def strip_of(frames: NDArray[np.uint8]) -> bytes:
    """Return frames, (T, H, W, 3) RGB bytes, side by side as one JPEG."""
    whole = Image.new("RGB", (THUMBNAIL * len(frames), THUMBNAIL))
    for place, frame in enumerate(frames):
        whole.paste(Image.fromarray(frame).resize((THUMBNAIL, THUMBNAIL)), (place * THUMBNAIL, 0))
    buffer = io.BytesIO()
    whole.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()
