"""The key `source` of a benchmark: where its videos come from."""

from typing import Literal

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.config.names import DEALS, SOURCE, PublishedKind
from fsar.keys.declare import LARGEST_SEED, Section, key

# What the demo can render (fsar/sources/demo): a class is a shape and an action.
DEMO_SHAPES = ("circle", "square", "triangle", "hexagon", "star", "cross", "ring", "heart", "crescent", "pill")
DEMO_ACTIONS = 10
Shape = Literal["circle", "square", "triangle", "hexagon", "star", "cross", "ring", "heart", "crescent", "pill"]


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
        "Number of the class partition, which says which classes are in which split. Another number gives "
        "another partition, with new videos.",
        ("render_videos",),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )
    shapes: list[Shape] = key(
        "Shapes that act; each gives ten classes.",
        ("render_videos",),
        once=True,
        default=list(DEMO_SHAPES),
        min_length=1,
    )
    clutter: float = key(
        "How strong the texture behind the shapes is, and how many other things are there, as a multiple of the usual.",
        ("render_videos",),
        default=1.0,
        ge=0,
        le=4,
    )
    speed: float = key(
        "How fast the shapes act, as a multiple of the usual.", ("render_videos",), default=1.0, ge=0.5, le=4
    )
    parts: int = key(
        "Jobs that share the rendering.", ("render_videos", "write_manifest"), unit="jobs", default=2, ge=1, le=64
    )


class CsvSource(Section):
    """Videos of your own, listed in a CSV."""

    kind: Literal["csv"] = key("A list of your own.", (*SOURCE, *DEALS))
    file: str = key(
        "CSV with the columns path (relative to the CSV's folder, or absolute), class and split (train, val or test).",
        ("write_manifest",),
        min_length=1,
    )


class PublishedSource(Section):
    """A published benchmark, by its published split lists; where its files are is below `sources`."""

    kind: PublishedKind = key("Which benchmark.", SOURCE)
    prompts: Literal["readable", "published"] = key(
        "How class names are written: in words, or exactly as the public implementation prompts them (seven differ, "
        "such as draw_sword and Blow DryHair).",
        ("list_videos",),
        default="readable",
    )


# What a source is, by its kind.
SOURCES: dict[str, type[Section]] = {"demo": DemoSource, "csv": CsvSource, **dict.fromkeys(PUBLISHED, PublishedSource)}
