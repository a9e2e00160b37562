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
        selection: the split the weights were chosen on; "given" (from elsewhere); "not trained".
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

    @property
    def named(self) -> dict[str, str | int]:
        """What tables and figures call it."""
        place = {"benchmark": self.benchmark, "backbone": self.backbone, "method": self.title}
        return {**place, "way": self.way, "shot": self.shot}
