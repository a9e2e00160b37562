"""Files of ours that are damaged: a sentence, or the same contents; never another error, and never other numbers.

Each kind is written small, damaged in any way, and read by what reads it in the workflow.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fsar.config import FramesConfig
from fsar.episodes.stored import SCHEMA as EPISODES_SCHEMA
from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.feature_file import feature_sizes, read_features, write_features
from fsar.evaluation.predictions import (
    PREDICTIONS_SCHEMA,
    predictions_made_from,
    predictions_writer,
    read_predictions,
)
from fsar.files import atomic_csv, read_checksums, read_csv, read_json, read_parquet, write_parquet, write_sealed_json
from fsar.methods import MODELS
from fsar.methods.needs import Inputs
from fsar.model.trained_file import read_trained, save_weights
from fsar.model.weights_file import read_weights
from fsar.seal import OPEN, seal
from fsar.sources.schemas import INVENTORY_SCHEMA, MANIFEST_SCHEMA
from fsar.training.checkpoint import Checkpoint
from fsar.training.metrics import METRICS_SCHEMA, read_metrics, write_metrics
from fsar.videos.shards import INDEX_SCHEMA
from fsar.videos.store_read import FrameStore, _open_shard
from fsar.videos.store_write import write_shard
from tests.helpers.videos import make_video


class Kind(NamedTuple):
    """A file of ours, how it is read, and how far a reader looks: what it gives is compared."""

    path: Path
    read: Callable[[Path], Any]


def table(schema: pa.Schema, rows: int = 4) -> pd.DataFrame:
    """A table of a schema, whose values differ."""
    return pd.DataFrame(
        {
            field.name: [f"{field.name} {row}" for row in range(rows)]
            if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
            else np.arange(rows) % 2 == 0
            if pa.types.is_boolean(field.type)
            else np.arange(rows)
            for field in schema
        }
    )


def checkpoint_of(path: Path) -> Any:
    # A training whose state is damaged is told so, and begins anew when the file is gone.
    state = Checkpoint(path, {"key": "value"}, {}).load()
    assert state is not None
    return {name: state[name] for name in ("step", "model")}


def frames_of(index: Path, shard: Path) -> Any:
    folder = shard.parent
    _open_shard.cache_clear()  # another process reads it
    store = FrameStore(folder, index)
    number = store.numbers(["a"])[0]
    return store.frames(number, np.arange(5)), store.times(number)


def episodes_of(path: Path) -> Any:
    stored = StoredEpisodes.read(path)
    return stored.video_ids, stored.class_names, stored.classes, stored.support, stored.queries


def predictions_of(path: Path) -> Any:
    rows = [read_predictions(path, method, 1, 1) for method in ("first", "second")]
    return [own.to_dict("list") for own in rows], predictions_made_from(path)


def features_of(path: Path) -> Any:
    return read_features(path, {"key": "value"}), feature_sizes(path)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> dict[str, Kind]:
    folder = tmp_path_factory.mktemp("files")
    found: dict[str, Kind] = {}
    for name, schema in (("manifest", MANIFEST_SCHEMA), ("inventory", INVENTORY_SCHEMA), ("index", INDEX_SCHEMA)):
        write_parquet(folder / name, table(schema), schema)
        found[name] = Kind(folder / name, lambda path, schema=schema: read_parquet(path, schema).to_dict("list"))
    rows = [(0, label, role, f"c{label}", f"v{label}{role}") for label in range(2) for role in ("support", "query")]
    write_parquet(folder / "episodes", pd.DataFrame(rows, columns=EPISODES_SCHEMA.names), EPISODES_SCHEMA)
    found["episodes"] = Kind(folder / "episodes", episodes_of)
    with predictions_writer(folder / "predictions", {"the trained weights": "a"}) as writer:
        for method in ("first", "second"):
            row = dict.fromkeys(PREDICTIONS_SCHEMA.names, 1) | {"method": method, "logits": [0.5]}
            row |= {"class_name": "c", "video_id": "v"}
            writer.write_table(pa.Table.from_pylist(3 * [row], PREDICTIONS_SCHEMA))
    found["predictions"] = Kind(folder / "predictions", predictions_of)
    names = ["a", "b"]
    kept = {"frames": torch.arange(16.0).reshape(2, 2, 4)}
    write_features(folder / "features", names, kept, names, torch.ones(2, 4), Inputs(4, 2), {"key": "value"})
    found["features"] = Kind(folder / "features", features_of)
    save_weights({"head.a": torch.arange(8.0)}, folder / "model", MODELS["otam"])
    found["model"] = Kind(folder / "model", partial(read_trained, components=MODELS["otam"]))
    tensors = {"visual.a": torch.arange(8.0), "logit_scale": torch.ones(1)}
    save_file(tensors, folder / "clip.safetensors", metadata={"seal": OPEN})
    seal(folder / "clip.safetensors")
    found["clip"] = Kind(folder / "clip.safetensors", lambda path: read_weights(str(path)))
    with Checkpoint(folder / "checkpoint", {"key": "value"}, {}) as checkpoint:
        checkpoint.save({"step": 3, "best": None, "other_code": [], "model": {"a": torch.arange(9.0)}})
    found["checkpoint"] = Kind(folder / "checkpoint", checkpoint_of)
    write_sealed_json(folder / "training", {"seed": 1, "accuracy": 0.25, "of": {"a": [1, 2, 3]}})
    found["training"] = Kind(folder / "training", read_json)
    rows = [dict.fromkeys(METRICS_SCHEMA.names, 1.0) | {"iteration": 2, "a_loss": 2.0}]
    write_metrics(folder / "metrics", rows)
    found["metrics"] = Kind(folder / "metrics", lambda path: read_metrics(path).to_dict("list"))
    with atomic_csv(folder / "table") as temporary:
        pd.DataFrame({"method": ["a", "b"], "accuracy": [12.5, 50.0]}).to_csv(temporary, index=False)
    found["table"] = Kind(folder / "table", lambda path: read_csv(path).to_dict("list"))
    return found


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Kind:
    """A shard of frames; its index is whole."""
    folder = tmp_path_factory.mktemp("frames")
    videos = pd.DataFrame({"video_id": ["a", "b"], "path": [str(make_video(folder / f"{n}.mp4", 5)) for n in "ab"]})
    config = FramesConfig(size=32, shards=1)
    write_shard(videos, 0, config, folder / "shard-000.arrow", folder / "index.parquet")
    return Kind(folder / "shard-000.arrow", partial(frames_of, folder / "index.parquet"))


KINDS = (
    "manifest", "inventory", "index", "episodes", "predictions", "features", "model", "clip", "checkpoint", "training",
    "metrics", "table",
)  # fmt: skip


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A kind of damage: bits that flip, an end that is cut, zeros, more at the end, or nothing left."""
    kind = draw(st.sampled_from(["flip", "cut", "zero", "append", "empty", "drop"]))
    place = draw(st.floats(0, 1, exclude_max=True))
    near_end = draw(st.booleans())
    length = draw(st.integers(1, 300))
    bit = draw(st.integers(0, 7))

    def damaged(content: bytes) -> bytes:
        at = int(place * len(content))
        at = len(content) - 1 - at % min(400, len(content)) if near_end else at  # where formats have their footers
        if kind == "flip":
            return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]
        if kind == "cut":
            return content[:at]
        if kind == "zero":
            return content[:at] + bytes(min(length, len(content) - at)) + content[at + length :]
        if kind == "append":
            return content + content[:length]
        return content[:at] + content[at + length :] if kind == "drop" else b""

    return damaged


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor | np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other or (one != one and other != other))


