"""A section of `predict`."""

from typing import Annotated, Literal

from pydantic import Field

from fsar.config.names import PREDICT, MethodName, Name
from fsar.keys.declare import LARGEST_SEED, Section, key


class PredictConfig(Section):
    """Clips of your own to label, by examples of their classes."""

    support: str = key(
        "The examples: a CSV with the columns path and class, or a folder with a sub-folder per class.",
        PREDICT,
        min_length=1,
    )
    clips: str = key("The clips: a CSV with the column path, or a folder.", PREDICT, min_length=1)
    benchmark: Name | None = key(
        "The benchmark whose model and settings label the clips, by its name.", PREDICT, default=None
    )
    backbone: Name | None = key(
        "The backbone of the model, by its name. By default the first of run.backbones.", PREDICT, default=None
    )
    method: MethodName | None = key("How to decide: one of the benchmark's methods.", PREDICT, default=None)
    seed: int | None = key(
        "The training seed of the model, which is trained if it does not exist. By default the first of run.seeds.",
        PREDICT,
        default=None,
        ge=0,
        le=LARGEST_SEED,
    )
    model: str = key(
        "Instead of a benchmark: the folder of a model, trained elsewhere or exported.", PREDICT, default=""
    )
    unknown: float | None = key(
        "Label a clip unknown if it is not near enough to any class. The threshold refuses at most this share "
        "of the clips of the classes, as estimated by leaving examples out. By default every clip gets a "
        "class.",
        PREDICT,
        unit="fraction",
        default=None,
        gt=0,
        lt=1,
    )
    frames: Literal["centres", "drawn"] = key(
        "Which frames of a clip are used. centres: the middle one of each segment, whatever the clip's name. "
        "drawn: as in the benchmark's own tests, by the seed and the clip's id.",
        PREDICT,
        default="centres",
    )
    motion: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] | None = key(
        "Share of what moves in the cosine of two frames, for a method that matches frames (docs/motion.md). "
        "auto: the share with which the examples label one another best. By default the model's own share.",
        PREDICT,
        default=None,
    )
