"""What several tests share: the golden tensors and where the optional material lies."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.workflow import TINY, VARIABLES, copy_project, snakemake

torch.set_num_threads(1)  # test files run beside one another

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).parent / "golden"


def pytest_configure(config: pytest.Config) -> None:
    """Set in this process, too, and in every program that a test starts, what hides GPUs; not from their own tests."""
    shown = {"CUDA_VISIBLE_DEVICES"} if config.option.markexpr == "gpu" else set()
    os.environ |= {name: value for name, value in VARIABLES.items() if name not in shown}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files, so that the last to end are short.

    The first two are not both of those that wait for the tiny run.
    """
    longest = [
        "workflow",
        "benchmarks",
        "reruns",
        "sharing",
        "every_method_labels",
        "docs",
        "robustness",
        "processes",
        "own_clips",
        "predict",
        "own_methods",
        "views",
        "as_shown",
        "fit",
        "backbones",
    ]
    rank = {f"test_{name}.py": number for number, name in enumerate(longest)}
    items.sort(key=lambda item: rank.get(item.path.name, len(longest)))


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the tiny run finished, made once for all processes of the tests: to be copied."""
    place = tmp_path_factory.getbasetemp()
    place = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place
    folder, finished = place / "a folder (with spaces) & 'ünïcode'", place / "tiny run.finished"
    with (place / "tiny run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            snakemake(copy_project(REPOSITORY, folder), *TINY, anew=True)
            finished.touch()
    return folder


@pytest.fixture(scope="session")
def golden():
    """Load one file of reference tensors by name, as torch tensors."""

    def load(name: str) -> dict[str, torch.Tensor]:
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return {key: torch.from_numpy(arrays[key].copy()) for key in arrays if arrays[key].dtype.kind != "U"}

    return load


def beside_the_checkout(name: str) -> Path:
    """Return a folder of files beside the checkout, or skip."""
    folder = REPOSITORY.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: its files may not be redistributed, so only some machines have them")
    return folder


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the checkout; tests that need it skip where it is not."""
    return beside_the_checkout("real_clips")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small odd videos beside the checkout; tests that need it skip where it is not."""
    return beside_the_checkout("cases")
