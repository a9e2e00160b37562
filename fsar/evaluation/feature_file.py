"""The file of features between encoding and evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.files import atomic

NAMES = "names"


def write_features(
    path: Path, video_ids: Sequence[str], features: Tensor, class_names: Sequence[str], text: Tensor
) -> None:
    """Store features as safetensors, with the videos and classes they belong to in its metadata.

    Its metadata is one entry, because safetensors writes several in random order: equal contents give equal bytes.
    """
    names = json.dumps({"video_ids": list(video_ids), "class_names": list(class_names)}, sort_keys=True)
    with atomic(path) as temporary:
        tensors = {"frames": features.contiguous(), "text": text.contiguous()}
        save_file(tensors, temporary, metadata={NAMES: names})


def read_features(path: Path) -> tuple[dict[str, int], Tensor, dict[str, int], Tensor]:
    """Read a file of `write_features`.

    Returns:
        the row of each video, (V, T, D) frame features, the row of each class, (C, D) text features.
    """
    with safe_open(path, framework="pt") as file:
        names = json.loads(file.metadata()[NAMES])
        videos, classes = ({name: row for row, name in enumerate(names[key])} for key in ("video_ids", "class_names"))
        return videos, file.get_tensor("frames"), classes, file.get_tensor("text")
