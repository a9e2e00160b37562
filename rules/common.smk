# The config as one checked object, and what several stages ask of it.

import os
import sys
import zlib
from dataclasses import asdict
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# Scripts import the package from this checkout, in whichever environment they run.
ROOT = Path(workflow.current_basedir).parent
sys.path.insert(0, str(ROOT))
os.environ |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))}

from fsar.sources.manifest import read_listings, video_counts
from fsar.code_inputs import code_checksum
from fsar.sources.something import annotation_files, archive_parts
from fsar.sources.split_lists import split_lists
from fsar.config import (
    DATASETS,
    EXECUTION_KEYS,
    PUBLISHED,
    SPLITS,
    CsvSource,
    DemoSource,
    PublishedSource,
    check_source_counts,
    load,
)
from fsar.errors import UserError
from fsar.files import from_working_directory
from fsar.model.methods import METHODS, model_of
from fsar.results.layouts import layouts
from fsar.results.plan import Places, planned_figures
from fsar.videos.shards import shard_of


@cache
def listed_videos(listing):
    return read_listings([Path(listing)])


def checked(config):
    """Check the config, and what it says of lists of videos, before any job."""
    try:
        settings = load(config)
        if workflow.is_main_process:
            for name in {settings.base(benchmark) for benchmark in settings.run.benchmarks}:
                source = settings.benchmarks[name].source
                if isinstance(source, CsvSource):
                    counts = video_counts(listed_videos(source.file))
                    check_source_counts(settings, name, counts)
                if isinstance(source, PublishedSource) and DATASETS[source.kind] == "ssv2":
                    annotation_files(Path(settings.sources.ssv2.folder))
                    archive_parts(Path(settings.sources.ssv2.folder))
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return settings


CONFIG = checked(config)
validate(config, "../configs/schema.json", set_default=False)


PREDICTIONS = (
    "results/predictions/{benchmark}/{backbone}/{method}/seed{seed}/{way}way-{shot}shot.parquet"
)
# The method of a model, or of features, is the first of those that share them (fsar/model/methods.py).
MODEL = "results/models/{benchmark}/{backbone}/{method}/shot{shot}-seed{seed}"
FEATURES = "results/features/{benchmark}/{backbone}/{method}/seed{seed}/test.safetensors"


wildcard_constraints:
    benchmark="|".join(CONFIG.benchmarks),
    backbone="|".join(CONFIG.backbones),
    method="|".join(METHODS),
    split="val|test",
    any_split="|".join(SPLITS),
    published="|".join(PUBLISHED),
    dataset="|".join(set(DATASETS.values())),
    rar="hmdb51|ucf101",
    kinetics_split="train|val",
    way=r"\d+",
    shot=r"\d+",
    seed=r"\d+",
    shard=r"\d+",
    part=r"\d+",
    figure=r"[\w.-]+",


def growing(amount, unit=""):
    """A resource of a job, more of it each time the job is submitted again (`retries`, in a cluster's profile)."""

    def resource(wildcards, attempt):
        return f"{amount * attempt}{unit}" if unit else amount * attempt

    return resource


def project_file(path):
    """A file of the project, so named that a checkout can be moved."""
    return from_working_directory(ROOT / path)


def code(script):
    """The checksum of the package's files that decide what a script computes, as a parameter of its rule."""
    return code_checksum(ROOT / "workflow_scripts" / script)


def model_code(script):
    """The same for what a script computes with a model: the file of its metric counts too."""

    def checksum(wildcards):
        metric = METHODS[wildcards.method].components.metric
        return code_checksum(
            ROOT / "workflow_scripts" / script, ROOT / f"fsar/model/matching/{metric}.py"
        )

    return checksum


def components(wildcards):
    """What the method's model is made of, as parameters of a rule."""
    return asdict(METHODS[wildcards.method].components)


def of_base(path):
    """A file of the benchmark's data, which a variant shares with another benchmark."""

    def file(wildcards):
        return path.format(**{**wildcards, "base": CONFIG.base(wildcards.benchmark)})

    return file


