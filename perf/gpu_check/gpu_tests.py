"""The tests that need a GPU (tests/test_cuda.py), as part of the check; and which GPU a job takes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import torch

from fsar.gpus import own_gpus, visible_gpus
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import Sizes

REPOSITORY = Path(__file__).resolve().parents[2]


def look_at_tests(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Run the tests in a process of their own; their output is in this part's log."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-rs", "-p", "no:cacheprovider", "tests/test_cuda.py"]
    variables = {key: value for key, value in os.environ.items() if key != "CUBLAS_WORKSPACE_CONFIG"}
    chosen = command if sizes.tests else [*command, "--collect-only"]
    run = subprocess.run(chosen, cwd=REPOSITORY, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = run.stdout.decode(errors="replace")
    sys.stderr.write(output)
    last = next((line for line in reversed(output.splitlines()) if re.search(r"\d+ \w+", line)), "no output")
    findings.check("tests/test_cuda.py passes", run.returncode == 0, last.strip("= "))
    if device.is_gpu:
        findings.check("the tests saw the GPU", "finds no NVIDIA GPU" not in output)


def look_at_the_job_s_gpu(data: Path, sizes: Sizes, device: Device, findings: Findings) -> None:
    """Take a GPU as a job does, and see that it is the one that PyTorch computes on."""
    names = visible_gpus()
    with own_gpus(1, "auto", data / "locks") as taken:
        at_work = device.facts().get("UUID", "none")
        findings.row("gpu_of_a_job", visible=" ".join(names), taken=" ".join(taken), at_work=at_work)
        findings.check("a job takes one GPU at most", len(taken) <= 1)
        if device.is_gpu:
            findings.check("a job sees one GPU", torch.cuda.device_count() == 1)
            named = [name.removeprefix("GPU-") for name in taken if name.startswith("GPU-")]
            findings.check("it computes on the GPU that it took", named in ([], [at_work]))
