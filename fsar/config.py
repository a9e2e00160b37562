"""The one typed model of config.yaml: every key with its default, unit and range.

The JSON schema (configs/schema.json) and the table of keys (docs/config.md) are generated from here:
`python -m fsar.config schema` and `python -m fsar.config docs` print them, and a test fails when they drift.
"""

import csv
import difflib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fsar.errors import UserError
from fsar.model.methods import METHODS, model_of

SPLITS = ("train", "val", "test")
# Combinations of shape and action that the demo can render (fsar/sources/demo/actions.py).
DEMO_CLASSES = 100

# Names become parts of file paths and of Snakemake wildcards.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9.-]+)*$")]

if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[tuple(METHODS)]


def key(description: str, *, unit: str | None = None, **constraints: Any) -> Any:
    """Declare one config key; `unit` is shown in the documentation."""
    return Field(description=description, json_schema_extra={"unit": unit} if unit else None, **constraints)


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class RunConfig(Section):
    """What to run: the table has a row for every combination."""

    benchmarks: list[Name] = key("Benchmarks, by their names below `benchmarks`.", default=["demo"], min_length=1)
    backbones: list[Name] = key("Backbones, by their names below `backbones`.", default=["small-clip"], min_length=1)
    methods: list[MethodName] = key(
        "Methods, by their names in fsar/model/methods.py.", default=["clip-freeze", "otam", "clip-fsar"], min_length=1
    )
    ways: list[Annotated[int, Field(ge=2)]] = key(
        "Classes in a test episode.", unit="classes", default=[5], min_length=1
    )
    shots: list[Annotated[int, Field(ge=1)]] = key(
        "Support videos per class in a test episode. All shots share one training.",
        unit="videos",
        default=[1, 5],
        min_length=1,
    )
    seeds: list[Annotated[int, Field(ge=0)]] = key(
        "Training seeds; each is one training per method.", default=[1], min_length=1
    )

    @model_validator(mode="after")
    def _no_repetition(self) -> "RunConfig":
        for name in RunConfig.model_fields:
            values = getattr(self, name)
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{name} lists {value!r} twice")
        return self


class Counts(Section):
    """A number for each split."""

    train: int = key("For the training classes.", ge=1)
    val: int = key("For the validation classes.", ge=1)
    test: int = key("For the test classes.", ge=1)


class DemoSource(Section):
    """The demo benchmark: videos of moving shapes, rendered and encoded by the workflow itself."""

    kind: Literal["demo"]
    classes: Counts = key("Classes in each split.", unit="classes", default=Counts(train=40, val=8, test=16))
    videos_per_class: Counts = key("Videos of each class.", unit="videos", default=Counts(train=18, val=12, test=16))
    parts: int = key("Jobs that share the rendering.", unit="jobs", default=2, ge=1, le=64)


class CsvSource(Section):
    """Videos of your own, listed in a CSV."""

    kind: Literal["csv"]
    file: str = key(
        "CSV with the columns path (relative to the CSV's folder, or absolute), class and split (train, val or test).",
        min_length=1,
    )


class PublishedSource(Section):
    """One of the five benchmarks of the paper, by its published split lists; where its files are is below `sources`."""

    kind: Literal["hmdb51", "ucf101", "kinetics100", "ssv2_full", "ssv2_small"]
    prompts: Literal["readable", "published"] = key(
        "How class names are written: in words, or exactly as the public implementation prompts them (seven differ, "
        "such as draw_sword and Blow DryHair).",
        default="readable",
    )


PUBLISHED = get_args(PublishedSource.model_fields["kind"].annotation)
_SOURCES: dict[Any, type[Section]] = {"demo": DemoSource, "csv": CsvSource} | dict.fromkeys(PUBLISHED, PublishedSource)
# The data set that the videos of a published benchmark are from.
DATASETS = {
    "hmdb51": "hmdb51",
    "ucf101": "ucf101",
    "kinetics100": "kinetics",
    "ssv2_full": "ssv2",
    "ssv2_small": "ssv2",
}
# Facts of the published split lists: where, how many, which checksum.
SPLIT_LISTS = Path(__file__).parent / "sources" / "split_lists.csv"


class Archive(Section):
    """A data set in one archive."""

    url: str = key("Where its archive is; a mirror is another URL.", default="")
    folder: str = key("A folder where its videos are already, at any depth; nothing is downloaded then.", default="")


