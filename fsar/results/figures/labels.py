"""Names in figures: wrapped or shortened to the place they have, and still told apart.

The full names are in the data beside the figure.
"""

from collections import Counter
from collections.abc import Sequence

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

SPARE = 1.06  # drawn at the resolution of a screen, letters are a little wider than in the font


def width(text: str, size: float) -> float:
    """Return how wide a text is, in inches, at a font size in points."""
    points, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return SPARE * float(points) / 72


def widest(texts: Sequence[str], size: float) -> float:
    """Return the width of the widest text in inches."""
    return max((width(text, size) for text in texts), default=0.0)


def shorten(text: str, inches: float, size: float) -> str:
    """Return a text, or its first and last letters around an ellipsis, so that it is at most `inches` wide."""
    if width(text, size) <= inches:
        return text
    fits, too_many = 0, len(text)  # letters kept
    while too_many - fits > 1:
        kept = (fits + too_many) // 2
        if width(_middle_left_out(text, kept), size) <= inches:
            fits = kept
        else:
            too_many = kept
    return _middle_left_out(text, fits)


def _middle_left_out(text: str, kept: int) -> str:
    last = kept // 2
    return text[: kept - last].rstrip() + "…" + text[len(text) - last :].lstrip()


def shorten_all(names: Sequence[str], inches: float, size: float) -> list[str]:
    """Return different names as labels at most about `inches` wide, numbered where they would come to the same."""
    labels = [shorten(name, inches, size) for name in names]
    often, seen = Counter(labels), Counter[str]()
    for place, label in enumerate(labels):
        if often[label] > 1:
            seen[label] += 1
            labels[place] = f"{label} ({seen[label]})"
    return labels


def wrap(text: str, inches: float, size: float, lines: int = 2) -> str:
    """Return a text in at most so many lines, each at most `inches` wide; the last is shortened if it must be."""
    words, wrapped = text.split(), list[str]()
    while words and len(wrapped) < lines - 1:
        count = 1
        while count < len(words) and width(" ".join(words[: count + 1]), size) <= inches:
            count += 1
        wrapped.append(shorten(" ".join(words[:count]), inches, size))
        words = words[count:]
    return "\n".join([*wrapped, shorten(" ".join(words), inches, size)] if words else wrapped)
