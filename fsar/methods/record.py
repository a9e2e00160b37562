"""What a method's `record.py` says, as data: its models and its rows of the comparison.

Nothing here and in the records imports torch, so that a config is checked and a run is planned without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from typing import Any, Literal, TypedDict

from fsar.errors import UserError
from fsar.methods.settings import AdapterSettings, HeadSettings, Kind

# How public codes chose the checkpoint whose accuracy they report.
ON_TEST, FIXED = "best on the test classes", "a fixed iteration, tested there"

LEARNS_UNKNOWN = "fsar.methods.blocks.learns_unknown"


@dataclass(frozen=True)
class Components:
    """What a model is made of: everything that training depends on, but for numbers in the config.

    Attributes:
        head: what turns features into logits: the folder of a method; `otam`, frames as they are, if it is not said.
        trains: the head on a backbone as it is; adapters in a frozen backbone, or its visual encoder, with the head; or
            nothing is trained at all.
        adapters: what is put into the backbone: the folder of a method. With a visual encoder that is trained, too,
            they are trained with it.
        trains_text: the text encoder is trained, too.
        fixed: settings of the head that this model has, whatever the config says of that head: (key, value) pairs.
        weights_of: nothing is trained, and the features are those of this other model, in each of its trainings.
        unknown: what it learns from unknown queries in training episodes, beside its head's own losses: nothing; flat
            answers (eos); a garbage class (gc); or to tell them from known ones (discriminator, FR-Disc). See
            `fsar/methods/blocks/learns_unknown.py`.
    """

    head: str = "otam"
    trains: Literal["nothing", "head", "adapters", "encoder"] = "encoder"
    adapters: str = ""
    trains_text: bool = False
    fixed: tuple[tuple[str, Any], ...] = ()
    weights_of: str = ""
    unknown: Literal["", "eos", "gc", "discriminator"] = ""

    def __post_init__(self) -> None:
        # From a rule's parameters and from JSON, pairs come as lists.
        object.__setattr__(self, "fixed", tuple((name, value) for name, value in self.fixed))
        beside = self.trains == "encoder" and bool(self.adapters)
        if (self.trains == "adapters") != bool(self.adapters) and not beside:
            raise ValueError("adapters are what is trained where there are any, and need a name")
        if self.weights_of and self.trains != "nothing":
            raise ValueError("a model on the features of another one trains nothing")
        if self.unknown and (self.trains == "nothing" or (self.adapters and self._adapters.across_videos)):
            raise ValueError("what learns from unknown queries is trained, and its videos do not look at one another")

    @cached_property
    def settings(self) -> HeadSettings:
        """The settings of its head as they are without a config."""
        return head_section(self.head)(**dict(self.fixed))

    @property
    def trained(self) -> bool:
        """Whether anything is trained."""
        return self.trains != "nothing"

    @property
    def needs_training(self) -> bool:
        """Whether there is nothing to decide with before a training, its own or another model's."""
        return self.trained or bool(self.weights_of)

    @property
    def needs(self) -> Kind:
        """What the head asks of the backbone."""
        return head_section(self.head).needs

    @property
    def stores_its_own(self) -> bool:
        """Whether what is stored of test videos is made by the head, and not the frame features of the backbone."""
        return self.needs in ("maps", "tokens")

    @property
    def encoding(self) -> "Components":
        """What of it videos and class names are encoded by, for the tests: no head that keeps both as they are."""
        if self.stores_its_own:
            return self
        head = self.head if self.needs != "frames" or self.each_text else Components.head
        return Components(head=head, trains=self.trains, adapters=self.adapters, trains_text=self.trains_text)

    @property
    def encoded_once(self) -> bool:
        """Whether its training videos can be encoded once: nothing is trained but a head, which looks at no pixels."""
        return self.trains == "head" and not self.needs_pixels

    @property
    def encoding_of_training(self) -> "Components":
        """What of it training videos are encoded by, where that is done once: the backbone, for what the head asks."""
        return Components(head=self.head if self.needs != "frames" else Components.head, trains="nothing")

    @property
    def needs_transformer(self) -> bool:
        """Whether the head or the adapters look into the layers of a visual transformer."""
        return self.needs == "tokens" or self._adapters.for_transformers

    @property
    def for_video(self) -> bool:
        """Whether the adapters are for encoders of video, and for no others."""
        return self._adapters.for_video

    @property
    def across_videos(self) -> bool:
        """Whether a video's features depend on the other videos of its episode, which the adapters look at."""
        return self._adapters.across_videos

    @property
    def text_trained(self) -> bool:
        """Whether text features depend on the training."""
        return self.trains_text or self._adapters.in_text_encoder

    @property
    def each_text(self) -> bool | Literal["tokens"]:
        """Whether the head looks at each text of a class, and not at their mean; or at the tokens of the first."""
        return texts if (texts := head_section(self.head).texts) == "tokens" else texts == "each"

    @property
    def needs_pixels(self) -> bool:
        """Whether training looks at the pixels of videos beside what the backbone gives of them."""
        return head_section(self.head).needs_pixels

    @property
    def prototypes(self) -> bool:
        """Whether the scores of its head say how near the prototypes of classes are, or a query's nearest examples."""
        return self.settings.prototypes

    @property
    def reads_text(self) -> bool:
        """Whether the model looks at the text of classes; such a backbone must have a text encoder."""
        return self.settings.reads_text

    @property
    def compares_with_text(self) -> bool:
        """Whether the head looks at the text of an episode's classes, in tests too."""
        return self.settings.compares_with_text

    @property
    def imported_by_name(self) -> tuple[str, ...]:
        """The modules that make it and are imported by their names: a change of one trains again what names it."""
        adapters = (f"fsar.methods.{self.adapters}.adapter",) if self.adapters else ()
        unknown = (LEARNS_UNKNOWN,) if self.unknown else ()
        return (*adapters, f"fsar.methods.{self.head}.head", *unknown, *self.settings.imported_by_name)

    @property
    def _adapters(self) -> type[AdapterSettings]:
        return adapter_section(self.adapters) if self.adapters else AdapterSettings

    def reads(self, section: str, key_name: str) -> bool:
        """Tell whether a model of these components depends on a key of its own `head`, of `text` or of `training`."""
        if section == "text":
            return self.reads_text
        if (section, key_name) == ("training", "views"):
            return self.encoded_once
        if section == "training" and key_name in ("unknown", "unknown_weight"):
            return bool(self.unknown)
        return section != "head" or self.settings.reads(key_name)

    def facts(self) -> dict[str, Any]:
        """Return what jobs look up about it, as parameters of a rule, so that a changed fact counts.

        The code of records does not: a new record would make everything again. What is false, or nothing, leaves no
        trace, and neither does a new fact that is.
        """
        properties = {name for name, own in vars(Components).items() if isinstance(own, property) and name[0] != "_"}
        names = sorted(properties - {"settings", "encoding", "encoding_of_training", "imported_by_name"})
        return {name: value for name in names if (value := getattr(self, name))}


