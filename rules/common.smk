# The config as one checked object, and the plan that follows from it (fsar/plan/): what rules ask of it by wildcards.

import inspect
import os
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake.sourcecache import LocalSourceFile
from snakemake.utils import validate

# Scripts import the package from this checkout, in whichever environment they run, and nothing from the user's home. Where
# Snakemake takes the rules from a repository (`github(…)`, `gitfile(…)`) there is no checkout: the installed package is it.
RULES = workflow.current_basedir
CHECKOUT = isinstance(RULES, LocalSourceFile)
if CHECKOUT:
    ROOT = Path(RULES).parent
    sys.path.insert(0, str(ROOT))
elif installed := find_spec("fsar"):
    ROOT = Path(installed.origin).parents[1]
else:
    raise WorkflowError(
        f"The rules in {RULES} call the package fsar, which is not installed: install it beside Snakemake, from the "
        "same repository and version (pip install git+https://…@…), or name a checkout's Snakefile"
    )
os.environ |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))}
os.environ |= {"PYTHONNOUSERSITE": "1"}
# By this a job that is submitted again knows that it has failed in this run.
if workflow.is_main_process:
    os.environ |= {"FSAR_RUN": secrets.token_hex(8)}

from fsar.config import SPLITS, load
from fsar.config.merge import effective, without_effect
from fsar.config.written_twice import check_written_once
from fsar.errors import UserError
from fsar.files import from_working_directory
from fsar.methods import MODELS
from fsar.plan import paths, sources
from fsar.plan.checks import check_before_jobs
from fsar.plan.code import code_checksum
from fsar.plan.figures import planned_figures
from fsar.plan.layouts import layouts, titles_of
from fsar.plan.own_files import with_own_files
from fsar.plan.plan import (
    Plan,
    architecture_files,
    decoder_file,
    encoder_files,
    megabytes_of_tests,
    model_files,
)
from fsar.plan.shown import Rows, Text, Values, by_key
from fsar.plan.triggers import ignore_times_of_scripts
from fsar.sources.data_sets import DATA_SETS, PUBLISHED
from fsar.locales import take_any_text

ignore_times_of_scripts(str(RULES))
take_any_text(logger)


# What scripts find by themselves, and what the config names, lies in the run's directory.
moved = getattr(workflow.modifier, "path_modifier", None)
if getattr(moved, "prefix", None) or getattr(moved, "modifies_prefixes", False):
    raise WorkflowError(
        "The module of this workflow has a `prefix` (or `replace_prefix`), but files that its config names, such as the "
        "weights of a backbone, are found in the directory of the run alone: leave the prefix out, and give such a run "
        "a directory of its own (snakemake --directory)"
    )


def planned(config):
    """Check the config, and what it says of files that a user brings, before any job."""
    try:
        if workflow.is_main_process:
            files = {*workflow.configfiles, *workflow.overwrite_configfiles}
            check_written_once(sorted(map(Path, files)))
        plan = Plan(load(with_own_files(config)))
        if workflow.is_main_process:
            deployed_by = workflow.deployment_settings.deployment_method
            check_before_jobs(plan, own_environments=DeploymentMethod.CONDA in deployed_by)
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
    small_clip="|".join(CONFIG.small_clips),
    model="|".join(MODELS),
    split="val|test",
    any_split="|".join(SPLITS),
    published="|".join(PUBLISHED),
    dataset="|".join(DATA_SETS),
    archived="|".join(name for name, data_set in DATA_SETS.items() if data_set.comes == "archive"),
    kinetics_split="train|val",
    training=rf"seed\d+(-shot\d+)?|{paths.UNTRAINED}|{paths.GIVEN}",
    way=r"\d+",
    shot=r"\d+",
    seed=r"\d+",
    shard=r"\d+",
    part=r"\d+",
    parts=r"\d+",
    figure=r"[\w.-]+",
    prediction=r"[\w.-]+",


def asked(function):
    """A function of the plan as one of wildcards: it is given those that its parameters name."""
    names = inspect.signature(function).parameters

    def of_wildcards(wildcards):
        return function(**{name: wildcards[name] for name in names if name in wildcards.keys()})

    return of_wildcards


def section(name, function):
    """Values of a section by wildcards, as a parameter whose text is short."""
    return lambda wildcards: Values(name, asked(function)(wildcards))


def growing(amount, unit=""):
    """A resource of a job, more of it each time the job is submitted again (`retries`, in a cluster's profile)."""

    def resource(wildcards, attempt):
        return f"{amount * attempt}{unit}" if unit else amount * attempt

    return resource


def project_file(path):
    """A file of the package, so named that a checkout can be moved."""
    return from_working_directory(ROOT / path)


def code(script, *further):
    """The checksum of the statements that decide what a script computes, and of files that it imports by name."""
    if CHECKOUT:
        file = ROOT / "workflow_scripts" / script
    else:
        file = Path(workflow.sourcecache.get_path(RULES.join(f"../workflow_scripts/{script}")))
    return f"code {code_checksum(file, *further)}"


def with_model(script, files=model_files):
    """The code of a script that imports by name what its backbone is of and its model's head."""
    return lambda wildcards: code(
        script, *files(CONFIG.backbones[wildcards.backbone], MODELS[wildcards.model])
    )


def with_decoder(script):
    """The code of a script that imports the decoder of its benchmark by name."""
    return lambda wildcards: code(
        script, decoder_file(CONFIG.settings(wildcards.benchmark, "frames"))
    )


def unmade_files():
    """The outputs of jobs that should have run and did not."""
    return {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}


def threads_of_a_model(wildcards):
    return CONFIG.settings(
        wildcards.benchmark, "training", wildcards.backbone, wildcards.model
    ).threads


def gpus(wildcards):
    return 0 if CONFIG.device == "cpu" else 1


def training_gpus(wildcards):
    of_model = CONFIG.settings(wildcards.benchmark, "training", wildcards.backbone, wildcards.model)
    training = of_model.spread()
    return training.devices * training.nodes * gpus(wildcards)


def memory_of_tests(wildcards, attempt):
    """Megabytes: what the metric of the model keeps of every video."""
    return attempt * megabytes_of_tests(wildcards.model)
