# The config as one checked object, and what several stages ask of it.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# Scripts import the package from this checkout, in whichever environment they run.
ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))
os.environ |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))}

from fsar.benchmarks.manifest import read_listings, video_counts
from fsar.code_inputs import code_inputs
from fsar.config import CsvSource, DemoSource, check_source_counts, load
from fsar.errors import UserError
from fsar.files import from_working_directory
from fsar.model.methods import METHODS


def checked(config):
    """Check the config, and what it says of lists of videos, before any job."""
    try:
        settings = load(config)
        if workflow.is_main_process:
            for name in settings.run.benchmarks:
                source = settings.benchmarks[name].source
                if isinstance(source, CsvSource):
                    counts = video_counts(read_listings([Path(source.file)]))
                    check_source_counts(settings, name, counts)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return settings


CONFIG = checked(config)
validate(config, "../configs/schema.json", set_default=False)


PREDICTIONS = (
    "results/predictions/{benchmark}/{backbone}/{method}/seed{seed}/{way}way-{shot}shot.parquet"
)
MODEL = "results/models/{benchmark}/{backbone}/{method}/shot{shot}-seed{seed}"
FIGURES = multiext("results/figures/accuracy", ".pdf", ".svg", ".png")


wildcard_constraints:
    benchmark="|".join(CONFIG.benchmarks),
    backbone="|".join(CONFIG.backbones),
    method="|".join(METHODS),
    split="val|test",
    way=r"\d+",
    shot=r"\d+",
    seed=r"\d+",
    shard=r"\d+",
    part=r"\d+",


def project_file(path):
    """A file of the project, so named that a checkout can be moved."""
    return from_working_directory(ROOT / path)


def code(script):
    """The package's files that decide what a script computes."""
    return [project_file(path) for path in code_inputs(ROOT / "workflow_scripts" / script)]


def of_benchmark(section, key=None):
    """A benchmark's own settings, as parameters of a rule."""

    def settings(wildcards):
        values = CONFIG.settings(wildcards.benchmark, section)
        return values if key is None else values[key]

    return settings


def backbone_settings(wildcards):
    return CONFIG.backbones[wildcards.backbone].model_dump()


def backbone_weights(wildcards):
    """A local weights file is an input (a rule may make it); a tag of open_clip is not a file."""
    backbone = CONFIG.backbones[wildcards.backbone]
    return [backbone.weights] if backbone.weights_are_a_file else []


training_threads = of_benchmark("training", "threads")


def gpus(wildcards):
    return 0 if CONFIG.device == "cpu" else 1


def seeds(method):
    """A method that is not trained has one result, whatever the seeds."""
    return CONFIG.run.seeds if METHODS[method].fine_tuned else CONFIG.run.seeds[:1]


def trained_model(wildcards):
    """The weights of a method that is trained; nothing for one that is not."""
    if not METHODS[wildcards.method].fine_tuned:
        return []
    shot = CONFIG.settings(wildcards.benchmark, "training")["shot"]
    return expand(
        f"{MODEL}/model.safetensors",
        shot=shot,
        **{name: wildcards[name] for name in ("benchmark", "backbone", "method", "seed")},
    )


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
    return expand(
        "data/{benchmark}/videos/part{part}.csv",
        benchmark=wildcards.benchmark,
        part=range(source.parts),
    )


def shard_files(suffix):
    def files(wildcards):
        shards = CONFIG.settings(wildcards.benchmark, "frames")["shards"]
        return [
            f"data/{wildcards.benchmark}/frames/shard-{shard:03d}.{suffix}"
            for shard in range(shards)
        ]

    return files


def validation_episodes(wildcards):
    """Validation episodes are of the training's way and shot."""
    training = CONFIG.settings(wildcards.benchmark, "training")
    return (
        f"data/{wildcards.benchmark}/episodes/val-{training['way']}way-{wildcards.shot}shot.parquet"
    )


def settings_of_the_table():
    """Every setting the config asks for, with the files it comes from, in the order of the config."""
    return [
        {
            "benchmark": benchmark,
            "backbone": backbone,
            "published_backbone": CONFIG.backbones[backbone].published_as,
            "method": method,
            "way": way,
            "shot": shot,
            "seeds": seeds(method),
            "predictions": expand(
                PREDICTIONS,
                benchmark=benchmark,
                backbone=backbone,
                method=method,
                way=way,
                shot=shot,
                seed=seeds(method),
            ),
        }
        for benchmark in CONFIG.run.benchmarks
        for backbone in CONFIG.run.backbones
        for way in CONFIG.run.ways
        for shot in CONFIG.shots(benchmark)
        for method in CONFIG.run.methods
    ]
