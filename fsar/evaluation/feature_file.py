"""The file of features between encoding and evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.files import atomic


def write_features(
    path: Path, video_ids: Sequence[str], features: Tensor, class_names: Sequence[str], text: Tensor
) -> None:
    """Store features as safetensors, with the videos and classes they belong to in its metadata."""
    names = {"video_ids": json.dumps(list(video_ids)), "class_names": json.dumps(list(class_names))}
    with atomic(path) as temporary:
        save_file({"frames": features.contiguous(), "text": text.contiguous()}, temporary, metadata=names)


def read_features(path: Path) -> tuple[dict[str, int], Tensor, dict[str, int], Tensor]:
    """Read a file of `write_features`.

    Returns:
        the row of each video, (V, T, D) frame features, the row of each class, (C, D) text features.
    """
    with safe_open(path, framework="pt") as file:
        names = file.metadata()
        videos, classes = (
            {name: row for row, name in enumerate(json.loads(names[key]))} for key in ("video_ids", "class_names")
        )
        return videos, file.get_tensor("frames"), classes, file.get_tensor("text")
