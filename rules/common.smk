# The config as one checked object, and what several stages ask of it.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# Scripts import the package from this checkout, in whichever environment they run.
ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from fsar.benchmarks.manifest import read_listings, video_counts
from fsar.code_inputs import code_inputs
from fsar.config import CsvSource, DemoSource, check_source_counts, load
from fsar.errors import UserError
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


def code(script):
    """The package's files that decide what a script computes."""
    return code_inputs(ROOT / "workflow_scripts" / script)


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


def training_threads(wildcards):
    return CONFIG.settings(wildcards.benchmark, "training")["threads"]


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
        "results/models/{benchmark}/{backbone}/{method}/shot{shot}-seed{seed}/model.safetensors",
        shot=shot,
        **{name: wildcards[name] for name in ("benchmark", "backbone", "method", "seed")},
    )
