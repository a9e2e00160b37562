"""config.yaml as it is written: every section, before anything is merged."""

from typing import Any, Literal

from fsar.config.backbone import BackboneConfig, SmallClipConfig, SmallVideoConfig
from fsar.config.benchmark import BenchmarkConfig
from fsar.config.heads import AdaptersConfig, HeadsConfig
from fsar.config.names import Name
from fsar.config.predict import PredictConfig
from fsar.config.run import RunConfig
from fsar.config.source import PublishedSource
from fsar.config.sources import SourcesConfig
from fsar.config.text import TextConfig
from fsar.config.training import TrainingConfig
from fsar.config.videos import EpisodesConfig, FramesConfig, SamplingConfig
from fsar.keys.declare import LARGEST_SEED, MODEL, NOTHING, Section, key, section


class ConfigFile(Section):
    """Everything a run depends on, as it is written."""

    seed: int = key(
        "Seed of the data: rendered videos, stored episodes, frames sampled at test time.",
        ("render_videos", "draw_episodes", *MODEL, "report_data"),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )
    device: Literal["auto", "cpu", "cuda"] = key(
        "Where models run; auto takes a GPU if there is one.", NOTHING, default="auto"
    )
    own_methods: list[str] = key(
        "Folders of your own methods (docs/add_method.md). You can then name these methods like any other. A folder "
        "that the directory of the run lacks is looked for beside the Snakefile.",
        NOTHING,
        once=True,
        default=[],
    )
    run: RunConfig = section("What to run.", default=RunConfig())
    benchmarks: dict[Name, BenchmarkConfig] = section("The benchmarks, by name.")
    backbones: dict[Name, BackboneConfig] = section("The backbones, by name.")
    sources: SourcesConfig = section("Where the published benchmarks come from.", default=SourcesConfig())
    frames: FramesConfig = section("How videos are decoded and kept.", default=FramesConfig())
    sampling: SamplingConfig = section("Which frames the model sees.", default=SamplingConfig())
    episodes: EpisodesConfig = section("The stored episodes.", default=EpisodesConfig())
    text: TextConfig = section("How class names become text features.", default=TextConfig())
    heads: HeadsConfig = section("The heads of methods.", default=HeadsConfig())
    adapters: AdaptersConfig = section("The adapters that methods add to frozen backbones.", default=AdaptersConfig())
    training: TrainingConfig = section("How methods are trained.", default=TrainingConfig())
    predict: dict[Name, PredictConfig] = section(
        "Your own clips to label; the name of a section is that of its results.", default={}
    )
    small_clips: dict[Name, SmallClipConfig] = section(
        "The CLIPs that the workflow trains for the demo. A backbone uses one by its weights, "
        "data/small_clip/NAME.safetensors.",
        default={"small-clip": SmallClipConfig()},
    )

    small_videos: dict[Name, SmallVideoConfig] = section(
        "The encoders of video that the workflow trains for the demo. A backbone uses one by its weights, "
        "data/small_video/NAME.safetensors.",
        default={"small-videomae": SmallVideoConfig()},
    )

    def base(self, benchmark: str) -> str:
        """Return the benchmark whose videos a benchmark tests: its own, of what it is a variant of, or of `test_on`."""
        own = self.benchmarks[benchmark]
        return own.test_on or own.variant_of or benchmark

    def training_of(self, benchmark: str) -> str:
        """Return the benchmark whose trained models are tested on one: itself, or its `train_on`."""
        return self.benchmarks[benchmark].train_on or benchmark

    def crosses(self, benchmark: str) -> bool:
        """Tell whether a benchmark trains on one and tests on another."""
        return self.benchmarks[benchmark].train_on is not None

    def with_base(self, benchmark: str) -> list[str]:
        """Return the benchmarks whose sections hold for one, the weakest first: that it is a variant of, and itself."""
        return list(dict.fromkeys((self.base(benchmark), benchmark)))

    def own(self, benchmark: str, name: str) -> Any:
        """Return a key of a benchmark, or that of the one it is a variant of or tests, where it does not say."""
        own = self.benchmarks[benchmark]
        other = own.variant_of or own.test_on
        if name in own.model_fields_set or other is None:
            return getattr(own, name)
        return getattr(self.benchmarks[other], name)

    def published_kind(self, benchmark: str) -> str:
        """Return which published benchmark's videos a benchmark has; empty if they are none's."""
        source = self.benchmarks[self.base(benchmark)].source
        return source.kind if isinstance(source, PublishedSource) else ""
