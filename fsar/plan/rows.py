"""The rows of the comparison tables, each with the files that its numbers come from."""

from typing import Any

from fsar.config import Config, CsvSource, DemoSource
from fsar.methods import METHODS, Method
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.plan import paths
from fsar.plan.plan import Plan, PlannedModel, predictions_file
from fsar.plan.ways import holds_every_class
from fsar.results.setting import Setting

# The model whose temporal transformer has the depth that a row tells.
DEEPEST = "clip-fsar"


def rows(plan: Plan) -> list[Setting]:
    """Return every row that the config asks for, in the order of the config."""
    config = plan.config
    return [
        row(plan, benchmark, backbone, method, way, shot)
        for benchmark in config.run.benchmarks
        for backbone in config.run.backbones
        for way in plan.ways(benchmark)
        for shot in sorted({0, *config.shots(benchmark)})
        for method in config.methods(benchmark, backbone)
        if shot in METHODS[method].shots(config.shots(benchmark))
    ]


def row(
    plan: Plan, benchmark: str, backbone: str, method: str, way: int, shot: int, training: str | None = None
) -> Setting:
    """Return one row: of all trainings that its tests look at, or of a single one."""
    config, model, trained_on = plan.config, METHODS[method].model, plan.config.training_of(benchmark)
    head = config.of(benchmark, backbone, DEEPEST).head
    assert isinstance(head, ClipFsarConfig)
    trainings = [training] if training else plan.trainings(benchmark, backbone, model, shot)
    seeds = tuple(seed for own in trainings if (seed := paths.seed_of(own)) is not None)
    chooses = plan.chooses_text_weight(PlannedModel(benchmark, backbone, model, trainings[0]))
    return Setting(
        benchmark=benchmark,
        backbone=backbone,
        method=method,
        title=METHODS[method].title,
        way=way,
        shot=shot,
        seeds=seeds,
        selection="val" if seeds or chooses else {paths.GIVEN: "given"}.get(trainings[0], "not trained"),
        predictions=tuple(predictions_file(PlannedModel(benchmark, backbone, model, own)) for own in trainings),
        counts=paths.COUNTS.format(benchmark=config.base(benchmark)),
        episodes=paths.EPISODES.format(benchmark=config.base(benchmark), split="test", way=way, shot=shot),
        manifest=paths.MANIFEST.format(benchmark=config.base(benchmark)),
        base=config.base(benchmark),
        frames=config.sampling_of(benchmark, backbone).frames,
        depth=head.depth,
        published_method=METHODS[method].published_as,
        published_backbone=config.backbones[backbone].published_as,
        inductive=METHODS[method].inductive,
        seen=seen(config, benchmark, backbone),
        trained_on=config.base(trained_on) if config.crosses(benchmark) else "",
        removed=tuple(sorted(config.benchmarks[trained_on].without)),
        models=trained_on,
        every_class=holds_every_class(config, plan.videos, benchmark, way),
    )


def seen(config: Config, benchmark: str, backbone: str) -> str:
    """Tell whether a backbone's pretraining saw videos of a benchmark: yes or no; empty where that is not known."""
    names = {benchmark, config.base(benchmark), config.published_kind(benchmark)}
    saw = config.backbones[backbone].saw.values()
    if any(names.intersection(videos or ()) for videos in saw):
        return "yes"
    return "" if not saw or None in saw else "no"


def first_method(model: str) -> Method:
    """Return the first method that decides with a model, whose name and source stand for it."""
    return next(method for method in METHODS.values() if method.model == model)


def rows_of_deals(plan: Plan, rows: list[Setting]) -> list[Setting]:
    """Return the rows of benchmarks that deal the same classes to their splits, each in its own way, where there are.

    Those are the demo's, or lists of your own with the same videos: one list, or one to train on that has also the
    videos of another to test on. Variants of a benchmark and pairs of domains are none. Of several such groups it is
    the first. Of benchmarks with the same partition, such as one with two trainings, the first stands for all.
    """
    worlds = {name: world for name in plan.config.run.benchmarks if (world := _world(plan, name)) is not None}
    first_of = {_partition(plan, name): name for name in reversed(worlds)}
    worlds = {name: world for name, world in worlds.items() if name in first_of.values()}
    first = next((world for world in worlds.values() if list(worlds.values()).count(world) > 1), None)
    return [row for row in rows if first is not None and worlds.get(row.benchmark) == first]


def _world(plan: Plan, benchmark: str) -> object:
    """Return what is equal where two benchmarks deal the same classes; None where nobody dealt them."""
    config = plan.config
    if config.benchmarks[benchmark].variant_of:
        return None
    trained, tested = (config.benchmarks[config.base(n)].source for n in (config.training_of(benchmark), benchmark))
    if isinstance(trained, CsvSource) and isinstance(tested, CsvSource):
        lists = (plan.videos.own_list(source.file) for source in (trained, tested))
        whole, part = (frozenset(zip(own["path"], own["class_name"], strict=True)) for own in lists)
        return whole if part <= whole else None
    source = config.benchmarks[benchmark].source
    return source.model_copy(update={"deal": 0}) if isinstance(source, DemoSource) else None


def _partition(plan: Plan, benchmark: str) -> object:
    """Return what is equal where the same classes, of the same videos, are in the same splits."""
    config = plan.config
    dealt: list[object] = []
    for name in (config.training_of(benchmark), benchmark):
        source = config.benchmarks[config.base(name)].source
        if isinstance(source, CsvSource):
            own = plan.videos.own_list(source.file)
            dealt.append(frozenset(zip(own["path"], own["class_name"], own["split"], strict=True)))
        else:
            assert source is not None
            dealt.append(source.model_dump_json())
    return tuple(dealt)


def rows_with_unknown(plan: Plan, rows: list[Setting]) -> list[Setting]:
    """Return the rows whose tests ask unknown queries."""
    return [row for row in rows if plan.config.videos(row.benchmark).episodes.unknown]


def rows_of_a_model(plan: Plan, wildcards: Any) -> list[Setting]:
    """Return what one trained model is tested with; wildcards as of `Plan.trained`."""
    of = plan.trained(wildcards)
    tested_on = [name for name in plan.config.run.benchmarks if plan.config.training_of(name) == of.benchmark]
    return [
        row(plan, benchmark, of.backbone, test["method"], test["way"], test["shot"], of.training)
        for benchmark in tested_on
        for test in plan.tests(of._replace(benchmark=benchmark))
    ]


def predictions_of(rows: list[Setting]) -> list[str]:
    """Return every file of predictions, once."""
    return list(dict.fromkeys(path for row in rows for path in row.predictions))


def episodes_of(rows: list[Setting]) -> list[str]:
    """Return every file of stored episodes, once."""
    return list(dict.fromkeys(row.episodes for row in rows))


def counts_of(rows: list[Setting]) -> list[str]:
    """Return every file of numbers of videos, once."""
    return list(dict.fromkeys(row.counts for row in rows))


def manifests_of(rows: list[Setting]) -> list[str]:
    """Return every manifest, once."""
    return list(dict.fromkeys(row.manifest for row in rows))
