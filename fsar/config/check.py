"""What does not fit together in a config, found before any job starts."""

import importlib.util
import os
from collections.abc import Iterable, Mapping

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.benchmarks.splits import SPLITS, split_lists
from fsar.class_names import letters
from fsar.config import layers
from fsar.config.clips import wrong_clips, wrong_features
from fsar.config.config import Config
from fsar.config.domains import other_frames, wrong_domains
from fsar.config.messages import nearest, refuse
from fsar.config.queries import wrong_queries
from fsar.config.source import DEMO_ACTIONS, DemoSource, PublishedSource
from fsar.methods import METHODS, MODELS


def check_source_counts(
    config: Config, benchmark: str, counts: dict[str, dict[str, int]], data: str | None = None
) -> None:
    """Check videos against the episodes that will be drawn from them for a benchmark.

    Args:
        config: the whole config.
        benchmark: of the run.
        counts: videos by split and class.
        data: the benchmark whose videos they are, where there are several: one to train on and one to test.

    Raises:
        UserError: naming the split, the key to change and the nearest valid value.
    """
    refuse(_wrong_counts(config, benchmark, counts, data or config.base(benchmark)))


def check_decoders(config: Config) -> None:
    """Check that the decoders of the benchmarks are installed where jobs decode, which is here.

    Raises:
        UserError: naming the benchmark and what to do.
    """
    refuse(
        f"frames.decoder of benchmark {benchmark!r} is decord, which is not installed: `pip install decord` (there are "
        "builds for x86_64 alone), or choose pyav or ffmpeg"
        for benchmark in dict.fromkeys(data for name in config.run.benchmarks for data in config.data_of(name))
        if config.videos(benchmark).frames.decoder == "decord" and importlib.util.find_spec("decord") is None
    )


def check_loggers(config: Config) -> None:
    """Check that trainings can show their metrics where the config says, as far as it shows here.

    Raises:
        UserError: naming the benchmark and what to do.
    """
    asked = {
        config.of(benchmark, backbone, model).training.logger: benchmark
        for benchmark in config.run.benchmarks
        for backbone in config.backbones_used(benchmark)
        for model in config.trained_here(benchmark, backbone)
    }
    refuse(
        f"training.logger of benchmark {benchmark!r} is {kind}: {lacks}"
        for kind, benchmark in asked.items()
        if (lacks := logger_lacks(kind))
    )


def logger_lacks(kind: str) -> str:
    """Say what a `training.logger` lacks here, and what to do; nothing if it lacks nothing."""
    if kind not in ("wandb", "mlflow"):
        return ""
    if importlib.util.find_spec(kind) is None:
        return f"the package is not installed: `pip install {kind}`, or choose tensorboard or csv"
    if kind == "mlflow" and not os.environ.get("MLFLOW_TRACKING_URI"):
        return "MLFLOW_TRACKING_URI is not set: give it the address of an MLflow server, or choose tensorboard or csv"
    return ""


def _wrong_counts(config: Config, asked: str, counts: dict[str, dict[str, int]], benchmark: str) -> Iterable[str]:
    """Name what the episodes of a benchmark that is asked for lack in the videos that they are drawn from."""
    removed = {letters(name) for name in config.videos(config.training_of(asked)).without}
    for split, way, shot, queries in config.episodes_drawn(asked):
        if config.drawn_from(asked, split) != benchmark:
            continue
        classes = {n: c for n, c in counts.get(split, {}).items() if split == "test" or letters(n) not in removed}
        if not classes:
            yield f"benchmark {benchmark!r} has no {split} class" + _asked_by(config, asked, split)
            continue
        if way > len(classes):
            yield (
                f"way is {way}, but benchmark {benchmark!r} has {len(classes)} {split} classes"
                + (f" without those that {asked!r} leaves out" if removed and split != "test" else "")
                + f"; the nearest valid value is {len(classes)}"
            )
        smallest = min(classes, key=lambda name: (classes[name], name))
        largest_shot = classes[smallest] - queries
        if shot > largest_shot:
            yield (
                f"shot {shot} and {queries} queries per class need {shot + queries} videos of every class, but "
                f"class {smallest!r} ({split}) of benchmark {benchmark!r} has {classes[smallest]}; "
                + (
                    f"the largest valid shot is {largest_shot}"
                    if largest_shot >= 1
                    else "add videos or leave the class out"
                )
            )
    yield from _wrong_unknown(config, asked, counts, benchmark)


