"""Writes and reads the file of features between encoding and evaluation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.evaluation.kept_features import Features, rows_of
from fsar.evaluation.made_from import check_made_from
from fsar.files import atomic
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.model.finite import check_finite
from fsar.seal import OPEN, REMEDY, seal, whole

NAMES = "names"
TEXT = "text"


def write_features(
    path: Path,
    video_ids: Sequence[str],
    stored: dict[str, Tensor],
    class_names: Sequence[str],
    text: Tensor,
    sizes: Inputs,
    made: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Store features as safetensors, with the videos and classes they belong to in its metadata.

    The metadata are one entry, since safetensors writes several in random order. So equal contents give equal bytes.

    Args:
        path: file to write.
        video_ids, stored: the videos, and their features (`Head.store`), (V, …) each; with several views, those of each
            after those of the one before.
        class_names, text: the classes, and their text features, (C, D), or (C, S, D) of each text.
        sizes: of what the head that looks at them is given.
        made: what they are made from (`fsar.evaluation.made_from`).
    """
    about = {"video_ids": list(video_ids), "class_names": list(class_names), "sizes": asdict(sizes)}
    about |= {"made_from": dict(made), "seal": OPEN}
    with atomic(path) as temporary:
        tensors = {name: value.contiguous() for name, value in {**stored, TEXT: text}.items()}
        save_file(tensors, temporary, metadata={NAMES: json.dumps(about, sort_keys=True)})
        seal(temporary)


def read_features(path: Path, expected: Mapping[str, str] | None = None) -> Features:
    """Read a file of `write_features`.

    Args:
        path: of the file.
        expected: what they must be made from; None if unknown.

    Raises:
        UserError: the file is missing, damaged or made from something else, or a feature is NaN or infinite.
    """
    with whole(path), safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()[NAMES])
        if expected is not None:
            check_made_from(path, about["made_from"], expected, REMEDY)
        videos, classes = rows_of(about["video_ids"]), rows_of(about["class_names"])
        stored = {name: file.get_tensor(name) for name in file.keys() if name != TEXT}  # noqa: SIM118 (not a dict)
        text = file.get_tensor(TEXT)
    views = len(next(iter(stored.values()))) // max(len(videos), 1)
    for values, rows in [*((values, [*videos] * views) for values in stored.values()), (text, [*classes])]:
        check_finite(values, f"The file of features {path}", rows, "Delete it, and it is made again")
    return Features(videos, stored, classes, text)


def feature_sizes(path: Path) -> Inputs:
    """Return the sizes that a file of features was written with.

    Raises:
        UserError: the file is not there, or is damaged.
    """
    with whole(path):
        with safe_open(path, framework="pt") as file:
            sizes = json.loads(file.metadata()[NAMES])["sizes"]
        transformer = sizes.pop("transformer")
        return Inputs(**sizes, transformer=TransformerSizes(**transformer) if transformer else None)