def of_benchmark(section, key=None):
    """A benchmark's own settings, as parameters of a rule."""

    def settings(wildcards):
        values = CONFIG.settings(wildcards.benchmark, section, wildcards.get("backbone"))
        return values if key is None else values[key]

    return settings


def trained_head(wildcards):
    """The head's settings without β, which matters only where a trained model decides."""
    return {
        key: value for key, value in of_benchmark("head")(wildcards).items() if key != "text_weight"
    }


def decisive_training(wildcards):
    """The training's settings without those that only say how it is run."""
    settings = of_benchmark("training")(wildcards)
    return {key: value for key, value in settings.items() if key not in EXECUTION_KEYS}


def backbone_settings(wildcards):
    settings = CONFIG.backbones[wildcards.backbone].model_dump()
    return {key: settings[key] for key in ("model", "weights", "prompt")}


def backbone_weights(wildcards):
    """A local weights file is an input (a rule may make it); a tag of open_clip is not a file."""
    backbone = CONFIG.backbones[wildcards.backbone]
    return [backbone.weights] if backbone.weights_are_a_file else []


training_threads = of_benchmark("training", "threads")


def gpus(wildcards):
    return 0 if CONFIG.device == "cpu" else 1


def training_gpus(wildcards):
    return of_benchmark("training", "devices")(wildcards) * gpus(wildcards)


def is_trained(method):
    return METHODS[method].components.fine_tuned


def given_weights(benchmark, backbone, method):
    """The file of a model that was trained elsewhere, if the config names one."""
    return CONFIG.benchmarks[benchmark].trained.get(backbone, {}).get(model_of(method))


def trained_model(wildcards):
    """The weights of the model that a method uses; nothing for a method that is not trained."""
    if not is_trained(wildcards.method):
        return []
    if given := given_weights(wildcards.benchmark, wildcards.backbone, wildcards.method):
        return [given]
    return expand(
        f"{MODEL}/model.safetensors",
        benchmark=wildcards.benchmark,
        backbone=wildcards.backbone,
        method=model_of(wildcards.method),
        shot=of_benchmark("training", "shot")(wildcards),
        seed=wildcards.seed,
    )


def seeds(benchmark, backbone, method):
    """What is not trained here has one result, whatever the seeds."""
    if is_trained(method) and not given_weights(benchmark, backbone, method):
        return CONFIG.run.seeds
    return CONFIG.run.seeds[:1]


def selection(benchmark, backbone, method):
    """How the weights of a method were chosen."""
    if not is_trained(method):
        return "not trained"
    return "given" if given_weights(benchmark, backbone, method) else "val"


def features(wildcards):
    """The features a method is evaluated on: those of the model it uses."""
    return FEATURES.format(**{**wildcards, "method": model_of(wildcards.method)})


def evaluation_of_a_model(wildcards):
    """One job of a cluster: a model's features, and all tests on them, which alone are shorter than their submission."""
    names = (wildcards.benchmark, wildcards.backbone, model_of(wildcards.method), wildcards.seed)
    return "evaluation-" + "-".join(names)


def demo_source(wildcards):
    source = CONFIG.benchmarks[wildcards.benchmark].source
    if not isinstance(source, DemoSource):
        raise ValueError(f"{wildcards.benchmark} is not a rendered benchmark")
    return source


def listings(wildcards):
    """The lists of a benchmark's videos: the user's CSV, or one per rendered part."""
    source = CONFIG.benchmarks[wildcards.benchmark].source
    if isinstance(source, CsvSource):
        return [source.file]
    if isinstance(source, PublishedSource):
        return [f"data/{wildcards.benchmark}/published.csv"]
    return expand(
        "data/{benchmark}/videos/part{part}.csv",
        benchmark=wildcards.benchmark,
        part=range(source.parts),
    )


def missing_videos(wildcards):
    """The list of the published videos that are not there."""
    if isinstance(CONFIG.benchmarks[wildcards.benchmark].source, PublishedSource):
        return [f"data/{wildcards.benchmark}/missing.csv"]
    return []


