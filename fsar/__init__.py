"""CLIP-FSAR, from raw videos to comparison tables: every piece of logic of the workflow, usable without Snakemake."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsar.predict.classifier import FewShotClassifier

__all__ = ["FewShotClassifier", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what takes seconds to import only when it is asked for."""
    if name == "FewShotClassifier":
        from fsar.predict.classifier import FewShotClassifier

        return FewShotClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
