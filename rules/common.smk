# The config as one checked object, and the plan that follows from it (fsar/plan/): what rules ask of it by wildcards.

import inspect
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import validate

# Scripts import the package from this checkout, in whichever environment they run, and nothing from the user's home.
ROOT = Path(workflow.current_basedir).parent
sys.path.insert(0, str(ROOT))
os.environ |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))}
os.environ |= {"PYTHONNOUSERSITE": "1"}

from fsar.config import SPLITS, CsvSource, load
from fsar.config.check import check_source_counts
from fsar.config.merge import effective, without_effect
from fsar.errors import UserError
from fsar.files import from_working_directory
from fsar.model.methods import METHODS, MODELS
from fsar.plan import paths, sources
from fsar.plan.code import code_checksum
from fsar.plan.figures import planned_figures
from fsar.plan.plan import Plan, code, metric_file
from fsar.results.layouts import layouts
from fsar.sources.facts import DATASETS, PUBLISHED
from fsar.sources.manifest import video_counts


def planned(config):
    """Check the config, and what it says of files that a user brings, before any job."""
    try:
        plan = Plan(load(config))
        if workflow.is_main_process:
            for base in plan.bases:
                source = plan.config.benchmarks[base].source
                if isinstance(source, CsvSource):
                    counts = video_counts(plan.videos.own_list(source.file))
                    check_source_counts(plan.config, base, counts)
            sources.check_sources(plan.config)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return plan


PLAN = planned(config)
CONFIG = PLAN.config
validate(config, "../configs/schema.json", set_default=False)

LAYOUTS = layouts(PLAN.settings)
FIGURES = planned_figures(PLAN)


if workflow.is_main_process:
    for problem in without_effect(CONFIG):
        logger.warning(f"config: {problem}")
    for row in effective(CONFIG):
        logger.info("settings: " + "; ".join(f"{name} {value}" for name, value in row.items()))


wildcard_constraints:
    benchmark="|".join(CONFIG.benchmarks),
    backbone="|".join(CONFIG.backbones),
    model="|".join(MODELS),
    split="val|test",
    any_split="|".join(SPLITS),
    published="|".join(PUBLISHED),
    dataset="|".join(set(DATASETS.values())),
    rar="hmdb51|ucf101",
    kinetics_split="train|val",
    training=rf"seed\d+|{paths.UNTRAINED}|{paths.GIVEN}",
    way=r"\d+",
    shot=r"\d+",
    seed=r"\d+",
    shard=r"\d+",
    part=r"\d+",
    figure=r"[\w.-]+",
    prediction=r"[\w.-]+",


def asked(function):
    """A function of the plan as one of wildcards: it is given those that its parameters name."""
    names = inspect.signature(function).parameters

    def of_wildcards(wildcards):
        return function(**{name: wildcards[name] for name in names if name in wildcards.keys()})

    return of_wildcards


def growing(amount, unit=""):
    """A resource of a job, more of it each time the job is submitted again (`retries`, in a cluster's profile)."""

    def resource(wildcards, attempt):
        return f"{amount * attempt}{unit}" if unit else amount * attempt

    return resource


def project_file(path):
    """A file of the project, so named that a checkout can be moved."""
    return from_working_directory(ROOT / path)


def with_metric(script):
    """The code of a script that imports the metric of its model by name."""
    return lambda wildcards: code(script, metric_file(wildcards.model))


def with_suffixes(path, suffixes, **names):
    """Paths for each suffix, with wildcards filled in from lists."""
    return expand(path + "{suffix}", suffix=suffixes, **names)


def threads_of_a_model(wildcards):
    return CONFIG.settings(wildcards.benchmark, "training", wildcards.backbone).threads


def gpus(wildcards):
    return 0 if CONFIG.device == "cpu" else 1


def training_gpus(wildcards):
    devices = CONFIG.settings(wildcards.benchmark, "training", wildcards.backbone).devices
    return devices * gpus(wildcards)


# Of a model's tests, as measured with 2,400 videos of RN50's width (docs/performance.md).
METRICS_MB = {"trx": 12000, "others": 4000}


def memory_of_tests(wildcards, attempt):
    """Megabytes: what the metric of the model keeps of every video (docs/performance.md)."""
    return attempt * METRICS_MB.get(MODELS[wildcards.model].metric, METRICS_MB["others"])


def evaluation_of_a_model(wildcards):
    """One job of a cluster: a model's features, and all tests on them."""
    names = (wildcards.benchmark, wildcards.backbone, wildcards.model, wildcards.training)
    return "evaluation-" + "-".join(names)
