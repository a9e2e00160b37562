"""The sections of config.yaml: every key with its meaning, default, unit and range, and what it decides.

The JSON schema (configs/schema.json) and the table of keys (docs/config.md) are generated from here (`make docs`).
"""

import math
from collections.abc import Iterable
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from fsar.config.heads import AdaptersConfig, HeadsConfig
from fsar.config.prompts import prompt_sets, templates_of
from fsar.keys.declare import LARGEST_SEED, MODEL, NOTHING, ROWS, Section, key, section
from fsar.methods import METHODS, MODELS
from fsar.sources.data_sets import PUBLISHED

# Combinations of shape and action that the demo can render (fsar/sources/demo/actions.py).
DEMO_CLASSES = 100

# Names become parts of file paths and of Snakemake wildcards.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9.-]+)*$")]

if TYPE_CHECKING:
    MethodName = str
    ModelName = str
    PublishedKind = str
    PromptSet = str
else:
    MethodName, ModelName, PublishedKind = Literal[tuple(METHODS)], Literal[tuple(MODELS)], Literal[tuple(PUBLISHED)]
    PromptSet = Literal[tuple(prompt_sets())]

# Which tests there are: their episodes, and what is made of them.
TESTS = ("draw_episodes", "evaluate_model", "write_model_card")
# What lists the rows of the summary over the demo's deals, where several are run.
DEALS = ("write_over_deals",)
# Other videos altogether.
SOURCE = ("render_videos", "list_videos", "write_manifest", "decode_frames")
# Where the videos of a data set are.
FOLDER = ("list_folder", "decode_frames")


# What is said of a user's clips.
PREDICT = ("predict_clips",)
# What a stored frame looks like; a user's clips are decoded to the same.
STORED = ("decode_frames", "predict_clips")


class RunConfig(Section):
    """What to run: the table has a row for every combination."""

    benchmarks: list[Name] = key(
        "Benchmarks, by their names below `benchmarks`.",
        (*MODEL, *ROWS, *DEALS),
        once=True,
        default=["demo"],
        min_length=1,
    )
    backbones: list[Name] = key(
        "Backbones, by their names below `backbones`.",
        (*MODEL, *ROWS, *DEALS),
        once=True,
        default=["small-clip"],
        min_length=1,
    )
    methods: list[MethodName] | None = key(
        "Methods, by their names in docs/methods.md, on every benchmark; without it each benchmark has its own.",
        (*TESTS, *ROWS, *DEALS),
        once=True,
        default=None,
        min_length=1,
    )
    ways: list[Annotated[int, Field(ge=2)]] = key(
        "Classes in a test episode.", (*TESTS, *ROWS, *DEALS), unit="classes", once=True, default=[5], min_length=1
    )
    shots: list[Annotated[int, Field(ge=1)]] | None = key(
        "Support videos per class in a test episode, on every benchmark; without it each benchmark has its own. All "
        "shots share one training.",
        (*TESTS, *ROWS, *DEALS),
        unit="videos",
        once=True,
        default=None,
        min_length=1,
    )
    test_jobs: int = key(
        "Jobs that the tests of a model are divided over, where its features depend on the episode (Task-Adapter++); "
        "tests that were begun keep their number.",
        NOTHING,
        default=1,
        ge=1,
        le=1000,
    )
    seeds: list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]] = key(
        "Training seeds; each is one training per model.", (*MODEL, *ROWS, *DEALS), once=True, default=[1], min_length=1
    )


class Counts(Section):
    """A number for each split."""

    train: int = key("For the training classes.", ("render_videos",), ge=1, le=100_000)
    val: int = key("For the validation classes.", ("render_videos",), ge=1, le=100_000)
    test: int = key("For the test classes.", ("render_videos",), ge=1, le=100_000)


