"""Decoding a video, by the decoder that the config names."""

import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from fsar.errors import UserError
from fsar.videos.frame import Flaws, Frame, VideoError
from fsar.videos.scale import Scaler

# What brings the packages of decoders that the package alone has not.
EXTRAS = {"ffmpeg": '"fsar[workflow]"', "decord": "decord"}


class Decoder(Protocol):
    """Yields the frames of a video and then its flaws, if any; see `decode`."""

    def __call__(self, path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]: ...


def decode(
    path: str | Path, size: int, timeout: float, decoder: str = "pyav", antialias: bool = True
) -> Iterator[Frame | Flaws]:
    """Yield every frame in order, resized to `size` × `size` (aspect ratio not kept), and then the flaws.

    One frame is held at a time, so memory does not grow with the video. Frames stay in YUV,
    as in JPEG: going through RGB took 1.5 times as long and rounded twice.

    Args:
        path: any file that FFmpeg's libraries can read, of any name.
        size: height and width of the frames, in pixels.
        timeout: seconds after which to give up.
        decoder: pyav, decord or ffmpeg.
        antialias: average over pixels when shrinking; without it each new pixel is computed from four.

    Raises:
        UserError: the decoder is not installed.
        VideoError: missing, empty, not a video, without a video stream, without a frame that can be decoded, or too
            slow.
    """
    path = Path(path)
    _check_file(path)
    frames = _decoder(decoder)
    decoded, reason = 0, "it has no frames"
    for part in frames(path, Scaler(size, antialias), timeout):
        if isinstance(part, Frame):
            decoded += 1
        elif not decoded:
            reason = part.reason or reason
            continue
        yield part
    if not decoded:
        raise VideoError(reason)


def _decoder(name: str) -> Decoder:
    try:
        return cast(Decoder, import_module(f"fsar.videos.decoders.{name}").frames)
    except ModuleNotFoundError as error:
        raise UserError(
            f"The decoder {name} needs the package {error.name}, which is not installed: pip install {EXTRAS[name]}"
        ) from None


def _check_file(path: Path) -> None:
    """Refuse whatever is not a non-empty file, before any library opens it.

    Raises:
        VideoError: saying why.
    """
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError("there is no such file") from None
    except OSError as error:
        raise VideoError(f"it cannot be looked at: {error.strerror}") from None
    except ValueError:
        raise VideoError("there is no such file: its name has a character that no file's has") from None
    if stat.S_ISDIR(about.st_mode):
        raise VideoError("there is no such file, but a folder of that name")
    if not stat.S_ISREG(about.st_mode):
        raise VideoError("it is not a regular file")
    if not about.st_size:
        raise VideoError("the file is empty")
