"""What timm knows of its weights, from a table: to import timm takes seconds and most of a gigabyte, with PyTorch.

`make docs` writes the table, of the installed timm. Of another version it says nothing, and who asks imports timm.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

# The module of plain visual transformers, as `fsar.methods.blocks.vision_transformer` takes them.
PLAIN = "vision_transformer"
FILE = Path(__file__).with_name("timm_facts.csv")


class TimmFacts(NamedTuple):
    """What is known of an architecture of timm with a tag of weights.

    Attributes:
        size: height and width of the pictures that these weights were trained on, in pixels.
        transformer: the architecture is a visual transformer with plain blocks.
    """

    size: tuple[int, int]
    transformer: bool


def timm_facts(model: str, weights: str) -> TimmFacts | None:
    """Look up an architecture, such as `resnet50`, with a tag, such as `tv_in1k`; None if the table lacks it."""
    architecture, _, tag = model.partition(".")
    return _table().get((architecture, weights)) if tag in ("", weights) else None


def is_plain_transformer(model: str) -> bool | None:
    """Tell whether an architecture is a visual transformer with plain blocks; None if the table does not have it."""
    return _architectures().get(model.partition(".")[0])


@cache
def _table() -> dict[tuple[str, str], TimmFacts]:
    first, _, *rows = FILE.read_text(encoding="utf-8").splitlines()
    if not _is_of_installed(first):
        return {}
    cells = (row.split(",") for row in rows)
    return {
        (architecture, tag): TimmFacts((int(height), int(width)), plain == "1")
        for architecture, tag, height, width, plain in cells
    }


@cache
def _architectures() -> dict[str, bool]:
    return {architecture: facts.transformer for (architecture, _), facts in _table().items()}


def _is_of_installed(first: str) -> bool:
    try:
        return first == f"timm {version('timm')}"
    except PackageNotFoundError:
        return False
