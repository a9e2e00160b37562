"""What holds for one model on one benchmark with one backbone: merged once, checked, frozen.

A job is given the settings of its stage (`MergedConfig.for_stage`), which hold nothing but what decides its result, by
the declarations of the keys, and how it is run. So a key that is not declared for a stage cannot reach it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from fsar.config.backbone import BackboneConfig
from fsar.config.text import TextConfig
from fsar.config.training import TrainingConfig
from fsar.config.videos import EpisodesConfig, FramesConfig, SamplingConfig
from fsar.keys.declare import Section
from fsar.methods import METHODS, Components
from fsar.methods.settings import AdapterSettings, HeadSettings

# The stages whose keys decide another one, which does the work of both.
STAGES = {"evaluate_part": ("encode_features", "evaluate_model")}
# What classes that are left out decide.
WITHOUT_CLASSES = ("train_model", "draw_episodes")
# What encodes videos, with text where the backbone has it: features are for every method that decides with a model.
ENCODING = ("encode_features", "evaluate_part", "predict_clips")


@dataclass(frozen=True, kw_only=True)
class MergedVideos:
    """How the videos of a benchmark are stored, looked at and drawn.

    Attributes:
        benchmark: its name.
        seed: of the data.
        without: training and validation classes that are left out.
        frames, sampling, episodes: the merged sections.
    """

    benchmark: str
    seed: int
    without: tuple[str, ...] = ()
    frames: FramesConfig = field(default_factory=FramesConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    episodes: EpisodesConfig = field(default_factory=EpisodesConfig)

    def for_stage(self, stage: str) -> Self:
        """Return the settings reduced to what decides a stage, and to how its job is run; the rest are defaults."""
        decided = self.decisive(stage)
        reduced: dict[str, Any] = {
            name: _reduced(section, {*decided.get(name, {}), *section.execution()})
            for name, section in self._sections().items()
        }
        return replace(self, **reduced)

    def decisive(self, stage: str) -> dict[str, dict[str, Any]]:
        """Return what decides the result of a stage, by section and key, without what equals its default."""
        found = {name: _decisive(section, stage) for name, section in self._sections().items()}
        if stage in WITHOUT_CLASSES and self.without:
            found["data"] = {"without": list(self.without)}
        return {name: own for name, own in found.items() if own}

    def _sections(self) -> dict[str, Section]:
        sections = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: section for name, section in sections if isinstance(section, Section)}


@dataclass(frozen=True, kw_only=True)
class MergedConfig(MergedVideos):
    """Everything that holds for a model.

    Attributes:
        backbone_name, model: their names in the config.
        components: what the model is made of.
        backbone, text, training: the merged sections.
        head, adapters: the sections of the components' own head and adapters; None without adapters.
        methods: those of the run that decide with the model.
        device: auto, cpu or cuda.
    """

    backbone_name: str
    model: str
    components: Components
    backbone: BackboneConfig
    head: HeadSettings
    adapters: AdapterSettings | None = None
    text: TextConfig = field(default_factory=TextConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    methods: tuple[str, ...] = ()
    device: str = "auto"

    def decisive(self, stage: str) -> dict[str, dict[str, Any]]:
        """Return what decides the result of a stage, by section and key, without what equals its default."""
        found = {
            name: {key: value for key, value in own.items() if self._reads(stage, name, key)}
            for name, own in super().decisive(stage).items()
        }
        if stage == "encode_features" and self.components.stores_its_own:
            found["head"] = self.head.decisive("train_model")  # the head makes what is stored of a video
        if stage == "encode_training" and self.components.needs == "tokens":
            found["head"] = self.head.decisive("train_model")  # it says of which layers
        found["components"] = components_record(self.components_of(stage))
        return {name: own for name, own in found.items() if own}

    def for_stage(self, stage: str) -> Self:
        """Return the settings reduced to what decides a stage, and to how its job is run; the rest are defaults."""
        components, reduced = self.components_of(stage), super().for_stage(stage)
        if components.head != self.components.head:  # frames as they are have none
            return replace(reduced, components=components, head=components.settings)
        return replace(reduced, components=components)

    @property
    def has_text(self) -> bool:
        """Whether the backbone has a text encoder for what the head looks at."""
        return self.backbone.has_text_for(self.components.each_text)

    @property
    def steps(self) -> int:
        """How many features of a video the head is given: one of each frame, but of an encoder of video.

        Raises:
            UserError: an encoder of video cannot cut its clips out of so many frames.
        """
        frames, video = self.sampling.frames, self.backbone.video
        if video is None:
            return frames
        clips = video.clips(frames)
        return clips if self.backbone.features == "clips" and self.components.needs == "frames" else clips * video.steps

    def components_of(self, stage: str) -> Components:
        """Return what of its components a stage depends on."""
        if stage == "encode_training":
            return self.components.encoding_of_training
        return self.components.encoding if stage == "encode_features" else self.components

    def _reads(self, stage: str, name: str, key: str) -> bool:
        """Tell whether a stage depends on a key, of those declared for it."""
        if stage == "encode_training":
            return name != "text"
        if name == "text" and stage in ENCODING:
            return self.has_text
        if name == "head" and key == "text_weight":
            return any(METHODS[method].decides_by == "both" for method in self.methods)
        return name not in ("head", "text", "training") or self.components.reads(name, key)


def _reduced(section: Section, keys: Iterable[str]) -> Section:
    """Return a section with some of its values, and defaults; a key that has no default is missing then."""
    return type(section).model_construct(**{key: getattr(section, key) for key in keys})


def _decisive(section: Section, stage: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for own in STAGES.get(stage, (stage,)):
        found |= section.decisive(own)
    return found


def components_record(components: Components) -> dict[str, Any]:
    """Return what differs from a plain model: a new field with a default leaves no trace."""
    return {f.name: value for f in fields(components) if (value := getattr(components, f.name)) != f.default}
