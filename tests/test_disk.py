"""A disk that is full, may not be written to, or is gone: a sentence with the file, and nothing half-written stays."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from fsar.config import FramesConfig
from fsar.disk import why_not_written, why_stopped
from fsar.errors import UserError
from fsar.evaluation.predictions import PREDICTIONS_SCHEMA, predictions_writer
from fsar.files import atomic, atomic_csv, write_json, write_parquet
from fsar.model.trained_file import save_weights
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.training.checkpoint import Checkpoint
from fsar.videos.store_write import write_shard
from tests.helpers.videos import make_video

ROOM = 256 * 1024  # bytes of the small disk


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A disk with little room."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    with mounted(tmp_path_factory.mktemp("small")) as folder:
        yield folder


@pytest.fixture(scope="module")
def read_only_disk(tmp_path_factory):
    with mounted(tmp_path_factory.mktemp("read")) as folder:
        (folder / "folder").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield folder


NOISE = np.random.default_rng(0).bytes(ROOM)


def parquet(path: Path) -> None:
    rows = {name: [NOISE[:].hex() if name == "path" else ""] for name in MANIFEST_SCHEMA.names}
    write_parquet(path, pd.DataFrame(rows), MANIFEST_SCHEMA)


def csv(path: Path) -> None:
    with atomic_csv(path) as temporary:
        pd.DataFrame({"a": [NOISE.hex()]}).to_csv(temporary)


def weights(path: Path) -> None:
    save_weights({"a": torch.rand(ROOM)}, path)


def checkpoint(path: Path) -> None:
    with Checkpoint(path, {}, {}) as saved:
        saved.save({"a": torch.rand(ROOM)})


def predictions(path: Path) -> None:
    with predictions_writer(path, {}) as writer:
        row = {name: [0] for name in PREDICTIONS_SCHEMA.names} | {"logits": [np.frombuffer(NOISE, np.float32)]}
        row |= {name: ["a"] for name in ("method", "class_name", "video_id")}
        writer.write_table(pa.Table.from_pydict(row, PREDICTIONS_SCHEMA))


def picture(path: Path) -> None:
    figure, axis = plt.subplots()
    axis.imshow(np.frombuffer(NOISE, np.uint8).reshape(512, -1))
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=600)
    plt.close(figure)


def archive(path: Path) -> None:
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        file.writestr("a", 2 * NOISE)


def json(path: Path) -> None:
    write_json(path, {"a": NOISE.hex()})


def shard(path: Path) -> None:
    video = make_video(Path(tempfile.mkdtemp()) / "video.mp4", 60, size="256x256")
    videos = pd.DataFrame({"video_id": ["a"], "path": [str(video)]})
    write_shard(videos, 0, FramesConfig(size=512, quality=100, shards=1), path, path.with_suffix(".index"))


WRITERS = [parquet, csv, weights, checkpoint, predictions, picture, archive, json, shard]


@pytest.mark.parametrize("write", WRITERS)
def test_a_full_disk_is_told_and_leaves_nothing(small_disk, write):
    path = small_disk / "folder" / f"{write.__name__}.file"
    with pytest.raises(UserError, match=f"{path} cannot be written: the disk is full .* MB are free"):
        write(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("folder", ["folder", "another"])
def test_a_disk_that_may_only_be_read_is_told(read_only_disk, folder, write):
    with pytest.raises(UserError, match=r"cannot be written: it is on a disk that is mounted read-only"):
        write(read_only_disk / folder / "file")


@pytest.mark.parametrize("write", [parquet, csv, weights, checkpoint, predictions, archive, json])
def test_a_folder_that_is_deleted_meanwhile_is_told(tmp_path, write, monkeypatch):
    path = tmp_path / "folder" / "file"
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)  # it was there, and is gone
    with pytest.raises(UserError, match="its folder is gone"):
        write(path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your quota of disk space is used up"),
        (OSError(errno.EROFS, "Read-only file system"), "mounted read-only"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (
            OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
            "the disk is full",
        ),
    ],
)
def test_every_way_to_say_it_is_understood(tmp_path, error, said):
    assert said in why_not_written(error, tmp_path / "file")
    wrapped = ValueError("something else")
    wrapped.__cause__ = error
    assert said in why_not_written(wrapped, tmp_path / "file")


def test_what_another_file_lacks_is_not_blamed_on_this_one(tmp_path):
    other = FileNotFoundError(errno.ENOENT, "No such file or directory", str(tmp_path / "input"))
    refused = PermissionError(errno.EACCES, "Permission denied", "/somewhere/input")
    for error in (other, refused, ValueError("no such thing")):
        assert why_not_written(error, tmp_path / "file") is None
    assert why_stopped(refused, tmp_path / "log") == (
        "/somewhere/input cannot be used: Permission denied. Mend that, and run the same command again."
    )
    assert why_stopped(KeyError("a"), tmp_path / "log") is None


def test_a_job_on_a_full_disk_ends_with_one_sentence(small_disk, repository):
    """Whether it is its result that cannot be written, its log, or both."""
    (small_disk / "filler").write_bytes(NOISE[: ROOM - shutil.disk_usage(small_disk).used - 8192])
    program = f"""
from fsar.files import write_json
from fsar.job import logged
with logged({str(small_disk / "logs/rule/job.log")!r}):
    write_json({str(small_disk / "results/file.json")!r}, "x" * {ROOM})
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, env=os.environ, capture_output=True, text=True, timeout=300
    )
    (small_disk / "filler").unlink()
    assert run.returncode == 1 and "Traceback" not in run.stderr and "Logging error" not in run.stderr
    assert "results/file.json cannot be written: the disk is full" in run.stderr
    assert not (small_disk / "results/file.json").exists()