class DemoSource(Section):
    """The demo benchmark: videos of moving shapes, rendered and encoded by the workflow itself."""

    kind: Literal["demo"] = key("The demo benchmark.", (*SOURCE, *DEALS))
    classes: Counts = key(
        "Classes in each split.",
        ("render_videos",),
        unit="classes",
        default=Counts(train=60, val=16, test=24),
    )
    videos_per_class: Counts = key(
        "Videos of each class.",
        ("render_videos",),
        unit="videos",
        default=Counts(train=12, val=12, test=16),
    )
    deal: int = key(
        "Which classes are in which split: another number deals others, and renders videos anew.",
        ("render_videos",),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )
    parts: int = key(
        "Jobs that share the rendering.",
        ("render_videos", "write_manifest"),
        unit="jobs",
        default=2,
        ge=1,
        le=64,
    )


class CsvSource(Section):
    """Videos of your own, listed in a CSV."""

    kind: Literal["csv"] = key("A list of your own.", SOURCE)
    file: str = key(
        "CSV with the columns path (relative to the CSV's folder, or absolute), class and split (train, val or test).",
        ("write_manifest",),
        min_length=1,
    )


class PublishedSource(Section):
    """One of the five benchmarks of the paper, by its published split lists; where its files are is below `sources`."""

    kind: PublishedKind = key("Which benchmark.", SOURCE)
    prompts: Literal["readable", "published"] = key(
        "How class names are written: in words, or exactly as the public implementation prompts them (seven differ, "
        "such as draw_sword and Blow DryHair).",
        ("list_videos",),
        default="readable",
    )


# What a source is, by its kind.
SOURCES: dict[str, type[Section]] = {"demo": DemoSource, "csv": CsvSource, **dict.fromkeys(PUBLISHED, PublishedSource)}


# Where something is fetched from.
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]


