"""Walks a folder: finds the files or videos below it, and counts what was skipped."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fsar.files import readable
from fsar.sources.is_video import is_video, suffix_of

# Files and folders that systems and programs add, besides names that begin with a dot.
OF_SYSTEMS = {
    "__macosx",
    "lost+found",
    "@eadir",
    "@recycle",
    "#recycle",
    "$recycle.bin",
    "system volume information",
    "thumbs.db",
}
SUFFIXES_SHOWN = 5


class LeftOut:
    """The skipped files of a walk, counted by kind, with the name of one of each kind."""

    def __init__(self) -> None:
        self.no_videos: Counter[str] = Counter()  # by suffix
        self._others: dict[str, tuple[int, str]] = {}

    def no_video(self, name: str) -> None:
        """Count a file that is not a video."""
        self.no_videos[suffix_of(name) or "without suffix"] += 1

    def count(self, kind: str, name: str, reason: str = "") -> None:
        """Count a file or folder of a kind; the first by name is shown."""
        shown = readable(f"{name}: {reason}" if reason else name)
        number, first = self._others.get(kind, (0, shown))
        self._others[kind] = (number + 1, min(first, shown))

    def __bool__(self) -> bool:
        return bool(self.no_videos or self._others)

    def __str__(self) -> str:
        """Return all of it in one line."""
        parts = []
        if self.no_videos:
            most = [f"{readable(suffix)} {number}" for suffix, number in self.no_videos.most_common(SUFFIXES_SHOWN)]
            more = ["…"] if len(self.no_videos) > SUFFIXES_SHOWN else []
            parts.append(f"{self.no_videos.total()} that are no videos ({', '.join(most + more)})")
        parts += [f"{number} {kind} ({first})" for kind, (number, first) in sorted(self._others.items())]
        return ", ".join(parts).replace("\n", " ")


class Walk:
    """Yields each file below a folder once, at any depth, unordered: the name of its folder, and its entry.

    Links are followed. Each folder is read once, under its own name if it lies below this one, else under the
    first link to it, so a link to a parent folder does no harm. Hidden and system names are skipped, but not
    the folder itself. A folder without permission stops nothing.

    Attributes:
        left_out: what was skipped; complete after the last file.
        entered: the folders that were read, in this order.
    """

    def __init__(self, folder: str | Path):
        self.folder = str(folder)
        self.left_out = LeftOut()
        self.entered: list[str] = []
        self._identities: set[tuple[int, int] | str] = set()

    def __iter__(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        # Links are followed in rounds, after all folders of the round before were read under their own names.
        following = [self.folder]
        while following:
            links: list[str] = []
            for folder in sorted(following):
                yield from self._tree(folder, links)
            following = links

    def _tree(self, top: str, links: list[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield the files of a folder and of those below it; collects the links to folders."""
        pending = [top]
        while pending:
            folder = pending.pop()
            entries = self._entries(folder)
            name = os.path.basename(os.path.abspath(folder))  # noqa: PTH119 (strings: Paths of 220,000 take seconds)
            below: list[str] = []
            for entry in entries:
                if entry.name[0] == "." or entry.name.lower() in OF_SYSTEMS:
                    self.left_out.count("hidden or of the system", entry.path)
                    continue
                try:
                    if entry.is_dir():
                        (links if entry.is_symlink() else below).append(entry.path)
                    elif entry.is_file():
                        yield name, entry
                    else:
                        entry.stat()  # fails for a broken link
                        self.left_out.count("that are no files", entry.path)
                except OSError as error:
                    self.left_out.count("that cannot be reached", entry.path, error.strerror or "")
            pending += sorted(below, reverse=True)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """Return the entries of a folder; none if it was read before or cannot be entered."""
        try:
            state = os.stat(folder)  # noqa: PTH116
            # Some file systems have no inode numbers.
            identity = (state.st_dev, state.st_ino) if state.st_ino else os.path.realpath(folder)
            if identity in self._identities:
                self.left_out.count("read already under another name", folder)
                return []
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError as error:
            self.left_out.count("that cannot be entered", folder, error.strerror or "")
            return []
        self._identities.add(identity)
        self.entered.append(folder)
        return found


def videos_below(folder: Path) -> tuple[list[Path], Walk]:
    """Return the videos below a folder at any depth, sorted, and the walk, which has what was skipped."""
    walk = Walk(folder)
    return sorted(Path(entry.path) for _, entry in walk if is_kept(entry.path, walk.left_out)), walk


def is_kept(path: str, left_out: LeftOut) -> bool:
    """Tell whether a file of a walk is a video; if not, or if it is unreadable, count it."""
    try:
        found = is_video(path)
    except OSError as error:
        left_out.count("that cannot be read", path, error.strerror or "")
        return False
    if not found:
        left_out.no_video(path)
    return found
