"""What a backbone lacks for a method, as far as the method's record and what is known of the backbone tell."""

from collections.abc import Callable

from fsar.methods.record import Method
from fsar.video_encoders import VideoEncoder


def what_is_lacking(
    method: Method, has_text: bool, has_layers: Callable[[], bool], video: VideoEncoder | None = None
) -> str:
    """Return what a backbone lacks for a method; nothing where it fits.

    Args:
        method: by its record.
        has_text: it has a text encoder.
        has_layers: tells whether it is a visual transformer with plain blocks; asked only where that matters.
        video: what is known of it as an encoder of video; None of one of pictures.
    """
    parts = method.components
    if method.reads_text and not has_text:
        return "text encoder"
    if parts.adapters and parts.for_video != (video is not None):
        return "blocks that look at several frames" if parts.for_video else "encoder of single pictures"
    if video is not None and parts.for_video and not video.all_places:
        return "blocks whose tokens are all places of a clip"
    if video is not None and parts.needs_pixels and video.steps != video.frames:
        return "feature of each single frame"
    return "visual transformer with plain blocks" if parts.needs_transformer and not has_layers() else ""
