"""The one typed model of config.yaml: its sections, how they merge, checks and messages."""

from fsar.config.backbone import BackboneConfig, SmallClipConfig, SmallVideoConfig
from fsar.config.benchmark import BenchmarkConfig
from fsar.config.config import Config
from fsar.config.load import load
from fsar.config.merged import MergedConfig
from fsar.config.predict import PredictConfig
from fsar.config.source import Counts, CsvSource, DemoSource, PublishedSource
from fsar.config.sources import SourcesConfig
from fsar.config.text import TextConfig
from fsar.config.training import TrainingConfig
from fsar.config.videos import EpisodesConfig, FramesConfig, SamplingConfig

__all__ = [
    "BackboneConfig",
    "BenchmarkConfig",
    "Config",
    "Counts",
    "CsvSource",
    "DemoSource",
    "EpisodesConfig",
    "FramesConfig",
    "MergedConfig",
    "PredictConfig",
    "PublishedSource",
    "SamplingConfig",
    "SmallClipConfig",
    "SmallVideoConfig",
    "SourcesConfig",
    "TextConfig",
    "TrainingConfig",
    "load",
]
