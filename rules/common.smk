# The config as one checked object, the plan that follows from it (fsar/plan/), and the functions that several rules use.

import os
import secrets
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# Methods of a user's own are told before anything asks which there are; jobs inherit it.
from fsar.errors import UserError
from fsar.own_methods import announce

announce(config.get("own_methods"))
try:
    from fsar.methods import MODELS
except UserError as error:
    raise WorkflowError(str(error)) from None

from fsar.benchmarks.data_sets import DATA_SETS, PUBLISHED
from fsar.benchmarks.splits import SPLITS
from fsar.config import SmallClipConfig, SmallVideoConfig
from fsar.config.overview import effective, left_out, without_effect
from fsar.config.written_twice import check_written_once
from fsar.files import from_working_directory
from fsar.locales import take_any_text
from fsar.plan import paths, resources, rows, snakemake_api, sources
from fsar.plan.checks import check_before_jobs
from fsar.plan.code import code_checksum
from fsar.plan.figures import planned_figures
from fsar.plan.imported import (
    architecture_files,
    decoder_file,
    encoder_files,
    encoder_files_of_training,
    model_files,
)
from fsar.plan.layouts import layouts, titles_of
from fsar.plan.own_files import with_own_files
from fsar.plan.parameters import MOST, MOST_OF_FEATURES, Keyed, Rows, Text, Values, by_key, fixed
from fsar.plan.plan import Plan
from fsar.plan.records import facts_of
from fsar.plan.removals import load_with_removals

take_any_text(logger)
snakemake_api.plan_faster()


def planned(config):
    """Check the config, and what it says of files that a user brings, before any job."""
    try:
        snakemake_api.ignore_times_of_scripts(workflow)
        if snakemake_api.is_moved(workflow):
            raise UserError(
                "The module of this workflow has a `prefix` (or `replace_prefix`), but files that its config names, "
                "such as the weights of a backbone, are found in the directory of the run alone: leave the prefix out, "
                "and give such a run a directory of its own (snakemake --directory)"
            )
        in_front = snakemake_api.is_main_process(workflow)
        if in_front:
            # By this a job that is submitted again knows that it has failed in this run.
            os.environ |= {"FSAR_RUN": secrets.token_hex(8)}
            check_written_once(snakemake_api.config_files(workflow))
        checked, removals = load_with_removals(with_own_files(config))
        plan = Plan(checked)
        if in_front:
            check_before_jobs(plan, own_environments=snakemake_api.has_conda(workflow))
            for told in removals:
                logger.info(told)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return plan, in_front


PLAN, IN_FRONT = planned(config)
CONFIG = PLAN.config

if IN_FRONT:
    for problem in without_effect(CONFIG):
        logger.warning(f"config: {problem}")
    for told in left_out(CONFIG):
        logger.info(f"left out: {told}")
    for row in effective(CONFIG):
        logger.info("settings: " + "; ".join(f"{name} {value}" for name, value in row.items()))


wildcard_constraints:
    benchmark="|".join(CONFIG.benchmarks),
    backbone="|".join(CONFIG.backbones),
    small_clip="|".join(CONFIG.small_clips),
    small_video="|".join(CONFIG.small_videos),
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


# Parameters: what decides a result, beside its inputs.


def settings_of(wildcards):
    """Everything that holds for a model: its sections of the config, merged."""
    return CONFIG.of(wildcards.benchmark, wildcards.backbone, wildcards.model)


def decided_by(stage):
    """The settings of a model that decide a stage, one parameter for each key. Its script is given the same."""

    @cache  # of all its seeds
    def decisive(*model):
        return CONFIG.of(*model).decisive(stage) | {"seed": CONFIG.seed}

    def values(wildcards):
        return decisive(wildcards.benchmark, wildcards.backbone, wildcards.model)

    def facts(wildcards):
        return Values("facts", settings_of(wildcards).components_of(stage).facts())

    most = MOST_OF_FEATURES if stage.startswith("encode_") else MOST
    return by_key(values, most=most) | {"facts": facts}


def source_of(wildcards):
    return CONFIG.benchmarks[wildcards.benchmark].source


def small_clip_decided_by(stage):
    return by_key(
        lambda wildcards: CONFIG.small_clips[wildcards.small_clip].decisive(stage),
        SmallClipConfig,
    )


def small_video_decided_by(stage):
    return by_key(
        lambda wildcards: CONFIG.small_videos[wildcards.small_video].decisive(stage),
        SmallVideoConfig,
    )


def data_of(benchmark, wildcards):
    """Everything of a benchmark that is made before a model is looked at; asked only where that is wanted."""
    return PLAN.data_files(benchmark)


def frames_of(wildcards):
    return CONFIG.videos(wildcards.benchmark).frames


def drawn_by(wildcards):
    """What the episodes of a split are drawn by, beside their way and shot."""
    episodes = CONFIG.videos(wildcards.benchmark).episodes
    number = getattr(episodes, wildcards.split)
    drawn = {"queries": episodes.queries, "episodes": number, "seed": CONFIG.seed}
    if wildcards.split == "test":
        others = {"unknown": episodes.unknown, "in_all": episodes.in_all}
        return Values("drawn", drawn | {name: count for name, count in others.items() if count})
    without = CONFIG.videos(wildcards.benchmark).without
    return Values("drawn", drawn | ({"without": list(without)} if without else {}))


def method_of_a_model(wildcards):
    """Of the first method that decides with a model: what it is called, where it is from, its public code."""
    method = rows.first_method(wildcards.model)
    names = ("title", "citation", "code", "deviations", "code_selection")
    return Values("method", {name: getattr(method, name) for name in names})


def licences(wildcards):
    videos = CONFIG.own(wildcards.benchmark, "licence")
    weights = CONFIG.backbones[wildcards.backbone].licence
    return Values("licence", {"videos": videos, "weights": weights})


def tests(wildcards):
    return Rows("tests", PLAN.tests(wildcards))


def code(script, *further):
    """The checksum of the statements that decide what a script computes, and of files that it imports by name."""
    if LOCAL:
        file = Path(RULES).with_name("workflow_scripts") / script
    else:
        file = Path(workflow.sourcecache.get_path(RULES.join(f"../workflow_scripts/{script}")))
    return f"code {code_checksum(file, *further)[:10]}"


def with_model(script, files=model_files):
    """The code of a script that imports by name what its backbone is of and its model's head."""
    return lambda wildcards: code(
        script, *files(CONFIG.backbones[wildcards.backbone], MODELS[wildcards.model])
    )


# Resources.


def threads_of_a_model(wildcards):
    return settings_of(wildcards).training.threads


def gpus(wildcards):
    return 0 if CONFIG.device == "cpu" else 1


def memory_to_encode_training(wildcards, attempt):
    """The features are held until they are written."""
    return resources.memory_to_encode(settings_of(wildcards).training, attempt)


def gpus_of_a_training(wildcards):
    return resources.gpus_of_training(CONFIG, settings_of(wildcards).training)