class PublicCode(TypedDict):
    """The public code of a method, where this project's differs by default, and how that code chose its checkpoint."""

    code: str
    deviations: str
    code_selection: str


@dataclass(frozen=True)
class Method:
    """One row of the comparison: a model and a way to decide with it.

    Attributes:
        title: the name in tables and figures.
        citation: where the method is from.
        published_as: the method's name in the published results; empty if there are none.
        model: one of `MODELS`; that of the method's own name if it is not said. Methods of a model share its training.
        decides_by: the support videos (few-shot), the class names (text: zero-shot, no support), or both.
        inductive: the label of a query does not depend on the other queries of its episode; a head that lets queries
            see one another is then asked one query at a time.
        code: the public code it was made equal to, with its commit; empty if there is none.
        deviations: where this project's default differs from that code; empty if it does not.
        code_selection: how that code chose the checkpoint it reports; here validation decides.
    """

    title: str
    citation: str
    published_as: str = ""
    model: str = ""
    decides_by: Literal["few-shot", "text", "both"] = "few-shot"
    inductive: bool = True
    code: str = ""
    deviations: str = ""
    code_selection: str = ""

    @property
    def components(self) -> Components:
        """What its model is made of."""
        from fsar.methods import MODELS

        return MODELS[self.model]

    @property
    def reads_text(self) -> bool:
        """Whether the class names are looked at, by the model or in deciding."""
        return self.components.reads_text or self.decides_by != "few-shot"

    def shots(self, shots: Sequence[int]) -> list[int]:
        """Return the shots to test with: those asked for, or none where no support is looked at."""
        return [0] if self.decides_by == "text" else list(shots)


@dataclass(frozen=True)
class Record:
    """What a method's folder has: `RECORD` in its `record.py`.

    Attributes:
        title: what its sections of the config are called.
        head: the settings of the head in `head.py`, if there is one.
        adapters: the settings of the adapters in `adapter.py`, if there are any.
        models: by name. Named for good: a model's name is the name of its folder of results.
        methods: the rows of the comparison, by name.
    """

    title: str
    head: type[HeadSettings] | None = None
    adapters: type[AdapterSettings] | None = None
    models: Mapping[str, Components] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)


@cache
def record_of(folder: str) -> Record:
    """Return the record of a method's folder.

    Raises:
        UserError: there is no such folder, or its `record.py` has no `RECORD`.
    """
    name = f"fsar.methods.{folder}.record"
    try:
        record = getattr(import_module(name), "RECORD", None)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise UserError(f"There is no method {folder!r} here: no file {folder}/record.py") from None
        raise
    if not isinstance(record, Record):
        raise UserError(f"The record.py of the method {folder!r} has no RECORD, a Record of fsar.methods.record")
    return record


def head_section(folder: str) -> type[HeadSettings]:
    """Return the section of a head's settings; raises UserError if that folder has no head."""
    head = record_of(folder).head
    if head is None:
        raise UserError(f"The method {folder!r} has no head")
    return head


def adapter_section(folder: str) -> type[AdapterSettings]:
    """Return the section of the settings of adapters; raises UserError if that folder has none."""
    adapters = record_of(folder).adapters
    if adapters is None:
        raise UserError(f"The method {folder!r} has no adapters")
    return adapters
