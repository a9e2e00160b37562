"""One row of a comparison: a method on a benchmark, with the files its numbers come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """A method with one backbone on one benchmark, at one way and shot. Made when a run is planned.

    Attributes:
        benchmark, backbone: their names in the config.
        method: its key in the config, such as `clip-fsar`.
        title: the method's name in tables and figures, such as `CLIP-FSAR`.
        way, shot: of the test episodes; shot 0 where no support is looked at.
        seeds: of the trainings; empty where nothing is trained here.
        selection: the split the weights, or the weight of class names, were chosen on; "given" (from elsewhere); "not
            trained".
        predictions: the file of predictions of each training, or the one there is. It holds those of other methods,
            ways and shots too (`fsar.evaluation.predictions`).
        counts: the file of the benchmark's numbers of videos.
        episodes: the stored episodes of its tests.
        manifest: of the benchmark's videos, with their sources.
        base: the benchmark whose data it uses; another one for a variant.
        frames: T, frames per video.
        depth: layers of the temporal transformer.
        published_method, published_backbone: their names in the published results; empty if they have none.
        inductive: the label of a query does not depend on the other queries of its episode.
        seen: whether the backbone's pretraining saw videos of the benchmark: yes or no; empty where that is not known.
        trained_on: the benchmark that models are trained and chosen on, where it is another one than is tested, which
            is `base`; else empty.
        removed: training and validation classes that are left out.
        models: the benchmark whose trained models are tested, as their paths have it.
        every_class: an episode holds all test classes of the benchmark, as was asked for.
    """

    benchmark: str
    backbone: str
    method: str
    title: str
    way: int
    shot: int
    seeds: tuple[int, ...]
    selection: str
    predictions: tuple[str, ...]
    counts: str
    episodes: str
    manifest: str
    base: str
    frames: int
    depth: int
    published_method: str = ""
    published_backbone: str = ""
    inductive: bool = True
    seen: str = ""
    trained_on: str = ""
    removed: tuple[str, ...] = ()
    models: str = ""
    every_class: bool = False

    @property
    def named(self) -> dict[str, str | int]:
        """What tables and figures call it."""
        place = {"benchmark": self.benchmark, "backbone": self.backbone, "method": self.title}
        return {**place, "way": self.way, "shot": self.shot}

    @property
    def test(self) -> str:
        """What it is tested with, for the title of a figure."""
        return test_named(self.way, self.shot, self.every_class)

    @property
    def ways(self) -> str:
        """How many classes an episode holds, for the title of a figure."""
        return ways_named(self.way, self.every_class)

    @property
    def domains(self) -> str:
        """What it is trained and tested on, in words; empty where that is one benchmark, and no class is left out."""
        if not self.trained_on and not self.removed:
            return ""
        names = ", ".join(self.removed)
        classes = f"without {number_of(self.removed)} ({names})" if self.removed else "all its classes"
        return f"trained on {self.trained_on or self.base}, {classes}; tested on {self.base}"


def number_of(classes: tuple[str, ...]) -> str:
    """Return how many classes there are, in words."""
    return f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}"


def ways_named(way: int | str, every_class: bool) -> str:
    """Return how many classes an episode holds, for a title: `5-way`, or `all 24 classes`."""
    return f"all {way} classes" if every_class else f"{way}-way"


def test_named(way: int | str, shot: int | str, every_class: bool) -> str:
    """Return what is asked in a test, for a title: `5-way 1-shot`, or `all 24 classes, 1-shot`."""
    return ways_named(way, every_class) + (", " if every_class else " ") + f"{shot}-shot"


def way_in_a_cell(way: int | str, every_class: bool) -> str:
    """Return how many classes an episode holds, for a cell of a table: `5`, or `all (24)`."""
    return f"all ({way})" if every_class else str(way)
