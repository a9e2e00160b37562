"""Which clips are meant: files, folders, a CSV, or frames in memory."""

import logging
import os
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from fsar.class_names import hardly_different, one_spelling
from fsar.csv_rows import Row, read_rows
from fsar.errors import UserError
from fsar.files import named, readable
from fsar.sources.walk import LeftOut, videos_below

if TYPE_CHECKING:
    from torch import Tensor
else:  # a run is planned without PyTorch
    Tensor = Any

log = logging.getLogger(__name__)

# A clip in memory: (T, H, W, 3) RGB bytes.
Pictures = NDArray[np.uint8] | Tensor
# Clips as a user gives them: a file, a folder, a CSV or frames, or several of these.
NamedClips = str | Path | Pictures | Sequence[str | Path | Pictures]
# Examples as a user gives them: the clips of each class, a folder with a sub-folder per class, or a CSV.
Examples = Mapping[str, NamedClips] | str | Path


@dataclass(frozen=True)
class Clip:
    """A clip to look at.

    Attributes:
        path: of the file on the disk, as it was given.
        video_id: what the frames to look at are drawn by, as in the workflow's own tests: the id or the path that a CSV
            gives, or else the file's name as `fsar.files.readable` writes it, so that a clip keeps its numbers when it
            is moved; of frames in memory a checksum.
        frames: (T, H, W, 3) RGB bytes, where the clip is in memory and in no file.
    """

    path: Path
    video_id: str
    frames: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)


def list_clips(source: NamedClips) -> list[Clip]:
    """Return the clips that are meant: files and frames as they are given, the videos of a folder at any depth, a CSV.

    What is left out of a folder is told in a line.

    Raises:
        UserError: a folder without a video, a CSV that cannot be used, or frames of another shape or type. Files are
            looked at when they are read.
    """
    if isinstance(source, np.ndarray) or _is_tensor(source):
        return [_in_memory(source)]
    if not isinstance(source, str | Path):
        return [clip for part in source for clip in list_clips(part)]
    path = Path(named(str(source)))
    if _is_folder(path):
        found, walk = videos_below(path)
        if not found:
            raise UserError(f"There is no video below {readable(path)}{_but(walk.left_out)}")
        _tell(path, walk.left_out)
        return [_clip(video) for video in found]
    if _is_csv(path):
        return [clip for clip, _ in _read_csv(path, ("path",))]
    return [_clip(path)]


def list_examples(source: Examples) -> dict[str, list[Clip]]:
    """Return the clips of each class, classes sorted by name where they come from files.

    Classes whose names are one in NFC and with single spaces are one class. Names that hardly differ are told.

    Raises:
        UserError: no class, a class without a clip or a name, or a CSV or folder that cannot be used.
    """
    if isinstance(source, Mapping):
        examples = _by_class((name, list_clips(clips)) for name, clips in source.items())
    elif _is_folder(path := Path(named(str(source)))):
        examples = _of_folders(path)
    elif _is_csv(path):
        rows = _read_csv(path, ("path", "class"))
        examples = dict(sorted(_by_class((row.values["class"], [clip]) for clip, row in rows).items()))
    else:
        raise UserError(
            f"There are no examples at {readable(path)}; give a folder with a sub-folder per class, or a CSV"
        )
    if not examples:
        raise UserError(f"{readable(str(source))} names no class; give a folder with a sub-folder per class, or a CSV")
    if "" in examples:
        raise UserError("A class of the examples has no name")
    if empty := [name for name, clips in examples.items() if not clips]:
        raise UserError(f"The class {empty[0]!r} has no example clip")
    for doubt in hardly_different(examples):
        _tell_once(f"examples: {doubt}")
    return examples


def _of_folders(folder: Path) -> dict[str, list[Clip]]:
    """Return the clips of the sub-folders of a folder, as far as they can be entered.

    Raises:
        UserError: there is none in one of them.
    """
    found, walk = videos_below(folder)
    entered = {Path(own).relative_to(folder).parts[:1] for own in walk.entered}
    clips: dict[str, list[Clip]] = {name: [] for names in sorted(entered) for name in names}
    for video in found:
        name, *below = video.relative_to(folder).parts
        if below:
            clips[name].append(_clip(video))
        else:
            walk.left_out.count("beside the folders of the classes", str(video))
    if empty := [name for name, own in clips.items() if not own]:
        raise UserError(f"There is no video below {readable(folder / empty[0])}{_but(walk.left_out)}")
    _tell(folder, walk.left_out)
    return dict(sorted(_by_class((readable(name), own) for name, own in clips.items()).items()))


def _by_class(examples: Iterable[tuple[str, list[Clip]]]) -> dict[str, list[Clip]]:
    together: dict[str, list[Clip]] = {}
    for name, clips in examples:
        together.setdefault(one_spelling(name), []).extend(clips)
    return together


def _clip(path: Path) -> Clip:
    return Clip(path, readable(path.name))


def _in_memory(frames: Pictures) -> Clip:
    """Return the clip of frames in memory, named by a checksum; raises UserError."""
    pixels = frames.numpy(force=True) if _is_tensor(frames) else frames
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or not pixels.size or pixels.dtype != np.uint8:
        raise UserError(
            f"The frames of a clip are (T, H, W, 3) RGB bytes (uint8), and not {pixels.shape} of {pixels.dtype}"
        )
    name = f"frames-{zlib.crc32(pixels.tobytes()):08x}"
    return Clip(Path(name), name, pixels)


def _is_tensor(source: object) -> "TypeGuard[Tensor]":
    """Tell whether something is a tensor of PyTorch, which is imported by then."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 (says no where Path raises: names that are too long, no permission)


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _but(left_out: LeftOut) -> str:
    """Say what there is instead of videos."""
    return f"; it holds {left_out or 'nothing'}"


def _tell(folder: Path, left_out: LeftOut) -> None:
    if left_out:
        _tell_once(f"{readable(folder)}: left out are {left_out}")


@cache
def _tell_once(message: str) -> None:
    """Tell something once, however often the same examples and clips are listed."""
    log.warning("%s", message.replace("\n", " "))


def _read_csv(path: Path, columns: Sequence[str]) -> list[tuple[Clip, Row]]:
    """Read a CSV of clips, with their classes if it names them; further columns are ignored.

    Raises:
        UserError: it cannot be used, lists no clip or has an empty value.
    """
    rows = read_rows(path, columns, ("id",), what="list of clips")
    if not rows:
        raise UserError(f"{readable(path)} lists no clip")
    for row in rows:
        for name in columns:
            if not row.values[name].strip():
                raise UserError(f"{readable(path)}, line {row.line}: {name} is empty")
    return [
        (Clip(Path(named(str(path.parent / row.values["path"]))), row.values["id"] or row.values["path"]), row)
        for row in rows
    ]
