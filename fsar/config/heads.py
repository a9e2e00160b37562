"""The settings of the heads other than CLIP-FSAR's: a section for each, `heads.<name>` in the config."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fsar.config.declare import HEAD, Section, key

# Frames in a tuple. The number of tuples grows fast: 8 frames have 28 pairs, 56 triples, 70 of four.
Cardinality = Annotated[int, Field(ge=1, le=4)]


class TuplesConfig(Section):
    """Tuples of frames, of the heads that compare these."""

    tuple_width: int = key("Width of the keys and values of tuples of frames.", HEAD, default=1152, ge=1)

    @field_validator("cardinalities", check_fields=False)
    @classmethod
    def _no_repetition(cls, cardinalities: list[int]) -> list[int]:
        if len(set(cardinalities)) < len(cardinalities):
            raise ValueError("lists a number twice")
        return cardinalities


class TrxConfig(TuplesConfig):
    """TRX; defaults as published."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; the distance is the mean over these.", HEAD, default=[2, 3], min_length=1
    )
    dropout: float = key(
        "Dropout of frames after their positions are added.", HEAD, unit="probability", default=0.1, ge=0, lt=1
    )


class StrmConfig(TuplesConfig):
    """STRM; defaults as in its published scripts."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; of each metric the distance is the mean over these.", HEAD, default=[2], min_length=1
    )
    dropout: float = key(
        "Dropout of patches and of frames after their positions are added, and of frames before the second metric.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    grid: int = key("A frame's map is pooled to so many patches a side.", HEAD, unit="patches", default=4, ge=1)
    second_metric: Literal["registered", "published"] = key(
        "The second metric is trained, as the paper describes it; or, as in the public code, stays as it was drawn at "
        "the start, with its dropout on in evaluation as well.",
        HEAD,
        default="registered",
    )
    second_metric_weight: float = key(
        "Weight of the second metric, in the loss and in the decision.", HEAD, default=0.1, ge=0
    )
    second_metric_seed: int = key(
        "Seed of the published second metric: of its layer, and of what its dropout drops in evaluation.",
        HEAD,
        default=0,
        ge=0,
    )


class TeamConfig(Section):
    """TEAM; defaults as published for ResNet-50 and 1 shot."""

    tokens: int = key("Pattern tokens.", HEAD, unit="tokens", default=60, ge=1)
    dropout: float = key(
        "Dropout of frames after their positions are added, of attention and of what it finds.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    negative_weight: float = key(
        "Weight of the distance of negative patterns, in the loss and in the decision.", HEAD, default=1.0, ge=0
    )
