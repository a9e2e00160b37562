"""How methods are trained by their public codes on the published benchmarks, as data: `recipe.toml` of a folder.

They overrule the keys of config.yaml, which there are those of CLIP-FSAR: what a recipe says of the head, the adapters
and the text with every backbone, what it says of training with the backbones that it names. With another backbone, on
the demo and on videos of one's own, every method is trained as the benchmark says, and so is comparable.
"""

import tomllib
from functools import cache
from typing import Any

from fsar.methods import RECORDS, folder_of

# What holds on every published benchmark, before what holds on one.
PUBLISHED = "published"


@cache
def recipes() -> dict[str, list[dict[str, Any]]]:
    """Return the recipes of each model that has any: one, or one for some backbones and one for others."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(path for folder in RECORDS for path in folder_of(folder).glob("recipe*.toml")):
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
        for model in recipe["models"]:
            found.setdefault(model, []).append(recipe)
    return found


def recipe_of(model: str, kind: str, section: str, backbone: str) -> dict[str, Any]:
    """Return the keys that a model's recipe has for a published benchmark: its backbone's, or else the first.

    Args:
        model: its name.
        kind: which published benchmark; none, for other videos, has no recipe.
        section: of its head (`heads`), of its `adapters`, or how class names become `text`.
        backbone: its name in the published results.
    """
    own = recipes().get(model, [])
    fitting = [recipe for recipe in own if backbone in recipe["backbones"]] or own
    return _keys(fitting[0], kind, {"heads": "head"}.get(section, section)) if fitting else {}


def training_recipe(model: str | None, kind: str, backbone: str) -> dict[str, Any]:
    """Return the keys of training that a model's recipe has for a published benchmark and a backbone.

    Args:
        model: its name; None has no recipe.
        kind: which published benchmark; none, for other videos, has no recipe.
        backbone: its name in the published results.
    """
    fitting = [recipe for recipe in recipes().get(model or "", []) if backbone in recipe["backbones"]]
    return _keys(fitting[0], kind, "training") if fitting else {}


def _keys(recipe: dict[str, Any], kind: str, section: str) -> dict[str, Any]:
    if not kind:
        return {}
    keys: dict[str, Any] = {}
    for place in (PUBLISHED, kind):
        keys |= recipe.get(place, {}).get(section, {})
    return keys
