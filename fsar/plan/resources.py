"""What jobs ask for beside cores: GPUs, memory, and the nodes of SLURM that a training is divided over."""

import math
from collections.abc import Callable
from typing import Any

from fsar.config import Config, TrainingConfig
from fsar.plan.plan import Plan, PlannedModel

BYTES_OF_LOGIT = 24  # four copies of 32 bits, and what a row of the table takes


def memory_of_tests(plan: Plan, of: PlannedModel, held: int) -> int:
    """Return the memory of a model's tests in megabytes: what is held of videos and episodes, and all logits of a test.

    Episodes are compared so many at once that their part does not grow with their classes (`Head.at_once`); the logits
    of a test, a number for each query and class, do.

    Args:
        plan: of the run.
        of: the model.
        held: memory of tests of five classes.
    """
    drawn = plan.config.videos(of.benchmark).episodes
    ways = max((test["way"] for test in plan.tests(of)), default=0)
    return held + max(0, drawn.test * drawn.queries * (ways**2 - 25) * BYTES_OF_LOGIT // 10**6)


def gpus_of_training(config: Config, training: TrainingConfig) -> int:
    """Return the GPUs of a training over all its nodes; none where models run on the CPU."""
    spread = training.spread()
    return 0 if config.device == "cpu" else spread.devices * spread.nodes


def memory_to_encode(training: TrainingConfig, attempt: int) -> int:
    """Return the megabytes of a job that encodes training videos, which holds their features until it writes them."""
    return (8000 + math.ceil(1000 * training.stored_gb)) * attempt


def across_nodes(config: Config, name: str) -> Callable[[Any], Any]:
    """Return a resource of training as a function of wildcards: None, which is none, on a single node."""

    def resource(wildcards: Any) -> Any:
        training = config.of(wildcards.benchmark, wildcards.backbone, wildcards.model).training.spread()
        asked = slurm_resources(training.nodes, training.devices, training.threads, config.device != "cpu")
        return asked.get(name)

    return resource


def slurm_resources(nodes: int, devices: int, threads: int, gpus: bool) -> dict[str, Any]:
    """Return what a job on several nodes asks SLURM for, by the names of Snakemake's executor; nothing for one node."""
    if nodes == 1:
        return {}
    return {
        "nodes": nodes,
        "tasks": nodes * devices,
        "mpi": "srun",  # the script calls it
        "cpus_per_task": max(threads // devices, 1),
        "tasks_per_gpu": 0,  # `tasks` would count as these
        "slurm_extra": f"--ntasks-per-node={devices}" + (f" --gpus-per-node={devices}" if gpus else ""),
    }