def check(kind: Kind, content: bytes) -> None:
    """Read a file with these contents, and expect a sentence that names it, or what was written."""
    whole, expected = kind.path.read_bytes(), kind.read(kind.path)
    put(kind.path, content)
    try:
        found = kind.read(kind.path)
    except UserError as error:
        assert str(kind.path) in str(error)
    else:
        assert equal(found, expected)
    finally:
        put(kind.path, whole)


def put(path: Path, content: bytes) -> None:
    """Write a file anew: what is mapped of the one before stays as it is."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=damages())
def test_a_damaged_file_is_told(kinds, name, damage):
    check(kinds[name], damage(kinds[name].path.read_bytes()))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=damages())
def test_a_damaged_shard_is_told(stored, damage):
    check(stored, damage(stored.path.read_bytes()))


@pytest.mark.parametrize("name", KINDS)
def test_another_kind_of_file_is_told(kinds, name):
    for other in KINDS:
        kind = kinds[name]
        whole = kind.path.read_bytes()
        # What any weights of a backbone are, only the backbone can tell.
        if other != name and not (name == "clip" and other in ("model", "features", "checkpoint")):
            kind.path.write_bytes(kinds[other].path.read_bytes())
            try:
                with pytest.raises(UserError, match=str(kind.path)):
                    kind.read(kind.path)
            finally:
                kind.path.write_bytes(whole)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_gone_is_told(kinds, name, tmp_path):
    if name != "checkpoint":  # without one, a training begins
        with pytest.raises(UserError, match=str(tmp_path)):
            kinds[name].read(tmp_path / "gone")


def test_features_of_another_model_are_refused(kinds):
    path = kinds["features"].path
    with pytest.raises(UserError, match=r"(?s)made from something else.*key: value then, other now.*Delete it"):
        read_features(path, {"key": "other"})
    with pytest.raises(UserError, match="the trained weights: other contents"):
        read_features(path, {"key": "value", "the trained weights": "0123"})


@pytest.mark.parametrize("parts", [None, ["head"]])
def test_weights_of_another_method_are_refused(tmp_path, parts):
    save_weights({"head.a": torch.ones(1)}, tmp_path / "model.safetensors", MODELS["clip-fsar"])
    with pytest.raises(UserError, match=r"are of another method: head 'clip_fsar', not 'otam'"):
        read_trained(tmp_path / "model.safetensors", MODELS["otam"], parts)
    read_trained(tmp_path / "model.safetensors", MODELS["clip-fsar"].encoding, ["visual"])
    save_weights({"head.a": torch.ones(1)}, tmp_path / "model.safetensors")  # of elsewhere
    read_trained(tmp_path / "model.safetensors", MODELS["otam"])


@pytest.mark.parametrize("content", [b"", b"half", b"\xff\x00", 64 * b"g" + b"  a\n", 64 * b"0" + b"  ../a\n"])
def test_a_damaged_list_of_checksums_is_told(tmp_path, content):
    (tmp_path / "shard.sha256").write_bytes(content)
    with pytest.raises(UserError, match=r"shard\.sha256 is damaged"):
        read_checksums(tmp_path / "shard.sha256")