def patience():
    """How hard downloads try, as parameters of a rule."""
    sources = CONFIG.sources
    return {
        "retries": sources.retries,
        "pause": sources.pause,
        "timeout": sources.timeout,
        "rate_limit": sources.rate_limit * 1e6,
    }


def split_list_fact(wildcards, fact):
    lists = split_lists().set_index(["benchmark", "split"])
    return lists.loc[(wildcards.published, wildcards.any_split), fact]


def split_list_url(wildcards):
    return CONFIG.sources.split_lists + split_list_fact(wildcards, "path")


def split_list_sha256(wildcards):
    return split_list_fact(wildcards, "sha256")


def published_kind(wildcards):
    return CONFIG.benchmarks[wildcards.benchmark].source.kind


def split_lists_of_benchmark(wildcards):
    kind = published_kind(wildcards)
    return [f"data/sources/split_lists/{kind}-{split}.txt" for split in SPLITS]


def inventories(wildcards):
    """What files a published benchmark's data set has: those of a folder, or what was fetched."""
    dataset = DATASETS[published_kind(wildcards)]
    folder = getattr(CONFIG.sources, dataset).folder
    if folder and not (dataset == "ssv2" and archive_parts(Path(folder))):
        return [f"data/sources/{dataset}/folder.parquet"]
    if dataset == "kinetics":
        parts = range(CONFIG.sources.kinetics.parts)
        return [f"data/sources/kinetics/part{part}.parquet" for part in parts]
    return [f"data/sources/{dataset}/unpacked.parquet"]


def ssv2_parts(wildcards):
    return archive_parts(Path(CONFIG.sources.ssv2.folder))


def ssv2_annotations(wildcards):
    """The annotations that name the classes of Something-Something; other lists name them themselves."""
    if DATASETS[published_kind(wildcards)] != "ssv2":
        return []
    return annotation_files(Path(CONFIG.sources.ssv2.folder))


def videos_to_decode(wildcards):
    """The manifest, or the user's CSV itself: when that changes, the shards whose videos changed are decoded again, which
    their parameters tell (`videos_of_shard`), and no others."""
    source = CONFIG.benchmarks[wildcards.benchmark].source
    if isinstance(source, CsvSource):
        return ancient(source.file)
    return f"data/{wildcards.benchmark}/manifest.parquet"


def videos_of_shard(wildcards):
    """The videos that a CSV puts into a shard, as a checksum; other sources are tracked by their files."""
    source = CONFIG.benchmarks[wildcards.benchmark].source
    if not isinstance(source, CsvSource):
        return None
    videos = listed_videos(source.file)
    shards = CONFIG.settings(wildcards.benchmark, "frames")["shards"]
    rows = zip(videos["video_id"], videos["path"])
    own = sorted(row for row in rows if shard_of(row[0], shards) == int(wildcards.shard))
    return zlib.crc32(repr(own).encode())


def shard_files(suffix):
    def files(wildcards):
        base = CONFIG.base(wildcards.benchmark)
        shards = CONFIG.settings(base, "frames")["shards"]
        return [f"data/{base}/frames/shard-{shard:03d}.{suffix}" for shard in range(shards)]

    return files


def validation_episodes(wildcards):
    """Validation episodes are of the training's way and shot."""
    way = of_benchmark("training", "way")(wildcards)
    base = CONFIG.base(wildcards.benchmark)
    return f"data/{base}/episodes/val-{way}way-{wildcards.shot}shot.parquet"


