"""What several tests share: the golden tensors and where the optional material lies."""

from pathlib import Path

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def golden():
    """Load one file of reference tensors by name, as torch tensors."""

    def load(name: str) -> dict[str, torch.Tensor]:
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            return {key: torch.from_numpy(arrays[key].copy()) for key in arrays}

    return load


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the checkout; tests that need it skip where it is not."""
    folder = REPOSITORY.parent / "shared" / "real_clips"
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}: they may not be redistributed, so only some machines have them")
    return folder
