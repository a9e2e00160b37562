"""Fonts for names in any script: those of this machine that have the characters which the usual font lacks."""

import logging
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font

from fsar.lists import some_of

log = logging.getLogger(__name__)

# Debian's packages, by the beginnings of Unicode's names of characters; the first that fits.
PACKAGES = {
    ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH"): "fonts-noto-cjk",
    ("",): "fonts-noto-core",
}
SYMBOLS = "fonts-symbola"  # Noto's emoji are pictures, which figures cannot be drawn with
# Characters in one message.
SHOWN = 8
# The packages that this process has already asked for.
_told: set[str] = set()


class Face(NamedTuple):
    """A face of an installed font.

    Attributes:
        family: its name.
        path, number: its file, and which face of it.
    """

    family: str
    path: str
    number: int


def families_for(texts: Iterable[str]) -> list[str]:
    """Return which families of fonts are to be asked, after the usual one, for what it lacks of some texts.

    Nothing where it lacks nothing. What no font here has is told once, with what to install, and drawn as a box.
    """
    usual = FT2Font(font_manager.findfont(FontProperties()))
    missing = {c for text in texts for c in text if _is_seen(c)} - set(map(chr, usual.get_charmap()))
    found: list[str] = []
    faces = sorted(_faces(), key=_order) if missing else []
    while missing:
        # The most characters by one font, and always the same one of several.
        best = max(faces, key=lambda face: len(missing & _characters(face)), default=None)
        if best is None or not missing & _characters(best):
            break
        found.append(best.family)
        missing -= _characters(best)
    if missing:
        _tell("".join(sorted(missing)))
    return found


def _is_seen(character: str) -> bool:
    """Tell characters with a picture from spaces, controls and what only says how others are drawn."""
    kind, number = unicodedata.category(character), ord(character)
    selects = 0xFE00 <= number <= 0xFE0F or 0xE0100 <= number <= 0xE01EF
    return not character.isspace() and kind not in ("Cc", "Cf", "Cn", "Co", "Cs") and not selects


def _faces() -> Iterator[Face]:
    """Yield the upright faces of usual weight of all fonts installed here, those included that Matplotlib does not know
    yet, since it lists fonts once and keeps the list."""
    known = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError, ValueError):  # FreeType's, of fonts of pictures or damaged ones
            continue
    for entry in fontManager.ttflist:
        upright = entry.style == "normal" and entry.variant == "normal" and entry.stretch == "normal"
        # Matplotlib finds fonts by their family, so a family must come to this very face.
        if upright and entry.weight in (400, "normal", "regular") and not entry.name.startswith("Last Resort"):
            yield Face(entry.name, entry.fname, entry.index)


@cache
def _characters(face: Face) -> frozenset[str]:
    """Return what a face has; nothing where it is one of pictures, or cannot be read."""
    try:
        font = FT2Font(face.path, face_index=face.number)
    except (OSError, RuntimeError, ValueError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


def _order(face: Face) -> tuple[bool, bool, Face]:
    """Return what is smaller of a face to be preferred: of Noto, without serifs, then early in the alphabet."""
    return not face.family.startswith("Noto"), "Serif" in face.family, face


def _tell(characters: str) -> None:
    """Say that characters are boxes and what to install; what was said once is not said again."""
    packages = {_package(character) for character in characters} - _told
    if not packages:
        return
    _told.update(packages)
    log.warning(
        "no font of this machine has %s: figures show boxes instead. Install fonts that have them (Debian and Ubuntu: "
        "%s), and draw the figures again (fsar draw)",
        some_of(characters, SHOWN), " ".join(sorted(packages)),
    )  # fmt: skip


def _package(character: str) -> str:
    name = unicodedata.name(character, "")
    if unicodedata.category(character) in ("So", "Sk"):
        return SYMBOLS
    return next(package for beginnings, package in PACKAGES.items() if name.startswith(beginnings))