class KineticsArchives(Section):
    """Kinetics-400, in many archives."""

    train: str = key("Where the list of the training archives is.", default="")
    val: str = key("Where the list of the validation archives is.", default="")
    folder: str = key("A folder where its videos are already, at any depth; nothing is downloaded then.", default="")
    parts: int = key(
        "Jobs that share the archives; each has one archive on the disk at a time.",
        unit="jobs",
        default=8,
        ge=1,
        le=500,
    )


class RegisteredFiles(Section):
    """A data set behind a registration."""

    folder: str = key("The folder that its files were put into.", default="")


class SourcesConfig(Section):
    """Where the videos of the published benchmarks come from."""

    split_lists: str = key("URL that the paths of the split lists follow; a mirror is another URL.", default="")
    hmdb51: Archive = key("HMDB51.", default=Archive())
    ucf101: Archive = key("UCF101.", default=Archive())
    kinetics: KineticsArchives = key("Kinetics-400, for kinetics100.", default=KineticsArchives())
    ssv2: RegisteredFiles = key("Something-Something V2.", default=RegisteredFiles())
    rate_limit: float = key("Of one download; 0 for none.", unit="megabytes per second", default=0.0, ge=0)
    retries: int = key("Attempts in a row without a byte before a download gives up.", default=6, ge=1)
    pause: float = key("Before the second attempt, doubled for each further one.", unit="seconds", default=1.0, ge=0)
    timeout: float = key("Time without a byte that counts as a broken connection.", unit="seconds", default=30.0, gt=0)


class FramesConfig(Section):
    """How videos are decoded and stored."""

    size: int = key(
        "Height and width of stored frames; the aspect ratio is not kept, as published.",
        unit="pixels",
        default=256,
        ge=16,
        le=1024,
    )
    quality: int = key("JPEG quality of stored frames.", unit="1–100", default=90, ge=1, le=100)
    keep: int = key(
        "Frames stored per video, evenly spread; 0 stores all. Temporal sampling is exact only with all.",
        unit="frames",
        default=0,
        ge=0,
    )
    shards: int = key(
        "Files the frames are packed into, one decoding job each.", unit="files", default=16, ge=1, le=1000
    )
    timeout: float = key("Give up on a video after this long.", unit="seconds", default=600.0, gt=0)
    max_failed: float = key(
        "Share of videos that may be unreadable before the run stops with their list.",
        unit="fraction",
        default=0.02,
        ge=0,
        le=1,
    )


class SamplingConfig(Section):
    """Which frames of a video the model sees."""

    frames: int = key("T, frames per video.", unit="frames", default=8, ge=1, le=128)
    strategy: Literal["segments", "span"] = key(
        "segments: one random frame from each of T equal segments, at test time too (SSv2, HMDB51, UCF101). "
        "span: evenly spaced over up to 23 seconds, centred at test time (Kinetics).",
        default="segments",
    )


class EpisodesConfig(Section):
    """The stored episodes of validation and test."""

    val: int = key("Validation episodes.", unit="episodes", default=1000, ge=1)
    test: int = key("Test episodes, as published.", unit="episodes", default=10000, ge=2)
    queries: int = key("Query videos per class.", unit="videos", default=1, ge=1)


