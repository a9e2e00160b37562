"""Records in each file of features and predictions what it was made from, so that wrong combinations are refused."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fsar.config import MergedConfig
from fsar.errors import UserError
from fsar.files import read_parquet, sha256_of
from fsar.lists import differences
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.videos.shards import INDEX_SCHEMA

MadeFrom = dict[str, str]
WEIGHTS = "the trained weights"


def made_from(
    settings: Mapping[str, Any], manifest: Path, index: Path, files: Mapping[str, Sequence[Path | str]]
) -> MadeFrom:
    """Describe what something is made from.

    Args:
        settings: sections or single values that decide the result.
        manifest, index: of the videos. Their paths do not count: a data set may be moved.
        files: other files by role; their contents count, their names do not.
    """
    found = {
        f"{name}.{key}" if isinstance(values, Mapping) else name: json.dumps(value, sort_keys=True)
        for name, values in settings.items()
        for key, value in (values.items() if isinstance(values, Mapping) else [("", values)])
    }
    found["the videos"] = _videos(manifest, index)
    return found | {name: " ".join(map(short_checksum, paths)) for name, paths in files.items() if paths}


def encoding(settings: Mapping[str, Any], seed: int, files: Any, trained: Sequence[str]) -> MadeFrom:
    """Describe what features are made from.

    Args:
        settings: what decides them, by section and key.
        seed: of the data.
        files: inputs of a rule: manifest, index, and local files of the backbone and of texts, where there are any.
        trained: the trained weights, if there are any.
    """
    local = {"the file of the backbone": files.backbone, "the descriptions": files.descriptions, WEIGHTS: trained}
    return made_from({**settings, "seed": seed}, Path(files.manifest), Path(files.index), local)


def training_encoding(settings: MergedConfig, files: Any) -> MadeFrom:
    """Describe what the stored features of training and validation videos are made from.

    Args:
        settings: of the model whose features they are.
        files: inputs of a rule: manifest, index, and local files of the backbone.
    """
    decisive = {**settings.decisive("encode_training"), "seed": settings.seed}
    return made_from(decisive, Path(files.manifest), Path(files.index), {"the file of the backbone": files.backbone})


def with_weights(made: MadeFrom, trained: Sequence[str]) -> MadeFrom:
    """Describe what predictions are made from: that of the features, and the trained weights of the whole model."""
    return made | {WEIGHTS: " ".join(map(short_checksum, trained))}


def short_checksum(path: Path | str) -> str:
    """Return the beginning of a file's checksum."""
    return sha256_of(path)[:16]


def _videos(manifest: Path, index: Path) -> str:
    digest = hashlib.sha256()
    for path, schema, columns in (
        (manifest, MANIFEST_SCHEMA, ["video_id", "class_name", "split"]),
        (index, INDEX_SCHEMA, ["video_id", "status", "source_frames", "stored_frames", "fps", "bytes"]),
    ):
        digest.update(read_parquet(path, schema, columns).to_csv(index=False).encode())
    return digest.hexdigest()[:16]


def check_made_from(path: Path, found: Mapping[str, str], expected: Mapping[str, str], remedy: str) -> None:
    """Compare what a file was made from with what is expected.

    Raises:
        UserError: they differ, with the differences.
    """
    if told := differences(found, expected):
        raise UserError(f"{path} was made from something else:\n{told}\n{remedy}.")
