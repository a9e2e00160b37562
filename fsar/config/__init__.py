"""The one typed model of config.yaml: sections and what they decide, merging, checks, messages, documentation."""

from fsar.config.load import load
from fsar.config.merge import Config
from fsar.config.sections import (
    SPLITS,
    BackboneConfig,
    BenchmarkConfig,
    Counts,
    CsvSource,
    DemoSource,
    EpisodesConfig,
    FramesConfig,
    HeadConfig,
    PredictConfig,
    PublishedSource,
    SamplingConfig,
    SmallClipConfig,
    SourcesConfig,
    TrainingConfig,
    is_weights_file,
)

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
    "HeadConfig",
    "PredictConfig",
    "PublishedSource",
    "SamplingConfig",
    "SmallClipConfig",
    "SourcesConfig",
    "TrainingConfig",
    "is_weights_file",
    "load",
]