def _wrong_unknown(config: Config, named: str, counts: dict[str, dict[str, int]], benchmark: str) -> Iterable[str]:
    """Say where unknown queries find too few classes beside those of an episode, or too few videos in them."""
    classes = len(counts.get("test", {}))
    way = max(way if isinstance(way, int) else classes for way in config.run.ways)
    asked = [("episodes.unknown", "test", config.videos(benchmark).episodes.unknown, "run.ways", way)]
    for backbone in config.backbones_used(named):
        for model in config.trained_here(named, backbone):
            if MODELS[model].unknown:
                own = config.of(named, backbone, model).training
                where = f"training.unknown of {model}"
                asked.append((where, "train", own.unknown_queries, "training.way", own.way))
    for where, split, unknown, key_name, way in dict.fromkeys(asked):
        if config.drawn_from(named, split) != benchmark:
            continue
        smallest, others = min(counts.get(split, {}).values(), default=0), len(counts.get(split, {})) - way
        if not unknown or not smallest or others < 0:
            continue
        said = f"{where} is {unknown} for benchmark {benchmark!r}"
        if not others:
            yield (
                f"{said}, but episodes of {way} classes have all {way} {split} classes, and no other is left: the "
                f"nearest valid value of {key_name} is {way - 1}"
            )
        elif unknown > (most := others * smallest):
            yield (
                f"{said}, but there are {others} other {split} classes, of which the smallest has "
                f"{smallest} videos; the nearest valid value is {most}"
            )


def _asked_by(config: Config, benchmark: str, split: str) -> str:
    """Say which models ask for the classes of a split, after the words that there are none."""
    backbones = config.backbones_used(benchmark)
    trained = dict.fromkeys(model for backbone in backbones for model in config.trained_here(benchmark, backbone))
    if split == "test":
        return ""
    if trained:
        return f", which {' and '.join(trained)} {'is' if len(trained) == 1 else 'are'} trained on"
    choosing = dict.fromkeys(
        model for backbone in config.run.backbones for model in config.choosing(benchmark, backbone)
    )
    own = " and ".join(f"heads.{MODELS[model].head}.text_weight for {model}" for model in choosing)
    return f", which chooses {own}: add validation classes, or set the weight"


def wrong_references(config: Config) -> Iterable[str]:
    """Name what refers to something that is not there."""
    for section in ("benchmarks", "backbones"):
        defined = getattr(config, section)
        for name in getattr(config.run, section):
            if name not in defined:
                yield f"run.{section} names {name!r}, which is not defined below {section}; {nearest(name, defined)}"
    for benchmark, settings in config.benchmarks.items():
        yield from wrong_domains(config, benchmark)
        if settings.variant_of is not None:
            base = config.benchmarks.get(settings.variant_of)
            if base is None or base.source is None:
                bases = [name for name, other in config.benchmarks.items() if other.source is not None]
                yield (
                    f"benchmarks.{benchmark}.variant_of names {settings.variant_of!r}, which is no benchmark with a "
                    f"source; {nearest(settings.variant_of, bases)}"
                )
            for section in ("frames", "episodes"):
                if getattr(settings, section).model_fields_set:
                    yield f"benchmarks.{benchmark}.{section}: a variant shares these with {settings.variant_of!r}"
        for key_name in ("training_of_backbone", "trained"):
            for name in getattr(settings, key_name):
                if name not in config.backbones:
                    yield (
                        f"benchmarks.{benchmark}.{key_name} names {name!r}, "
                        f"which is not defined below backbones; {nearest(name, config.backbones)}"
                    )
        for backbone, models in settings.trained.items():
            for model in models:
                if not MODELS[model].trained:
                    where = f"benchmarks.{benchmark}.trained.{backbone}.{model}"
                    yield f"{where} gives weights for a model that is not trained"


def wrong_predictions(config: Config) -> Iterable[str]:
    """Name what does not say which model clips are labelled with."""
    for name, asked in config.predict.items():
        where = f"predict.{name}"
        if (asked.benchmark is None) == (not asked.model):
            yield f"{where} needs a benchmark, whose model labels the clips, or the folder of a model: one of the two"
            continue
        if asked.benchmark is None:
            for key_name in ("backbone", "seed"):
                if getattr(asked, key_name) is not None:
                    yield f"{where}.{key_name}: the folder of a model has its own; leave it out"
            continue
        valid: dict[str, Iterable[str]] = {"benchmark": config.run.benchmarks, "backbone": config.backbones}
        if asked.benchmark in config.run.benchmarks:
            backbone = asked.backbone or config.run.backbones[0]
            if backbone in config.backbones:
                valid["method"] = config.methods(asked.benchmark, backbone)
            if asked.method is None:
                yield f"{where} needs a method; valid are {', '.join(valid.get('method', METHODS))}"
        for key_name, names in valid.items():
            value = getattr(asked, key_name)
            if value is not None and value not in names:
                yield f"{where}.{key_name} is {value!r}, which this run has not; {nearest(value, names)}"


def wrong_settings(config: Config, benchmark: str) -> Iterable[str]:
    """Check what only the merged settings of a benchmark show."""
    yield from _without_backbone(config)
    yield from wrong_clips(config, benchmark)
    for backbone in config.run.backbones:
        yield from _wrong_methods(config, benchmark, backbone)
    for backbone in config.backbones_used(benchmark):
        told: set[str] = set()  # of all models, and so of each
        for model in (None, *config.trained_here(benchmark, backbone)):
            training = layers.training(config, benchmark, backbone, model)
            for problem in training.problems():
                if problem not in told:
                    yield f"training of {model or 'models'} on {backbone}, benchmark {benchmark!r}: {problem}"
                told.add(problem)
    yield from other_frames(config, benchmark)
    yield from _wrong_texts(config, benchmark)
    for data in config.data_of(benchmark):
        yield from _wrong_data(config, benchmark, data)