def setting(benchmark, backbone, method, way, shot, seeds):
    """One row of a table, with the files it comes from."""
    return {
        "benchmark": benchmark,
        "backbone": backbone,
        "key": method,
        "method": METHODS[method].title,
        "way": way,
        "shot": shot,
        "seeds": seeds,
        "selection": selection(benchmark, backbone, method),
        "predictions": expand(
            PREDICTIONS,
            benchmark=benchmark,
            backbone=backbone,
            method=method,
            way=way,
            shot=shot,
            seed=seeds,
        ),
        "counts": f"results/data/{CONFIG.base(benchmark)}.json",
        "base": CONFIG.base(benchmark),
        "frames": CONFIG.settings(benchmark, "sampling")["frames"],
        "depth": CONFIG.settings(benchmark, "head")["depth"],
        "published_as": {
            "method": METHODS[method].published_as,
            "backbone": CONFIG.backbones[backbone].published_as,
        },
    }


def settings_of_the_table():
    """Every setting the config asks for, in the order of the config."""
    return [
        setting(benchmark, backbone, method, way, shot, seeds(benchmark, backbone, method))
        for benchmark in CONFIG.run.benchmarks
        for backbone in CONFIG.run.backbones
        for way in CONFIG.run.ways
        for shot in sorted({0, *CONFIG.shots(benchmark)})
        for method in CONFIG.methods(benchmark)
        if shot in METHODS[method].shots(CONFIG.shots(benchmark))
    ]


def settings_of_a_model(wildcards):
    """What the config tests one trained model with: every method that uses it, every way and shot."""
    return [
        setting(wildcards.benchmark, wildcards.backbone, method, way, shot, [int(wildcards.seed)])
        for method in CONFIG.methods(wildcards.benchmark)
        if model_of(method) == wildcards.method
        for way in CONFIG.run.ways
        for shot in METHODS[method].shots(CONFIG.shots(wildcards.benchmark))
    ]


def predictions_of_a_model(wildcards):
    return [path for row in settings_of_a_model(wildcards) for path in row["predictions"]]


def data_files(benchmark):
    """Everything that is made before a model is looked at: frames, stored episodes, and the report of the data."""
    base = CONFIG.base(benchmark)
    trainings = [CONFIG.settings(benchmark, "training", name) for name in CONFIG.run.backbones]
    settings = {("val", training["way"], training["shot"]) for training in trainings}
    settings |= {("test", way, shot) for way in CONFIG.run.ways for shot in CONFIG.shots(benchmark)}
    return [
        f"results/data/{base}.html",
        *(
            f"data/{base}/episodes/{split}-{way}way-{shot}shot.parquet"
            for split, way, shot in sorted(settings)
        ),
    ]


BASES = sorted({CONFIG.base(benchmark) for benchmark in CONFIG.run.benchmarks})


def model_cards():
    """One card for every model that is trained."""
    return [
        f"{MODEL}/README.md".format(
            benchmark=benchmark,
            backbone=backbone,
            method=method,
            shot=CONFIG.settings(benchmark, "training", backbone)["shot"],
            seed=seed,
        )
        for benchmark in CONFIG.run.benchmarks
        for backbone in CONFIG.run.backbones
        for method in dict.fromkeys(map(model_of, CONFIG.methods(benchmark)))
        if selection(benchmark, backbone, method) == "val"
        for seed in CONFIG.run.seeds
    ]


def model_file(name):
    """Where a file of a trained model is, for what is planned before any job."""

    def path(benchmark, backbone, method, seed):
        shot = CONFIG.settings(benchmark, "training", backbone)["shot"]
        names = {"benchmark": benchmark, "backbone": backbone, "method": method, "seed": seed}
        return f"{MODEL}/{name}".format(shot=shot, **names)

    return path


def features_file(benchmark, backbone, method, seed):
    return FEATURES.format(benchmark=benchmark, backbone=backbone, method=method, seed=seed)


SETTINGS = settings_of_the_table()
LAYOUTS = layouts(SETTINGS)
FIGURES = planned_figures(
    CONFIG,
    SETTINGS,
    Places(model_file("model.safetensors"), model_file("metrics.parquet"), features_file),
)


def figure_code(wildcards):
    """The same for a figure: the file that draws it counts too."""
    drawing = ROOT / f"fsar/results/figures/{FIGURES[wildcards.figure].kind}.py"
    return code_checksum(ROOT / "workflow_scripts/draw_figure.py", drawing)
