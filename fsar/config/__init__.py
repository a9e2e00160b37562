"""The one typed model of config.yaml: sections and what they decide, merging, checks, messages, documentation."""

from fsar.config.load import load
from fsar.config.merge import Config
from fsar.config.sections import (
    BackboneConfig,
    BenchmarkConfig,
    Counts,
    CsvSource,
    DemoSource,
    EpisodesConfig,
    FramesConfig,
    PredictConfig,
    PublishedSource,
    SamplingConfig,
    SmallClipConfig,
    SourcesConfig,
    TextConfig,
    TrainingConfig,
    is_weights_file,
)
from fsar.sources.split_lists import SPLITS

__all__ = [
    "SPLITS",
    "BackboneConfig",
    "BenchmarkConfig",
    "Config",
    "Counts",
    "CsvSource",
    "DemoSource",
    "EpisodesConfig",
    "FramesConfig",
    "PredictConfig",
    "PublishedSource",
    "SamplingConfig",
    "SmallClipConfig",
    "SourcesConfig",
    "TextConfig",
    "TrainingConfig",
    "is_weights_file",
    "load",
]