def _wrong_data(config: Config, asked: str, benchmark: str) -> Iterable[str]:
    """Check what is known beforehand of the videos of a benchmark that one which is asked for uses."""
    stored = config.videos(benchmark).frames
    if stored.decoder == "ffmpeg" and not stored.antialias:
        yield f"frames.decoder of benchmark {benchmark!r} is ffmpeg, which cannot resize with frames.antialias: false"
    source = config.benchmarks[benchmark].source
    if isinstance(source, DemoSource):
        wanted = sum(getattr(source.classes, split) for split in SPLITS)
        if wanted > (there := DEMO_ACTIONS * len(source.shapes)):
            yield f"benchmarks.{benchmark}.source.classes are {wanted} in all, but there are {there}"
        counts = {
            split: dict.fromkeys(
                (f"demo class {i}" for i in range(getattr(source.classes, split))),
                getattr(source.videos_per_class, split),
            )
            for split in SPLITS
        }
        yield from _wrong_counts(config, asked, counts, benchmark)
    if isinstance(source, PublishedSource):
        counts = {
            row.split: {f"class {i}": row.smallest_class for i in range(row.classes)}
            for row in split_lists().query("benchmark == @source.kind").itertuples()
        }
        if counts:  # of an unpublished list it is not known
            yield from _wrong_counts(config, asked, counts, benchmark)
        yield from _missing_source(config, benchmark, source.kind)


def _without_backbone(config: Config) -> Iterable[str]:
    """Name methods that are asked for in this run and fit none of its backbones."""
    for method in config.run.methods or ():
        lacking = {backbone: config.lacks(backbone, method) for backbone in config.run.backbones}
        if all(lacking.values()):
            reasons = " and ".join(f"{backbone} has no {lacks}" for backbone, lacks in lacking.items())
            yield f"run.methods names {method!r}, but {reasons}: take it out, or add a backbone that has"


def _wrong_methods(config: Config, benchmark: str, backbone: str) -> Iterable[str]:
    """Say which methods cannot be run with a backbone on a benchmark."""
    methods, named = config.methods(benchmark, backbone), config.backbones[backbone].methods
    if not methods and named is None:
        yield f"none of the methods of benchmark {benchmark!r} fits the backbone {backbone!r}: leave it out, or add one"
    elif not methods:
        own = ", ".join(named or ())
        yield f"run.methods names none of backbones.{backbone}.methods, {own}: add one, or leave the backbone out"
    for method in methods:
        settings = config.of(benchmark, backbone, METHODS[method].model)
        needed, why = settings.head.least_frames
        yield from wrong_features(settings, method, needed, why)
        yield from wrong_queries(config, benchmark, backbone, method)
        if named and (lacks := config.lacks(backbone, method)):
            yield f"backbones.{backbone}.methods names {method!r}, but the backbone has no {lacks}: take it out"


def _wrong_texts(config: Config, benchmark: str) -> Iterable[str]:
    told = set()
    models = (
        METHODS[m].model for backbone in config.backbones_used(benchmark) for m in config.methods(benchmark, backbone)
    )
    for model in dict.fromkeys((None, *models)):
        for problem in layers.text(config, benchmark, model).problems():
            if problem not in told:
                yield f"text of {'' if model is None else f'{model} on '}benchmark {benchmark!r}: {problem}"
            told.add(problem)


def check_pictures(config: Config, sizes: Mapping[str, int]) -> None:
    """Check that stored frames are large enough for the backbones' pictures, which are cut out of them.

    Args:
        config: the whole config.
        sizes: side of the pictures of each backbone, in pixels.

    Raises:
        UserError: naming the benchmark and both keys to change.
    """
    refuse(
        f"frames.size of benchmark {benchmark!r} is {stored}, but backbone {backbone!r} is given pictures of {size} "
        f"pixels; the nearest valid value is {size}, or set backbones.{backbone}.size to {stored} or less, where its "
        "architecture can be given smaller ones"
        for benchmark in dict.fromkeys(data for name in config.run.benchmarks for data in config.data_of(name))
        for backbone, size in sizes.items()
        if size > (stored := config.videos(benchmark).frames.size)
    )


def _missing_source(config: Config, benchmark: str, kind: str) -> Iterable[str]:
    """Say what is not known of where a published benchmark's files are."""
    data_set = PUBLISHED[kind]
    if data_set.comes in ("by hand", "folder") and not getattr(config.sources, data_set.name).folder:
        yield f"benchmark {benchmark!r} needs sources.{data_set.name}.folder: where its videos are (docs/data.md)"
