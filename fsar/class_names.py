"""Names of classes: one spelling of each, and those that are hardly told apart."""

import unicodedata
from collections.abc import Iterable

INVISIBLE = "Cf"  # the category of characters without width, such as soft hyphens
JOINING = "_-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"


def one_spelling(name: str) -> str:
    """Return the name of a class as it is compared, written and prompted: in NFC, with single spaces between words."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def hardly_different(names: Iterable[str]) -> list[str]:
    """Return a sentence for each two classes whose names differ by case, spaces, joining signs or width alone."""
    first: dict[str, str] = {}
    found = []
    for name in sorted(set(names)):
        other = first.setdefault(letters(name), name)
        if other != name:
            found.append(
                f"the classes {other!r} and {name!r} differ by case, spaces, underscores or hyphens alone; if they are "
                "one, give them one name"
            )
    return found


def letters(name: str) -> str:
    """Return the letters of a name by which classes are told apart: without case, spaces, joining signs and width."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(c for c in folded if c not in JOINING and not c.isspace() and unicodedata.category(c) != INVISIBLE)
