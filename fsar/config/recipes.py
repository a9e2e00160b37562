"""How each method is trained by its public code: keys of `training` and of its head, as data (fsar/recipes/*.toml).

A recipe has keys that hold everywhere, which a benchmark's own keys overrule, and keys for each published benchmark,
which overrule those that config.yaml has for CLIP-FSAR there.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "recipes"
EVERYWHERE = "everywhere"
# What else a recipe says: the models it is for, and where it is from.
ABOUT = ("models", "source")


@cache
def recipes() -> dict[str, dict[str, Any]]:
    """Return the recipe of each model that has one."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob("*.toml")):
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
        found |= dict.fromkeys(recipe["models"], recipe)
    return found


def recipe_keys(model: str | None, place: str, section: str) -> dict[str, Any]:
    """Return the keys of a section (`training` or `head`) that a model's recipe has for a place.

    Args:
        model: its name; None has no recipe.
        place: `EVERYWHERE`, or a published benchmark's kind.
        section: which keys.
    """
    keys: dict[str, Any] = recipes().get(model or "", {}).get(place, {}).get(section, {})
    return keys
