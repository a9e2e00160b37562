"""The stored features of training and validation videos, on which heads on a backbone as it is are trained."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fsar.evaluation.feature_file import read_features
from fsar.evaluation.kept_features import Features

log = logging.getLogger(__name__)

# How a file begins that says that features would take too much room.
NOT_STORED = b"not stored"


class Stored(NamedTuple):
    """The stored features that a head is trained on.

    Attributes:
        train: of the training videos, one view of all after the other.
        val: of the validation videos, as in a test.
    """

    train: Features
    val: Features


def read_stored(files: tuple[Path, Path] | None, made: Mapping[str, str] | None) -> Stored | None:
    """Read the features of training and validation videos; None where they are not stored.

    Raises:
        UserError: a file is missing, damaged or made from something else.
    """
    if files is None:
        return None
    for path in files:
        if path.is_file() and _is_not_stored(path):
            log.info("%s", path.read_text(encoding="utf-8").strip())
            return None
    train, val = (read_features(path, made) for path in files)
    return Stored(train, val)


def _is_not_stored(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(NOT_STORED)) == NOT_STORED
