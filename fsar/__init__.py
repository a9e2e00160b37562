"""CLIP-FSAR, from raw videos to comparison tables: every piece of logic of the workflow, usable without Snakemake."""

from importlib import import_module
from typing import Any

__version__ = "1.0.0"
# What a user imports from here, by the module it is in: imported when it is asked for, because that takes seconds.
_LAZY = {"FewShotClassifier": "fsar.predict.few_shot_classifier", "train": "fsar.own_training"}
__all__ = ["FewShotClassifier", "__version__", "train"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