class Mirror(Section):
    """A place of your own that an archive is fetched from, with what is known of the file."""

    url: Url = key("Where the archive is, RAR or zip.", NOTHING)
    bytes: int | None = key(
        "Its size; a file of another is not downloaded.", NOTHING, unit="bytes", default=None, ge=1, le=10**15
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = key(
        "Its checksum; without one, that of the first download is kept.", NOTHING, default=None
    )


def _with_url(mirror: object) -> object:
    return {"url": mirror} if isinstance(mirror, str) else mirror


class Archive(Section):
    """A data set in one archive."""

    mirrors: list[Annotated[Mirror, BeforeValidator(_with_url, json_schema_input_type=Url | Mirror)]] = key(
        "Places of your own that have the archive, tried in order before the public ones; each a URL, or a section "
        "with `url`, `bytes` and `sha256`.",
        NOTHING,
        default=[],
    )
    folder: str = key(
        "A folder where its videos are already, at any depth; nothing is downloaded then.", FOLDER, default=""
    )


class KineticsArchives(Section):
    """Kinetics-400, in many archives."""

    mirrors: list[Url] = key(
        "Places of your own, tried in order before the public one: URLs of folders with train/k400_train_path.txt and "
        "val/k400_val_path.txt, which list the archives, and the archives beside them.",
        NOTHING,
        default=[],
    )
    folder: str = key(
        "A folder where its videos are already, at any depth; nothing is downloaded then.", FOLDER, default=""
    )
    parts: int = key(
        "Jobs that share the archives; each has one archive on the disk at a time.",
        ("fetch_kinetics_part", "list_folder"),
        unit="jobs",
        default=8,
        ge=1,
        le=500,
    )


class RegisteredFiles(Section):
    """A data set behind a registration."""

    folder: str = key("The folder that its files were put into.", ("unpack_ssv2", "list_videos", *FOLDER), default="")


class SourcesConfig(Section):
    """Where the videos of the published benchmarks come from, beside the public places in fsar/sources/places.csv."""

    split_lists: list[Url] = key(
        "Places of your own that have the split lists, tried in order before the pinned commit: URLs of folders with "
        "the paths of fsar/sources/split_lists.csv.",
        NOTHING,
        default=[],
    )
    hmdb51: Archive = section("HMDB51.", default=Archive())
    ucf101: Archive = section("UCF101.", default=Archive())
    kinetics: KineticsArchives = section("Kinetics-400, for kinetics100.", default=KineticsArchives())
    ssv2: RegisteredFiles = section("Something-Something V2.", default=RegisteredFiles())
    rate_limit: float = key("Of one download; 0 for none.", NOTHING, unit="megabytes per second", default=0.0, ge=0)
    retries: int = key("Attempts in a row without a byte before a download gives up.", NOTHING, default=6, ge=1)
    pause: float = key(
        "Before the second attempt, doubled for each further one.", NOTHING, unit="seconds", default=1.0, ge=0
    )
    timeout: float = key(
        "Time without a byte that counts as a broken connection.", NOTHING, unit="seconds", default=30.0, gt=0
    )


class FramesConfig(Section):
    """How videos are decoded and stored."""

    size: int = key(
        "Height and width of stored frames; the aspect ratio is not kept, as published.",
        STORED,
        unit="pixels",
        default=256,
        ge=16,
        le=1024,
    )
    antialias: bool = key(
        "Average over pixels where frames become smaller; false is the published way, which looks at four pixels for "
        "each (docs/fidelity.md).",
        STORED,
        default=True,
    )
    quality: int = key("JPEG quality of stored frames.", STORED, unit="1–100", default=90, ge=1, le=100)
    keep: int = key(
        "Frames stored per video, evenly spread; 0 stores all. Temporal sampling is exact only with all.",
        STORED,
        unit="frames",
        default=0,
        ge=0,
    )
    shards: int = key(
        "Files the frames are packed into, one decoding job each.",
        ("decode_frames",),
        unit="files",
        default=16,
        ge=1,
        le=1000,
    )
    decoder: Literal["pyav", "decord", "ffmpeg"] = key(
        "pyav: one sequential pass, every frame once. decord: by random access, as the public implementation, with the "
        "wrong frames that it has on HMDB51. ffmpeg: the ffmpeg program, the independent check. See docs/data.md.",
        STORED,
        default="pyav",
    )
    damaged: Literal["keep", "leave-out"] = key(
        "Videos of which frames are lost: stored with the frames that can be decoded, or left out with the reason.",
        STORED,
        default="keep",
    )
    timeout: float = key("Give up on a video after this long.", NOTHING, unit="seconds", default=600.0, gt=0)
    max_failed: float = key(
        "Share of videos that may be unreadable before the run stops with their list.",
        ("gather_index",),
        unit="fraction",
        default=0.02,
        ge=0,
        le=1,
    )


class SamplingConfig(Section):
    """Which frames of a video the model sees."""

    frames: int = key("T, frames per video.", MODEL, unit="frames", default=8, ge=1, le=128)
    strategy: Literal["segments", "span"] = key(
        "segments: one random frame from each of T equal segments, at test time too (SSv2, HMDB51, UCF101). "
        "span: evenly spaced over up to 23 seconds, centred at test time (Kinetics).",
        MODEL,
        default="segments",
    )
    at_test: Literal["drawn", "centres"] = key(
        "Which frames of segments videos are validated and tested with. drawn: one at random, by the seed and the "
        "video's id, as published; no interval covers that draw. centres: the middle one, whatever a video is called.",
        ("train_model", "encode_features"),
        default="drawn",
    )


class EpisodesConfig(Section):
    """The stored episodes of validation and test."""

    val: int = key("Validation episodes.", ("draw_episodes",), unit="episodes", default=1000, ge=1)
    test: int = key("Test episodes, as published.", ("draw_episodes",), unit="episodes", default=10000, ge=2)
    queries: int = key("Query videos per class.", ("draw_episodes",), unit="videos", default=1, ge=1)


class TrainingConfig(Section):
    """How a method is trained; defaults are the published ones for Kinetics. One iteration is one episode."""

    way: int = key("Classes in a training episode.", ("draw_episodes", "train_model"), unit="classes", default=5, ge=2)
    shot: Annotated[int, Field(ge=1)] | Literal["tested"] = key(
        "Support videos per class in a training episode: a number for every test shot, or `tested`, which trains a "
        "model for each test shot.",
        ("draw_episodes", "train_model"),
        unit="videos",
        default=1,
    )
    queries: int = key(
        "Query videos per class in a training episode.", ("train_model",), unit="videos", default=5, ge=1
    )
    iterations: int = key("Training episodes in all.", ("train_model",), unit="episodes", default=5000, ge=1)
    tasks_per_step: int = key(
        "Episodes averaged in one optimizer step.", ("train_model",), unit="episodes", default=4, ge=1
    )
    optimizer: Literal["adam", "adamw", "sgd"] = key(
        "adam adds the weight decay to the gradient, as published; adamw shrinks weights apart from it.",
        ("train_model",),
        default="adam",
    )
    momentum: float = key("Of sgd.", ("train_model",), default=0.0, ge=0, lt=1)
    nesterov: bool = key("Nesterov's form of sgd's momentum.", ("train_model",), default=False)
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = key(
        "How much adam and adamw keep of the means of gradients and of their squares.",
        ("train_model",),
        default=[0.9, 0.999],
        min_length=2,
        max_length=2,
    )
    epsilon: float = key("Added to adam's and adamw's denominator.", ("train_model",), default=1e-8, gt=0)
    learning_rate: float = key("Learning rate after warm-up.", ("train_model",), default=1e-5, gt=0, le=1)
    head_learning_rate_factor: float = key(
        "Multiplies the learning rate of the parameters that start from scratch (temporal transformer, scale).",
        ("train_model",),
        default=1.0,
        gt=0,
    )
    warmup_from: float = key("Learning rate at the first iteration.", ("train_model",), default=5e-6, ge=0, le=1)
    warmup_iterations: int = key("Length of the linear warm-up.", ("train_model",), unit="episodes", default=250, ge=0)
    schedule: Literal["steps", "cosine"] = key(
        "After warm-up: steps at the milestones, or half a cosine to 0 at the end.", ("train_model",), default="steps"
    )
    milestones: list[Annotated[int, Field(ge=1)]] = key(
        "Where the learning rate steps down.", ("train_model",), unit="episodes", default=[750, 1250]
    )
    factors: list[Annotated[float, Field(gt=0)]] = key(
        "What the learning rate is multiplied by from each milestone on; without it, by 0.1 once more at each.",
        ("train_model",),
        default=[],
    )
    loss_over_queries: Literal["mean", "sum"] = key(
        "How the losses of an episode's queries become one.", ("train_model",), default="mean"
    )
    weight_decay: float = key(
        "L2 penalty, or adamw's shrinking; spares normalisation layers: in encoders those named `bn` or `norm`.",
        ("train_model",),
        default=1e-3,
        ge=0,
    )
    flip: bool = key("Mirror training queries at random (Kinetics only).", ("train_model",), default=False)
    colour_jitter: bool = key(
        "Jitter the colours of training queries (Kinetics only).", ("train_model",), default=False
    )
    batch_norm: Literal["apart", "together", "running"] = key(
        "Statistics by which BatchNorm normalises in training: those of an episode's support and those of its queries "
        "apart, as published; those of the whole episode together (the running ones follow either); or the running "
        "ones of the pretrained model, unchanged. No difference for a backbone without BatchNorm.",
        ("train_model",),
        default="apart",
    )
    validate_every: int = key("Distance between validations.", ("train_model",), unit="episodes", default=100, ge=1)
    checkpoint_minutes: float = key(
        "Time between checkpoints to resume from; 0 saves after every optimizer step.",
        NOTHING,
        unit="minutes",
        default=10.0,
        ge=0,
    )
    logger: Literal["tensorboard", "csv", "wandb", "mlflow", "none"] = key(
        "Where a training shows its metrics while it runs: files below logs/, Weights & Biases, an MLflow server, or "
        "nowhere.",
        NOTHING,
        default="tensorboard",
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = key(
        "Arithmetic of the training step.", ("train_model",), default="32-true"
    )
    float32: Literal["tf32", "fp32"] = key(
        "How a GPU computes convolutions and matrix products of 32-bit numbers, in training, validation, encoding and "
        "labelling: tf32 rounds what it multiplies to 10 bits, for which GPUs since 2020 have units of their own; fp32 "
        "keeps all 23 bits. A CPU has these alone.",
        MODEL,
        default="tf32",
    )
    deterministic: bool = key(
        "Train with operations alone that give the same bits each time; without it a GPU chooses what is fastest, "
        "and two equal trainings differ in the last digits. Training on a CPU is the same either way.",
        NOTHING,
        default=True,
    )
    activation_checkpointing: bool = key(
        "Compute the backbone's activations again in the backward pass instead of keeping them: less memory, about a "
        "third more time, the same result.",
        NOTHING,
        default=False,
    )
    devices: int = key(
        "GPUs of one training (processes, on a CPU); the tasks of a step are divided among them. Where there are fewer "
        "tasks than devices, as many are used as divide both.",
        NOTHING,
        unit="devices",
        default=1,
        ge=1,
    )
    nodes: int = key(
        "Nodes of a SLURM cluster for one training, each with so many `devices`, `threads` and `workers`; the tasks of "
        "a step are divided among all devices.",
        NOTHING,
        unit="nodes",
        default=1,
        ge=1,
    )
    threads: int = key(
        "Cores of a training or feature job, over all its devices on a node.", NOTHING, unit="cores", default=8, ge=1
    )
    workers: int = key(
        "Processes among them that load episodes; 0 loads in the training process.",
        NOTHING,
        unit="processes",
        default=6,
        ge=0,
    )

    @property
    def fixed_shot(self) -> int:
        """The number of support videos of one training, where it is no longer `tested`."""
        assert self.shot != "tested"
        return self.shot

    def spread(self) -> "TrainingConfig":
        """Return these settings on no more nodes and devices than the tasks of a step can be divided among."""
        nodes = math.gcd(self.tasks_per_step, self.nodes)
        devices = math.gcd(self.tasks_per_step // nodes, self.devices)
        return self.model_copy(update={"nodes": nodes, "devices": devices})

    def problems(self) -> Iterable[str]:
        """Name what does not fit together; asked of the merged settings, never of one benchmark's own keys alone."""
        if self.workers + self.devices > self.threads:
            yield (
                f"workers is {self.workers} of {self.threads} threads, which does not leave one for the model on each "
                f"of {self.devices} devices; the nearest valid value is {max(self.threads - self.devices, 0)}"
            )
        processes = self.devices * self.nodes
        where = (
            f"{self.devices} devices" if self.nodes == 1 else f"{self.devices} devices on each of {self.nodes} nodes"
        )
        for name, value, parts, among in (
            ("tasks_per_step", self.tasks_per_step, processes, where),
            ("workers", self.workers, self.devices, f"{self.devices} devices"),
        ):
            if name == "tasks_per_step" and value < parts:
                continue  # of a method with few tasks, some devices rest: `spread`
            if value % parts:
                nearest = round(value / parts) * parts or parts
                yield (
                    f"{name} is {value}, which cannot be divided among {among}; the nearest valid value is {nearest}"
                )
        if self.milestones != sorted(set(self.milestones)):
            yield f"milestones {self.milestones} must increase"
        if self.factors and len(self.factors) != len(self.milestones):
            yield f"factors are {len(self.factors)}, but milestones {len(self.milestones)}: one for each"
        if self.nesterov and not self.momentum:
            yield "nesterov needs a momentum above 0"
        if self.warmup_from > self.learning_rate:
            yield f"warmup_from is {self.warmup_from}; the nearest valid value is learning_rate, {self.learning_rate}"


Templates = Annotated[list[str], Field(min_length=1)]


class TextConfig(Section):
    """How class names become text features (docs/backbones.md)."""

    templates: Annotated[Templates, BeforeValidator(templates_of, json_schema_input_type=Templates | PromptSet)] = key(
        "The texts of a class, with {class_name} in them, and {description} where there is a file of descriptions: "
        "then a text for each description. Or the name of a set of them (fsar/model/prompts/).",
        MODEL,
        default=["a photo of {class_name}"],
    )
    descriptions: str = key(
        "A file that describes classes: CSV with the columns class and description, or JSON.", MODEL, default=""
    )
    average: Literal["plain", "normalised"] = key(
        "How several texts become one feature: the mean of their features as they are, or each of length one first.",
        MODEL,
        default="plain",
    )

    def problems(self) -> Iterable[str]:
        """Name what does not fit together; asked of the merged settings, never of one benchmark's own keys alone."""
        known = ("class_name", "description")
        for template in self.templates:
            try:
                names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            except ValueError as error:
                yield f"templates: {template!r} cannot be filled: {error}"
                continue
            if unknown := [name for name in names if name not in known]:
                yield f"templates: {template!r} holds {{{unknown[0]}}}; valid are {{class_name}} and {{description}}"
            elif not names:
                yield f"templates: {template!r} does not contain {{class_name}} or {{description}}"
            elif "description" in names and not self.descriptions:
                yield f"templates: {template!r} needs a file of descriptions (key text.descriptions)"
        if self.descriptions and not any("{description}" in template for template in self.templates):
            yield "descriptions are given, but no template contains {description}: add one, such as '{description}'"


class BenchmarkConfig(Section):
    """A benchmark: where its videos come from, and where it differs from the general settings."""

    source: Annotated[DemoSource | CsvSource | PublishedSource, Field(discriminator="kind")] | None = section(
        "Where the videos come from.", default=None
    )
    variant_of: Name | None = key(
        "Instead of a source: another benchmark, whose videos, frames and episodes this one shares; "
        "keys below differ from its own.",
        (*MODEL, *ROWS, *DEALS),
        default=None,
    )
    licence: str = key("Whose the videos are, for the model cards.", ("write_model_card",), default="not stated")
    methods: list[MethodName] = key(
        "Its methods where run.methods does not say.",
        (*TESTS, *ROWS, *DEALS),
        once=True,
        default=["clip-freeze", "otam", "clip-fsar"],
        min_length=1,
    )
    shots: list[Annotated[int, Field(ge=1)]] = key(
        "Its test shots where run.shots does not say.",
        (*TESTS, *ROWS, *DEALS),
        unit="videos",
        once=True,
        default=[1, 5],
        min_length=1,
    )
    frames: FramesConfig = section("Keys that differ from `frames`.", default=FramesConfig())
    sampling: SamplingConfig = section("Keys that differ from `sampling`.", default=SamplingConfig())
    episodes: EpisodesConfig = section("Keys that differ from `episodes`.", default=EpisodesConfig())
    text: TextConfig = section("Keys that differ from `text`.", default=TextConfig())
    heads: HeadsConfig = section("Keys that differ from `heads`.", default=HeadsConfig())
    adapters: AdaptersConfig = section("Keys that differ from `adapters`.", default=AdaptersConfig())
    training: TrainingConfig = section("Keys that differ from `training`.", default=TrainingConfig())
    training_of_backbone: dict[Name, TrainingConfig] = section(
        "Keys of `training` that differ again for one backbone, by its name.", default={}
    )
    training_of_model: dict[ModelName, TrainingConfig] = section(
        "Keys of `training` that differ again for one model, by its name: stronger than its recipe.", default={}
    )
    text_of_model: dict[ModelName, TextConfig] = section(
        "Keys of `text` that differ again for one model, by its name: stronger than its recipe.", default={}
    )
    trained: dict[Name, dict[ModelName, str]] = key(
        "Trained weights from elsewhere (.safetensors), by backbone and model: tested as they are, not trained here.",
        ("encode_features", "evaluate_model", "predict_clips", *ROWS, *DEALS),
        default={},
    )


class BackboneConfig(Section):
    """A visual encoder with its text encoder (open_clip), or without one (timm); docs/backbones.md."""

    library: Literal["open_clip", "timm"] = key(
        "Whose architecture and weights it is: open_clip has CLIP and its successors, timm visual encoders alone.",
        MODEL,
        default="open_clip",
    )
    model: str = key(
        "An architecture of the library (OpenAI's weights need open_clip's quickgelu ones), or a JSON file that "
        "describes one as open_clip does.",
        MODEL,
        min_length=1,
    )
    weights: str = key(
        "A pretrained tag of the library (such as openai, tv_in1k), or a local file (with a suffix or a folder in its "
        "name): .safetensors, or what torch.save writes (.pt, .pth, .bin, .ckpt).",
        MODEL,
        min_length=1,
    )
    size: int = key(
        "Height and width of the pictures it is given, where that is not the architecture's own; 0 for its own.",
        MODEL,
        unit="pixels",
        default=0,
        ge=0,
        le=1024,
    )
    methods: list[MethodName] | None = key(
        "The methods it is run with, instead of each benchmark's; of `run.methods` only these. Without it, all.",
        (*TESTS, *ROWS),
        once=True,
        default=None,
        min_length=1,
    )
    published_as: str = key(
        "The backbone's name in the published results; empty if it has none.", (*ROWS, "write_model_card"), default=""
    )
    licence: str = key("Whose the weights are, for the model cards.", ("write_model_card",), default="not stated")

    @property
    def has_text(self) -> bool:
        """Whether it has a text encoder."""
        return self.library != "timm"

    @property
    def weights_are_a_file(self) -> bool:
        return is_weights_file(self.weights)


def is_weights_file(weights: str) -> bool:
    """Tell a local weights file from a pretrained tag: no tag has a dot or a folder in its name."""
    return "." in weights or "/" in weights


class SmallClipConfig(Section):
    """A small CLIP of the demo's own, trained from rendered stills and captions."""

    model: str = key("Its architecture, as in `backbones`.", ("train_small_clip",), default="small-clip")
    stills: int = key("Still pictures to train from.", ("render_stills",), unit="pictures", default=8000, ge=16)
    epochs: int = key("Passes over the stills.", ("train_small_clip",), unit="epochs", default=12, ge=1)
    batch: int = key("Stills in one step.", ("train_small_clip",), unit="pictures", default=64, ge=2)
    learning_rate: float = key("Peak learning rate of AdamW.", ("train_small_clip",), default=2e-3, gt=0, le=1)
    seed: int = key(
        "Seed of the weights, the stills and their order.",
        ("render_stills", "train_small_clip"),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )


class PredictConfig(Section):
    """Clips of your own to label, by examples of their classes."""

    support: str = key(
        "The examples: a CSV with the columns path and class, or a folder with a sub-folder per class.",
        PREDICT,
        min_length=1,
    )
    clips: str = key("The clips: a CSV with the column path, or a folder.", PREDICT, min_length=1)
    benchmark: Name | None = key("Whose model and settings to label with, by its name.", PREDICT, default=None)
    backbone: Name | None = key(
        "The model's backbone, by its name; without it the first of run.backbones.", PREDICT, default=None
    )
    method: MethodName | None = key("How to decide: one of the benchmark's methods.", PREDICT, default=None)
    seed: int | None = key(
        "The model's training seed, which is trained if it is not there; without it the first of run.seeds.",
        PREDICT,
        default=None,
        ge=0,
        le=LARGEST_SEED,
    )
    model: str = key(
        "Instead of a benchmark: the folder of a model, trained elsewhere or exported.", PREDICT, default=""
    )
    frames: Literal["centres", "drawn"] = key(
        "Which frames of a clip are looked at. centres: the middle one of each segment, whatever a clip is called. "
        "drawn: as the benchmark's own tests draw them, by the seed and the clip's id.",
        PREDICT,
        default="centres",
    )
