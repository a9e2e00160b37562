"""A section of `benchmarks`."""

from typing import Annotated

from pydantic import Field

from fsar.config.heads import AdaptersConfig, HeadsConfig
from fsar.config.names import SUMMARIES, TESTS, MethodName, ModelName, Name
from fsar.config.source import CsvSource, DemoSource, PublishedSource
from fsar.config.text import TextConfig
from fsar.config.training import TrainingConfig
from fsar.config.videos import EpisodesConfig, FramesConfig, SamplingConfig
from fsar.keys.declare import MODEL, NOTHING, ROWS, Section, key, section


class BenchmarkConfig(Section):
    """A benchmark: where its videos come from, and where it differs from the general settings."""

    source: Annotated[DemoSource | CsvSource | PublishedSource, Field(discriminator="kind")] | None = section(
        "Where the videos come from.", default=None
    )
    variant_of: Name | None = key(
        "Instead of a source: another benchmark, whose videos, frames and episodes this one shares. The keys "
        "below replace those of that benchmark.",
        (*MODEL, *ROWS, *SUMMARIES),
        default=None,
    )
    without: list[str] = key(
        "For a variant: training and validation classes of the other benchmark that are left out; case, "
        "spaces, underscores and hyphens of names do not matter. The frames stay shared; the validation "
        "episodes are its own.",
        ("train_model", "draw_episodes", *ROWS),
        once=True,
        default=[],
    )
    train_on: Name | None = key(
        "Instead of a source, together with test_on: the benchmark on whose training and validation classes "
        "models are trained and chosen, with its settings of training, heads, adapters and text "
        "(docs/domains.md).",
        ("draw_episodes", *MODEL, *ROWS, *SUMMARIES),
        default=None,
    )
    test_on: Name | None = key(
        "The benchmark on whose test classes these models are tested, with its episodes and its sampling of frames.",
        ("draw_episodes", *MODEL, *ROWS, *SUMMARIES),
        default=None,
    )
    remove: str = key(
        "Which classes of train_on are left out because test_on tests them. by_name: those with equal names; "
        "case, spaces, underscores and hyphens do not matter. none: none. Or a CSV with the columns source, "
        "target and class_in_source, and split_in_target if it has classes that are not tested "
        "(docs/domains.md).",
        ("train_model", "draw_episodes", *ROWS),
        default="by_name",
        min_length=1,
    )
    remove_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = key(
        "The checksum that the list in `remove` must have, if others published it.", NOTHING, default=None
    )
    licence: str = key("The licence of the videos, for the model cards.", ("write_model_card",), default="not stated")
    methods: list[MethodName] = key(
        "The methods of this benchmark, unless run.methods names others.",
        (*TESTS, *ROWS, *SUMMARIES),
        once=True,
        default=["clip-freeze", "otam", "clip-fsar"],
        min_length=1,
    )
    shots: list[Annotated[int, Field(ge=1)]] = key(
        "The test shots of this benchmark, unless run.shots names others.",
        (*TESTS, *ROWS, *SUMMARIES),
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
        ("encode_features", "evaluate_model", "predict_clips", *ROWS, *SUMMARIES),
        default={},
    )