class HeadConfig(Section):
    """The model after the backbone; defaults as published."""

    depth: int = key("Layers of the temporal transformer.", default=1, ge=1, le=12)
    heads: int = key("Attention heads; must divide the backbone's width.", default=8, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward part.", default=2048, ge=1)
    attention_dropout: float = key("Dropout after attention.", unit="probability", default=0.2, ge=0, lt=1)
    feed_forward_dropout: float = key("Dropout in the feed-forward part.", unit="probability", default=0.05, ge=0, lt=1)
    merge: Literal["before", "after"] = key(
        "Several support videos of a class are averaged before the temporal transformer, as published, or after it.",
        default="before",
    )
    smoothing: float = key("λ of the softmin in the matching; 0.1 in the original OTAM.", default=0.5, gt=0)
    text_weight: float = key(
        "β, weight of the class names where a method decides by text and videos both.", default=0.9, ge=0, le=1
    )


class TrainingConfig(Section):
    """How a method is trained; defaults are the published ones for Kinetics. One iteration is one episode."""

    way: int = key("Classes in a training episode.", unit="classes", default=5, ge=2)
    shot: int = key(
        "Support videos per class in a training episode; 1 for every test shot.", unit="videos", default=1, ge=1
    )
    queries: int = key("Query videos per class in a training episode.", unit="videos", default=5, ge=1)
    iterations: int = key("Training episodes in all.", unit="episodes", default=5000, ge=1)
    tasks_per_step: int = key("Episodes averaged in one optimizer step.", unit="episodes", default=4, ge=1)
    learning_rate: float = key("Adam's learning rate after warm-up.", default=1e-5, gt=0, le=1)
    head_learning_rate_factor: float = key(
        "Multiplies the learning rate of the parameters that start from scratch (temporal transformer, scale).",
        default=1.0,
        gt=0,
    )
    warmup_from: float = key("Learning rate at the first iteration.", default=5e-6, ge=0, le=1)
    warmup_iterations: int = key("Length of the linear warm-up.", unit="episodes", default=250, ge=0)
    milestones: list[Annotated[int, Field(ge=1)]] = key(
        "The learning rate is divided by 10 at each.", unit="episodes", default=[750, 1250]
    )
    weight_decay: float = key("L2 penalty; none on normalisation layers.", default=1e-3, ge=0)
    video_text_weight: float = key("λ_vt, weight of the video-text objective.", default=1.5, ge=0)
    flip: bool = key("Mirror training queries at random (Kinetics only).", default=False)
    colour_jitter: bool = key("Jitter the colours of training queries (Kinetics only).", default=False)
    batch_norm: Literal["batch", "running"] = key(
        "Statistics that normalise a ResNet's activations in training: those of the episode (which the running ones "
        "then follow), or the running ones of the pretrained model, unchanged.",
        default="batch",
    )
    validate_every: int = key("Distance between validations.", unit="episodes", default=100, ge=1)
    checkpoint_every: int = key(
        "Distance between checkpoints to resume from; rounded up to whole optimizer steps.",
        unit="episodes",
        default=100,
        ge=1,
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = key("Arithmetic of the training step.", default="32-true")
    activation_checkpointing: bool = key(
        "Compute the backbone's activations again in the backward pass instead of keeping them: less memory, about a "
        "third more time, the same result.",
        default=False,
    )
    devices: int = key(
        "GPUs of one training (processes, on a CPU); the tasks of a step are divided among them.",
        unit="devices",
        default=1,
        ge=1,
    )
    threads: int = key("Cores of a training or feature job, over all its devices.", unit="cores", default=8, ge=1)
    workers: int = key(
        "Processes among them that load episodes; 0 loads in the training process.", unit="processes", default=6, ge=0
    )

    def problems(self) -> Iterable[str]:
        """Name what does not fit together; asked of the merged settings, never of one benchmark's own keys alone."""
        if self.workers + self.devices > self.threads:
            yield (
                f"workers is {self.workers} of {self.threads} threads, which does not leave one for the model on each "
                f"of {self.devices} devices; the nearest valid value is {max(self.threads - self.devices, 0)}"
            )
        for name, value in (("tasks_per_step", self.tasks_per_step), ("workers", self.workers)):
            if value % self.devices:
                nearest = round(value / self.devices) * self.devices or self.devices
                yield (
                    f"{name} is {value}, which cannot be divided among {self.devices} devices; "
                    f"the nearest valid value is {nearest}"
                )
        if self.milestones != sorted(set(self.milestones)):
            yield f"milestones {self.milestones} must increase"
        if self.warmup_from > self.learning_rate:
            yield f"warmup_from is {self.warmup_from}; the nearest valid value is learning_rate, {self.learning_rate}"


# How a training is run, not what it computes (but for the last digits, with other threads or devices).
EXECUTION_KEYS = ("activation_checkpointing", "checkpoint_every", "devices", "threads", "workers")


class BenchmarkConfig(Section):
    """A benchmark: where its videos come from, and where it differs from the general settings."""

    source: Annotated[DemoSource | CsvSource | PublishedSource, Field(discriminator="kind")] | None = key(
        "Where the videos come from.", default=None
    )
    variant_of: Name | None = key(
        "Instead of a source: another benchmark, whose videos, frames and episodes this one shares; "
        "keys below differ from its own.",
        default=None,
    )
    licence: str = key("Whose the videos are, for the model cards.", default="not stated")
    methods: list[MethodName] | None = key("Instead of run.methods.", default=None, min_length=1)
    shots: list[Annotated[int, Field(ge=1)]] | None = key("Instead of run.shots.", unit="videos", default=None)
    frames: FramesConfig = key("Keys that differ from `frames`.", default=FramesConfig())
    sampling: SamplingConfig = key("Keys that differ from `sampling`.", default=SamplingConfig())
    episodes: EpisodesConfig = key("Keys that differ from `episodes`.", default=EpisodesConfig())
    head: HeadConfig = key("Keys that differ from `head`.", default=HeadConfig())
    training: TrainingConfig = key("Keys that differ from `training`.", default=TrainingConfig())
    training_of_backbone: dict[Name, TrainingConfig] = key(
        "Keys of `training` that differ again for one backbone, by its name.", default={}
    )
    trained: dict[Name, dict[MethodName, str]] = key(
        "Trained weights from elsewhere (.safetensors), by backbone and method: tested as they are, not trained here.",
        default={},
    )


class BackboneConfig(Section):
    """A CLIP model, as open_clip names it."""

    model: str = key(
        "An architecture of open_clip (OpenAI's weights need the quickgelu ones), or a JSON file that describes one.",
        min_length=1,
    )
    weights: str = key(
        "A pretrained tag of open_clip (such as openai), or a local .safetensors or .pt file.", min_length=1
    )
    prompt: str = key("How a class name becomes text.", default="a photo of {class_name}")
    published_as: str = key("The backbone's name in the published results; empty if it has none.", default="")
    licence: str = key("Whose the weights are, for the model cards.", default="not stated")

    @model_validator(mode="after")
    def _prompt_names_the_class(self) -> "BackboneConfig":
        if "{class_name}" not in self.prompt:
            raise ValueError(f"prompt {self.prompt!r} does not contain {{class_name}}")
        return self

    def prompts(self, class_names: Iterable[str]) -> list[str]:
        """Return the text of each class."""
        return [self.prompt.format(class_name=name) for name in class_names]

    @property
    def weights_are_a_file(self) -> bool:
        return is_weights_file(self.weights)


def is_weights_file(weights: str) -> bool:
    """Tell a local weights file from a pretrained tag of open_clip, by its suffix."""
    return weights.endswith((".safetensors", ".pt", ".pth", ".bin"))


class SmallClipConfig(Section):
    """The demo's own small CLIP, trained from rendered stills and captions."""

    model: str = key("Its architecture, as in `backbones`.", default="small-clip")
    stills: int = key("Still pictures to train from.", unit="pictures", default=6000, ge=16)
    epochs: int = key("Passes over the stills.", unit="epochs", default=10, ge=1)
    batch: int = key("Stills in one step.", unit="pictures", default=64, ge=2)
    learning_rate: float = key("Peak learning rate of AdamW.", default=2e-3, gt=0, le=1)
    seed: int = key("Seed of the weights, the stills and their order.", default=0, ge=0)


class Config(Section):
    """Everything that decides the results."""

    seed: int = key("Seed of the data: rendered videos, stored episodes, frames sampled at test time.", default=0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = key("Where models run; auto takes a GPU if there is one.", default="auto")
    run: RunConfig = key("What to run.", default=RunConfig())
    benchmarks: dict[Name, BenchmarkConfig] = key("The benchmarks, by name.")
    backbones: dict[Name, BackboneConfig] = key("The backbones, by name.")
    sources: SourcesConfig = key("Where the published benchmarks come from.", default=SourcesConfig())
    frames: FramesConfig = key("How videos are decoded and kept.", default=FramesConfig())
    sampling: SamplingConfig = key("Which frames the model sees.", default=SamplingConfig())
    episodes: EpisodesConfig = key("The stored episodes.", default=EpisodesConfig())
    head: HeadConfig = key("The model after the backbone.", default=HeadConfig())
    training: TrainingConfig = key("How methods are trained.", default=TrainingConfig())
    small_clip: SmallClipConfig = key("The demo's own CLIP.", default=SmallClipConfig())

    def shots(self, benchmark: str) -> list[int]:
        """Return the test shots of a benchmark."""
        return self.benchmarks[benchmark].shots or self.benchmarks[self.base(benchmark)].shots or self.run.shots

    def base(self, benchmark: str) -> str:
        """Return the benchmark whose data a benchmark uses: its own, or that of the one it is a variant of."""
        return self.benchmarks[benchmark].variant_of or benchmark

    def methods(self, benchmark: str) -> list[str]:
        """Return the methods to compare on a benchmark."""
        return self.benchmarks[benchmark].methods or self.run.methods

    def videos_needed(self, benchmark: str) -> dict[str, int]:
        """Return, by split, how many videos every class must have for the configured episodes."""
        needed = dict.fromkeys(SPLITS, 0)
        for split, _, shot, queries in _episodes_drawn(self, benchmark):
            needed[split] = max(needed[split], shot + queries)
        return needed

    def settings(self, benchmark: str, section: str, backbone: str | None = None) -> dict[str, Any]:
        """Return one section (`frames`, `training`, …) for a benchmark: the general one, overlaid with its own keys.

        For `training`, the keys of a backbone on that benchmark come last.
        """
        general = getattr(self, section)
        layers = []
        for own in (self.benchmarks[name] for name in dict.fromkeys((self.base(benchmark), benchmark))):
            layers.append(getattr(own, section))
            if section == "training" and backbone in own.training_of_backbone:
                layers.append(own.training_of_backbone[backbone])
        values = general.model_dump()
        for layer in layers:
            values |= layer.model_dump(exclude_unset=True)
        return type(general)(**values).model_dump()


def load(values: dict[str, Any]) -> Config:
    """Validate the merged config.

    Raises:
        UserError: one message that names every wrong key and, where there is one, the nearest valid value.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_message(_describe(problem) for problem in error.errors())) from None
    problems = list(_wrong_references(config))
    if not problems:
        problems = [problem for name in config.run.benchmarks for problem in _wrong_settings(config, name)]
    if problems:
        raise UserError(_message(problems))
    return config


def check_source_counts(config: Config, benchmark: str, counts: dict[str, dict[str, int]]) -> None:
    """Check a benchmark's videos against the episodes that will be drawn from them.

    Args:
        config: the whole config.
        benchmark: which benchmark.
        counts: videos by split and class.

    Raises:
        UserError: naming the split, the key to change and the nearest valid value.
    """
    problems = list(_wrong_counts(config, benchmark, counts))
    if problems:
        raise UserError(_message(problems))


def _episodes_drawn(config: Config, benchmark: str) -> list[tuple[str, int, int, int]]:
    """Return split, way, shot and queries of every kind of episode that is drawn from a benchmark."""
    queries = config.settings(benchmark, "episodes")["queries"]
    drawn = [("test", max(config.run.ways), max(config.shots(benchmark)), queries)]
    for backbone in config.run.backbones:
        training = TrainingConfig(**config.settings(benchmark, "training", backbone))
        drawn.append(("train", training.way, training.shot, training.queries))
        # A checkpoint is chosen by episodes like those it trained on.
        drawn.append(("val", training.way, training.shot, queries))
    return drawn


def _wrong_counts(config: Config, benchmark: str, counts: dict[str, dict[str, int]]) -> Iterable[str]:
    for split, way, shot, queries in _episodes_drawn(config, benchmark):
        classes = counts.get(split, {})
        if not classes:
            yield f"benchmark {benchmark!r} has no {split} class"
            continue
        if way > len(classes):
            yield (
                f"way is {way}, but benchmark {benchmark!r} has {len(classes)} {split} classes; "
                f"the nearest valid value is {len(classes)}"
            )
        smallest = min(classes, key=lambda name: (classes[name], name))
        largest_shot = classes[smallest] - queries
        if shot > largest_shot:
            yield (
                f"shot {shot} and {queries} queries per class need {shot + queries} videos of every class, but "
                f"class {smallest!r} ({split}) of benchmark {benchmark!r} has {classes[smallest]}; "
                + (
                    f"the largest valid shot is {largest_shot}"
                    if largest_shot >= 1
                    else "add videos or leave the class out"
                )
            )


def _message(problems: Iterable[str]) -> str:
    lines = list(dict.fromkeys(problems))
    return "The config cannot be run:\n" + "\n".join(f"  - {line}" for line in lines)


def _nearest(value: object, valid: Iterable[object]) -> str:
    """Say what was probably meant."""
    names = sorted(str(name) for name in valid)
    close = difflib.get_close_matches(str(value), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid are {', '.join(names)}"


def _wrong_references(config: Config) -> Iterable[str]:
    for section in ("benchmarks", "backbones"):
        defined = getattr(config, section)
        for name in getattr(config.run, section):
            if name not in defined:
                yield f"run.{section} names {name!r}, which is not defined below {section}; {_nearest(name, defined)}"
    for benchmark, settings in config.benchmarks.items():
        if (settings.source is None) == (settings.variant_of is None):
            yield f"benchmarks.{benchmark} needs a source, or variant_of: one of the two"
        if settings.variant_of is not None:
            base = config.benchmarks.get(settings.variant_of)
            if base is None or base.source is None:
                bases = [name for name, other in config.benchmarks.items() if other.source is not None]
                yield (
                    f"benchmarks.{benchmark}.variant_of names {settings.variant_of!r}, which is no benchmark with a "
                    f"source; {_nearest(settings.variant_of, bases)}"
                )
            for section in ("frames", "episodes"):
                if getattr(settings, section).model_fields_set:
                    yield f"benchmarks.{benchmark}.{section}: a variant shares these with {settings.variant_of!r}"
        for key_name in ("training_of_backbone", "trained"):
            for name in getattr(settings, key_name):
                if name not in config.backbones:
                    yield (
                        f"benchmarks.{benchmark}.{key_name} names {name!r}, "
                        f"which is not defined below backbones; {_nearest(name, config.backbones)}"
                    )
        for backbone, models in settings.trained.items():
            for method in models:
                where = f"benchmarks.{benchmark}.trained.{backbone}.{method}"
                if not METHODS[method].components.fine_tuned:
                    yield f"{where} gives weights for a method that is not trained"
                elif model_of(method) != method:
                    yield f"{where}: give the weights to {model_of(method)!r}, whose model this method uses"


def _wrong_settings(config: Config, benchmark: str) -> Iterable[str]:
    """Check what only the merged settings of a benchmark show."""
    for backbone in config.run.backbones:
        training = TrainingConfig(**config.settings(benchmark, "training", backbone))
        for problem in training.problems():
            yield f"training of {backbone} on benchmark {benchmark!r}: {problem}"
    frames = config.settings(benchmark, "sampling")["frames"]
    for method in config.methods(benchmark):
        if METHODS[method].components.metric == "trx" and frames < 3:
            yield f"method {method!r} compares triples of frames, but sampling.frames is {frames}"
    source = config.benchmarks[config.base(benchmark)].source
    if isinstance(source, DemoSource):
        wanted = sum(getattr(source.classes, split) for split in SPLITS)
        if wanted > DEMO_CLASSES:
            yield f"benchmarks.{benchmark}.source.classes are {wanted} in all, but there are {DEMO_CLASSES}"
        counts = {
            split: dict.fromkeys(
                (f"demo class {i}" for i in range(getattr(source.classes, split))),
                getattr(source.videos_per_class, split),
            )
            for split in SPLITS
        }
        yield from _wrong_counts(config, benchmark, counts)
    if isinstance(source, PublishedSource):
        with SPLIT_LISTS.open(newline="", encoding="utf-8") as file:
            lists = [row for row in csv.DictReader(file) if row["benchmark"] == source.kind]
        counts = {
            row["split"]: {f"class {i}": int(row["smallest_class"]) for i in range(int(row["classes"]))}
            for row in lists
        }
        yield from _wrong_counts(config, benchmark, counts)
        yield from _missing_source(config, benchmark, source.kind)


def _missing_source(config: Config, benchmark: str, kind: str) -> Iterable[str]:
    """Say what is not known of where a published benchmark's files are."""
    dataset = DATASETS[kind]
    place = getattr(config.sources, dataset)
    keys = {"kinetics": ("train", "val"), "ssv2": ()}.get(dataset, ("url",))
    if not config.sources.split_lists:
        yield f"benchmark {benchmark!r} needs sources.split_lists, the URL of the split lists"
    if not place.folder and not (keys and all(getattr(place, name) for name in keys)):
        named = " or ".join(f"sources.{dataset}.{name}" for name in ("folder", *keys))
        yield f"benchmark {benchmark!r} needs {named}: where its videos are (docs/data.md)"


def _describe(problem: Any) -> str:
    """Turn one of Pydantic's errors into a sentence with the key and the nearest valid value."""
    # The kind of a source is part of Pydantic's location, though not of the config's.
    before = ("", *problem["loc"])
    location = [part for last, part in zip(before, problem["loc"], strict=False) if last != "source"]
    where = ".".join(str(part) for part in location) or "config"
    context = problem.get("ctx", {})
    given = problem.get("input")
    match problem["type"]:
        case "extra_forbidden":
            parent = _section_at(problem["loc"][:-1])
            known = list(parent.model_fields) if parent else []
            return f"unknown key {where}; {_nearest(location[-1], known)}"
        case "missing":
            return f"{where} is missing"
        case "literal_error" | "enum":
            valid = [part.strip(" '") for part in context["expected"].replace(" or ", ", ").split(",")]
            return f"{where} is {given!r}; {_nearest(given, valid)}"
        case "union_tag_invalid":
            valid = [part.strip(" '") for part in context["expected_tags"].split(",")]
            return f"{where}.kind is {context['tag']!r}; {_nearest(context['tag'], valid)}"
        case "union_tag_not_found":
            return f"{where}.kind is missing"
        case "greater_than_equal":
            return f"{where} is {given!r}; the nearest valid value is {context['ge']}"
        case "less_than_equal":
            return f"{where} is {given!r}; the nearest valid value is {context['le']}"
        case "greater_than":
            return f"{where} is {given!r}; it must be greater than {context['gt']}"
        case "less_than":
            return f"{where} is {given!r}; it must be less than {context['lt']}"
        case "string_pattern_mismatch":
            return f"{where}: the name {given!r} may hold only letters, digits, '-', '.' and single '_'"
        case "model_type" | "model_attributes_type" | "dict_type":
            return (
                f"{where} must be a section of keys, not {given!r} "
                "(nested values given to --config become text: use a file and --configfile)"
            )
        case "value_error":
            return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{where} is {given!r}: {problem['msg']}"


def _section_at(location: Iterable[Any]) -> type[Section] | None:
    """Follow a location of Pydantic's to its section, to know the valid keys there."""
    found: Any = Config
    for part in location:
        if get_origin(found) is dict:  # an entry by name
            found = get_args(found)[1]
        elif part in _SOURCES and not isinstance(found, type):  # which kind of source
            found = _SOURCES[part]
        else:
            found = found.model_fields[part].annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None


def schema() -> dict[str, Any]:
    """Return the JSON schema of config.yaml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def documentation() -> str:
    """Return the table of all keys as Markdown."""
    lines = ["# Configuration keys", "", "Generated from `fsar/config.py` by `make docs`; do not edit.", ""]
    definitions = schema()
    for name, part in [("config.yaml", definitions), *sorted(definitions["$defs"].items())]:
        lines += [f"## {name}", "", part.get("description", ""), "", "| key | default | unit | valid | meaning |"]
        lines += ["|---|---|---|---|---|"]
        for field, value in part["properties"].items():
            default = value.get("default", "required" if field in part.get("required", []) else "")
            shown = "see its section" if isinstance(default, dict) else f"`{json.dumps(default, ensure_ascii=False)}`"
            shown = default if default == "required" else shown
            cells = [f"`{field}`", shown, value.get("unit", ""), _range(value), value.get("description", "")]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _range(value: dict[str, Any]) -> str:
    """Say what a key accepts, from its JSON schema."""
    if "$ref" in value:
        return value["$ref"].rsplit("/", 1)[-1]
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{option}`" for option in value["enum"])
    if alternatives := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(_range(option) for option in alternatives)
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {value[name]}" for name, sign in bounds.items() if name in value)
    kind = value.get("type", "")
    if kind == "array":
        return f"list of {_range(value['items'])}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"{_range(value['additionalProperties'])} by name"
    return f"{kind} {limits}".strip()


if __name__ == "__main__":
    print(
        json.dumps(schema(), indent=2, ensure_ascii=False) if sys.argv[1:] == ["schema"] else documentation(), end="\n"
    )
