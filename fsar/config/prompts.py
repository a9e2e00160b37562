"""Sets of prompts that have a name: what `text.templates` may be instead of a list (fsar/model/prompts/*.txt)."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "model" / "prompts"


@cache
def prompt_sets() -> dict[str, list[str]]:
    """Return the templates of each set: the lines of its file, but for empty ones and comments."""
    files = sorted(FOLDER.glob("*.txt"))
    return {
        file.stem: [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        for file in files
    }


def templates_of(value: object) -> object:
    """Return the templates of a set for its name, and anything else as it is.

    The list takes the place of the name before anything is planned, so that a change of the file makes again what its
    templates decide.

    Raises:
        ValueError: no set has this name.
    """
    if not isinstance(value, str):
        return value
    if value not in prompt_sets():
        known = ", ".join(prompt_sets())
        raise ValueError(f"no set of prompts is called {value!r}; valid are {known}, or a list of templates")
    return prompt_sets()[value]
