"""A training on several nodes of a SLURM cluster: `srun` starts its processes, each of which runs the same script.

Snakemake starts the script once, on the first node of the job. That process starts the others and waits for them.
"""

import os
import shlex
import subprocess
import sys

from fsar.errors import UserError

STARTED = "FSAR_STARTED_BY_SRUN"


def is_task() -> bool:
    """Tell the processes that train from the one that has started them."""
    return STARTED in os.environ


def start_tasks(nodes: int, devices: int, threads: int) -> None:
    """Run this script again, a process for every device of every node, and wait until all have ended.

    Raises:
        UserError: this is no job of SLURM, it has fewer nodes, or a process has failed, which told why.
    """
    if "SLURM_JOB_ID" not in os.environ:
        raise UserError(
            f"training.nodes is {nodes}, but this is no job of SLURM, which alone starts a training on several nodes: "
            "use profiles/slurm, or set training.nodes to 1"
        )
    command = [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes * devices}", f"--ntasks-per-node={devices}",
        f"--cpus-per-task={max(threads // devices, 1)}", "--kill-on-bad-exit=1", sys.executable, *sys.argv,
    ]  # fmt: skip
    status = subprocess.run(command, env={**os.environ, STARTED: "1"}, check=False).returncode
    if status:
        raise UserError(
            f"The training on {nodes} nodes ended with status {status}. Why is told above by its processes or, if the "
            f"job has fewer nodes or cores, by srun: {shlex.join(command)}"
        )
