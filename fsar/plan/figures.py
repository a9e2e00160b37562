"""Which figures a config gives: each with its kind, what it is made of, and what is said below it.

A figure is one file in fsar/results/figures/ and one function here, which yields a record for each one to draw.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fsar.config.merged import components_record
from fsar.files import from_working_directory
from fsar.methods import METHODS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.plan import paths
from fsar.plan.code import PACKAGE
from fsar.plan.layouts import PAPER_BENCHMARKS
from fsar.plan.plan import Plan, PlannedModel, trains
from fsar.plan.rows import episodes_of, first_method, manifests_of, predictions_of, rows_with_unknown
from fsar.results.setting import Setting

COMPONENTS = ("otam", "otam-video-text", "otam-modulation", "clip-fsar")
DOMAIN_BASELINES = ("linear-probe", "nearest-centroid")  # that train nothing, the first that is run
INTERVAL = "Error bars: 95 % intervals over the test videos, queries and supports."
# Methods, or backbones of one, that a ranking is worth a figure for; fewer are ranked by a glance at `accuracy`.
RANKED = 5
OVER_BENCHMARKS = 3  # that a mean rank is of, or more


@dataclass(frozen=True)
class PlannedFigure:
    """A figure to draw.

    Attributes:
        name: of its files.
        kind: the file in fsar/results/figures/.
        caption: what is said below it.
        inputs: files it is made from.
        arguments: of its `collect`.
        of: the setting it looks at; None where it compares several.
    """

    name: str
    kind: str
    caption: str
    inputs: list[str]
    arguments: dict[str, Any] = field(default_factory=dict)
    of: Setting | None = None

    @property
    def file(self) -> Path:
        """The file that collects and draws it, which is imported by its name."""
        return PACKAGE / "results" / "figures" / f"{self.kind}.py"


def planned_figures(plan: Plan, rows: list[Setting]) -> dict[str, PlannedFigure]:
    """Return the figures of a run by name."""
    compared = (_published, _accuracy, _oscr, _rankings, _mean_ranks, _sweeps, _ablation, _domains)
    kinds = (*compared, _closer_looks, _curves, _cost)
    return {figure.name: figure for kind in kinds for figure in kind(plan, rows)}


def _of_settings(name: str, kind: str, caption: str, settings: list[Setting], **arguments: Any) -> PlannedFigure:
    inputs = sorted([*predictions_of(settings), *episodes_of(settings), *manifests_of(settings)])
    return PlannedFigure(name, kind, caption, inputs, {"settings": settings, **arguments})


def _plain(rows: list[Setting]) -> list[Setting]:
    """Return the settings of benchmarks that are no variants."""
    return [setting for setting in rows if setting.trained_on or setting.base == setting.benchmark]


def _main(plan: Plan, rows: list[Setting]) -> list[Setting]:
    """Return those of the first way of their benchmark."""
    return [setting for setting in _plain(rows) if setting.way == plan.ways(setting.benchmark)[0]]


def _published(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    if not any(setting.benchmark in PAPER_BENCHMARKS for setting in rows):
        return
    caption = "Published 5-way 1-shot accuracies; diamonds: measured here."
    figure = _of_settings("published", "published_bars", caption, rows, benchmarks=PAPER_BENCHMARKS)
    published = from_working_directory(PACKAGE / "results" / "published.csv")
    yield replace(figure, inputs=[*figure.inputs, published])


def _accuracy(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    yield _of_settings("accuracy", "accuracy", f"Accuracy over shots. {INTERVAL}", _main(plan, rows))


def _oscr(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    settings = rows_with_unknown(plan, _main(plan, rows))
    if settings:
        caption = (
            "Known queries that are classified rightly and not refused, over unknown ones that are taken for known. A "
            "curve ends at the accuracy; the area below it is OSCR."
        )
        yield _of_settings("oscr", "oscr", caption, settings)


def _rankings(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    """Yield a ranking for each benchmark and shot, of all backbones: they meet the same episodes."""
    published = from_working_directory(PACKAGE / "results" / "published.csv")
    for benchmark, shot in dict.fromkeys((setting.benchmark, setting.shot) for setting in _main(plan, rows)):
        settings = [s for s in _main(plan, rows) if (s.benchmark, s.shot) == (benchmark, shot)]
        if len(settings) >= RANKED:
            caption = (
                f"Methods on {benchmark}, {shot}-shot, by accuracy. {INTERVAL} Hollow: published. Right: differences "
                "from the best with their 95 % intervals over episodes and over test videos, each pair by itself. "
                "Methods on a common bar are not told apart over the test videos (Holm's correction for all pairs)."
            )
            if rows_with_unknown(plan, settings):
                caption += " Last: how well unknown queries are told from known ones (docs/unknown.md)."
            if any(len(setting.predictions) > 1 for setting in settings):
                caption += " Methods that are told apart differ over the trainings too (95 % for each pair)."
            figure = _of_settings(f"ranking-{benchmark}-{shot}shot", "ranking", caption, settings)
            yield replace(figure, inputs=[*figure.inputs, published])


def _mean_ranks(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    """Yield mean ranks over benchmarks for each shot, of what is tested on all of them."""
    apart = [setting for setting in _main(plan, rows) if not setting.trained_on]  # targets are tested as often as named
    benchmarks = {setting.benchmark for setting in apart}
    for shot in dict.fromkeys(setting.shot for setting in apart):
        own = [setting for setting in apart if setting.shot == shot]
        places = Counter((setting.backbone, setting.method) for setting in own)
        settings = [s for s in own if places[s.backbone, s.method] == len(benchmarks)]
        if len(benchmarks) >= OVER_BENCHMARKS and len(settings) >= RANKED * len(benchmarks):
            caption = (
                f"Mean ranks over {len(benchmarks)} benchmarks, {shot}-shot. Methods on a common bar differ by less "
                "than the critical difference of Nemenyi's test (95 %, all pairs together); all are on one where "
                "Friedman's test finds no difference."
            )
            yield _of_settings(f"mean-ranks-{shot}shot", "mean_ranks", caption, settings)


def _sweeps(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    first = [setting for setting in rows if setting.way == plan.ways(setting.benchmark)[0]]
    for over, title, settings in (
        ("way", "ways", _plain(rows)),
        ("frames", "frames per video", first),
        ("depth", "depth of the temporal transformer", first),
    ):
        if len({(setting.base, getattr(setting, over)) for setting in settings}) > len({s.base for s in settings}):
            yield _of_settings(f"over-{over}", "sweep", f"Accuracy over {title}. {INTERVAL}", settings, over=over)


def _ablation(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    settings = [setting for setting in _main(plan, rows) if setting.method in COMPONENTS]
    if len({setting.method for setting in settings}) > 2:
        yield _of_settings("ablation", "ablation", f"Each component by itself and together. {INTERVAL}", settings)


def _domains(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    """Yield what training elsewhere brings, for each shot, where a benchmark is trained on another than it tests."""
    for shot in dict.fromkeys(setting.shot for setting in _main(plan, rows)):
        settings = [setting for setting in _main(plan, rows) if setting.shot == shot]
        methods = {setting.method for setting in settings}
        baseline = next((name for name in DOMAIN_BASELINES if name in methods), None)
        if baseline and len(methods) > 1 and any(setting.trained_on for setting in settings):
            caption = (
                f"What training on one benchmark brings on another, {shot}-shot: the difference from "
                f"{METHODS[baseline].title}, which trains nothing, with its 95 % interval over the test videos. Where "
                "source and target are one, its own training classes are those of the source."
            )
            yield _of_settings(f"domains-{shot}shot", "domains", caption, settings, baseline=baseline)


def _closer_looks(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    """Yield the figures that look at one method on one benchmark, at the smallest shot."""
    places = dict.fromkeys((setting.benchmark, setting.backbone) for setting in _main(plan, rows))
    for place in places:
        own = [s for s in _main(plan, rows) if (s.benchmark, s.backbone) == place and s.shot > 0]
        smallest = {s.method: s for s in own if s.shot == min(other.shot for other in own)}
        if not smallest:
            continue
        looked_at = smallest.get("clip-fsar") or list(smallest.values())[-1]
        name = "-".join(place)
        caption = f"What each class is taken for by {looked_at.title}: share of its queries in episodes that hold both."
        yield replace(_of_settings(f"confusion-{name}", "confusion", caption, [looked_at]), of=looked_at)
        for method in ("otam", "clip-freeze"):
            if method in smallest and method != looked_at.method:
                baseline = smallest[method]
                caption = f"Accuracy of {looked_at.title} minus that of {baseline.title}, for each test class."
                figure = _of_settings(f"class-gain-{name}", "class_gain", caption, [looked_at, baseline])
                yield replace(figure, of=looked_at)
                break
        settings = METHODS[looked_at.method].components.settings
        if isinstance(settings, ClipFsarConfig) and settings.modulation and looked_at.selection == "val":
            yield from _of_a_trained_model(plan, looked_at, name)


def _of_a_trained_model(plan: Plan, setting: Setting, name: str) -> Iterator[PlannedFigure]:
    config, method = plan.config, METHODS[setting.method]
    benchmark, backbone, model = setting.benchmark, setting.backbone, method.model
    tested = PlannedModel(benchmark, backbone, model, plan.trainings(benchmark, backbone, model, setting.shot)[0])
    settings = config.of(benchmark, backbone, model)
    features, weights = plan.features(tested), plan.model_file(tested, "model.safetensors")
    manifest = paths.MANIFEST.format(benchmark=setting.base)
    arguments = {
        "title": setting.title,
        "features": features,
        "trained": weights,
        "components": components_record(method.components),
        "head": settings.decisive("train_model").get("head", {}),
        "seed": config.seed,
    }
    yield PlannedFigure(
        f"embedding-{name}",
        "embedding",
        "t-SNE of test videos (mean frame features), before and after the transformer with the text of their class.",
        [features, weights, manifest],
        arguments | {"manifest": manifest},
        of=setting,
    )
    head = settings.head
    if setting.shot == 1 and isinstance(head, ClipFsarConfig) and head.metric == "otam":
        episodes = paths.EPISODES.format(benchmark=setting.base, split="test", way=setting.way, shot=1)
        index = paths.INDEX.format(benchmark=setting.base)
        own = {"episodes": episodes, "index": index, "predictions": setting.predictions[0]}
        yield PlannedFigure(
            f"episode-{name}",
            "episode",
            "The first query taken for the right class and the first for a wrong one: distances of its frames to those "
            "of the true class (left) and of another (right), with the ordered alignment.",
            [features, weights, *own.values()],
            arguments
            | own
            | {"method": setting.method, "way": setting.way}
            | {"sampling": settings.sampling.decisive("encode_features")},
            of=setting,
        )


def _curves(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    metrics: dict[str, str] = {}  # of the first training of each model
    for of in plan.models():
        if trains(of):
            name = f"{plan.config.training_of(of.benchmark)}, {of.backbone}, {first_method(of.model).title}"
            metrics.setdefault(name, plan.model_file(of, "metrics.parquet"))
    if metrics:
        caption = "Training (means over stretches of episodes) and validation, one seed."
        yield PlannedFigure("curves", "curves", caption, sorted(metrics.values()), {"metrics": metrics})


def _cost(plan: Plan, rows: list[Setting]) -> Iterator[PlannedFigure]:
    caption = "Wall time of all jobs of a stage together, and the memory of its largest job, as they were measured."
    yield PlannedFigure("cost", "cost", caption, predictions_of(rows), {"logs": plan.measured()})
