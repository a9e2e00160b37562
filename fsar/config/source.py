"""The key `source` of a benchmark: where its videos come from."""

from typing import Literal

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.config.names import DEALS, SOURCE, PublishedKind
from fsar.keys.declare import LARGEST_SEED, Section, key

# Combinations of shape and action that the demo can render (fsar/sources/demo/actions.py).
DEMO_CLASSES = 100


class Counts(Section):
    """A number for each split."""

    train: int = key("For the training classes.", ("render_videos",), ge=1, le=100_000)
    val: int = key("For the validation classes.", ("render_videos",), ge=1, le=100_000)
    test: int = key("For the test classes.", ("render_videos",), ge=1, le=100_000)


class DemoSource(Section):
    """The demo benchmark: videos of moving shapes, rendered and encoded by the workflow itself."""

    kind: Literal["demo"] = key("The demo benchmark.", (*SOURCE, *DEALS))
    classes: Counts = key(
        "Classes in each split.", ("render_videos",), unit="classes", default=Counts(train=60, val=16, test=24)
    )
    videos_per_class: Counts = key(
        "Videos of each class.", ("render_videos",), unit="videos", default=Counts(train=12, val=12, test=16)
    )
    deal: int = key(
        "Which classes are in which split: another number deals others, and renders videos anew.",
        ("render_videos",),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )
    parts: int = key(
        "Jobs that share the rendering.", ("render_videos", "write_manifest"), unit="jobs", default=2, ge=1, le=64
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
