"""How a config key is declared: what it means, and which stages make their results again when it changes."""

from collections.abc import Iterator, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

# Keys that say only how a job is run: a change of them makes nothing again.
NOTHING: tuple[str, ...] = ()
# What PyTorch and NumPy take for a seed, with room for what is added to one.
LARGEST_SEED = 2**63 - 1
# The largest number of anything, where a key has no bound of its own.
MOST = 10**9
# What lists the rows of the comparison. Stages are named as the rules are.
ROWS = ("write_tables", "write_layouts", "write_statistics", "draw_figure", "write_index")
# What a model computes: its training, the features of the videos it is trained and tested on, and what it says of a
# user's clips.
MODEL = ("encode_training", "train_model", "encode_features", "predict_clips")
# What is put into the backbone; where features depend on the episode, the tests compute them.
ADAPTERS = (*MODEL, "evaluate_model")
# The model after the backbone, which is applied to features.
HEAD = ("train_model", "evaluate_model", "predict_clips")


def key(
    description: str, decides: Sequence[str], *, unit: str | None = None, once: bool = False, **constraints: Any
) -> Any:
    """Declare a config key.

    Args:
        description: what it means, for docs/config.md.
        decides: the stages whose own results it decides; what is made from those follows from the job graph.
        unit: of the value.
        once: of a list, no value may stand in it twice.
        constraints: default and range, as Pydantic's `Field` takes them.
    """
    extra: dict[str, Any] = {"makes_again": list(decides)} | ({"unit": unit} if unit else {})
    extra |= {"uniqueItems": True} if once else {}
    return Field(description=description, json_schema_extra=extra, **constraints)


def section(description: str, **constraints: Any) -> Any:
    """Declare a key that holds a section, or sections by name: each key in it says for itself what it decides."""
    return Field(description=description, **constraints)


def _integers(value: Any) -> Iterator[int]:
    """Yield the whole numbers in a value and in lists in it."""
    if isinstance(value, list):
        for part in value:
            yield from _integers(part)
    elif isinstance(value, int):
        yield value


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values never change after validation, and no number is NaN or
    infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _no_repetition(self) -> Self:
        for name, declared in type(self).model_fields.items():
            extra = declared.json_schema_extra
            if isinstance(extra, dict) and extra.get("uniqueItems"):
                values = getattr(self, name) or []
                for value in values:
                    if values.count(value) > 1:
                        raise ValueError(f"{name} lists {value!r} twice")
        return self

    @field_validator("*")
    @classmethod
    def _no_absurd_number(cls, value: Any, info: ValidationInfo) -> Any:
        if (largest := max(_integers(value), default=0)) > MOST:
            declared = cls.model_fields[info.field_name or ""]
            if "Le(" not in f"{declared.metadata} {declared.annotation}":  # it has no bound of its own
                raise ValueError(f"{largest} is more than can be meant; the nearest valid value is {MOST}")
        return value

    def decisive(self, stage: str) -> dict[str, Any]:
        """Return the values that decide a stage, but for those that equal their default.

        A default leaves no trace, so a key that is new, with a default that means "as before", makes nothing again.
        """
        changed = [
            name
            for name in type(self).model_fields
            if stage in (decided_by(type(self), name) or ()) and getattr(self, name) != self._default(name)
        ]
        return self.model_dump(include=set(changed)) if changed else {}

    def execution(self) -> dict[str, Any]:
        """Return the values that say only how a job is run."""
        return {name: value for name, value in self.model_dump().items() if decided_by(type(self), name) == NOTHING}

    @classmethod
    def _default(cls, name: str) -> Any:
        return cls.model_fields[name].get_default()

    def overlaid(self, *layers: "Section") -> Self:
        """Return this section with the keys that each layer sets, the later ones last; checked again."""
        values = self.model_dump()
        for layer in layers:
            values |= layer.model_dump(exclude_unset=True)
        return type(self)(**values)


def decided_by(kind: type[Section], name: str) -> tuple[str, ...] | None:
    """Return the stages that a key decides; None for one that holds a section."""
    extra = kind.model_fields[name].json_schema_extra
    return tuple(extra["makes_again"]) if isinstance(extra, dict) else None  # type: ignore[arg-type]
