"""Checkpoints: which training they are of, and that a stop at any moment leaves a whole one."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from fsar.config import TrainingConfig
from fsar.errors import UserError
from fsar.training import keep, loop
from fsar.training.checkpoint import Checkpoint, identity
from tests.helpers.training import train


def test_a_checkpoint_of_another_training_is_refused_with_the_difference(tmp_path):
    data = tmp_path / "data.parquet"
    data.write_text("1")

    def checkpoint(code="1", **training):
        job = TrainingConfig(**{"learning_rate": 1e-3, "warmup_from": 0.0} | training)
        settings = {"training": job.decisive("train_model"), "seed": 1}
        return Checkpoint(tmp_path / "last.pt", identity(settings, [data]), {"fit.py": code, "head.py": "1"})

    assert checkpoint().load() is None
    with checkpoint() as writing:
        writing.save({"step": 7, "other_code": []})
    assert checkpoint().load()["step"] == 7
    assert checkpoint(workers=4, threads=9, devices=2, checkpoint_minutes=3).load()["step"] == 7  # how it is run
    assert checkpoint(queries=5).load()["step"] == 7  # its default, said aloud
    with pytest.raises(
        UserError, match=r"(?s)last\.pt \(stopped at step 7\).*training\.learning_rate: 0\.001 then, 0\.5 now"
    ):
        checkpoint(learning_rate=0.5).load()
    data.write_text("2")
    with pytest.raises(UserError, match=r"data\.parquet: other contents"):
        checkpoint().load()
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"cannot be read.*Delete it"):
        checkpoint().load()


def test_other_code_is_told_and_recorded(tmp_path, caplog):
    checkpoint = {code: Checkpoint(tmp_path / "last.pt", {}, {"fit.py": code, "head.py": "1"}) for code in "12"}
    checkpoint["1"].save({"step": 7, "other_code": []})
    checkpoint["1"].wait()
    assert checkpoint["1"].load()["other_code"] == [] and caplog.text == ""
    assert checkpoint["2"].load()["other_code"] == [{"step": 7, "files": ["fit.py"]}]
    assert "The code changed since step 7 of this training" in caplog.text and "fit.py" in caplog.text
    assert "head.py" not in caplog.text


def test_a_state_is_written_beside_the_training_that_changes_it(tmp_path, monkeypatch):
    save, go_on = torch.save, threading.Event()
    monkeypatch.setattr(torch, "save", lambda *arguments: (go_on.wait(), save(*arguments)))
    checkpoint, weights, moments = Checkpoint(tmp_path / "last.pt", {}, {}), torch.ones(3), [torch.ones(2)]
    checkpoint.save({"step": 1, "model": {"weight": weights}, "moments": moments, "other_code": []})
    weights.zero_()
    moments[0].zero_()
    moments.append(torch.ones(1))
    assert not checkpoint.path.exists()
    go_on.set()
    checkpoint.wait()
    state = checkpoint.load()
    assert state["model"]["weight"].tolist() == [1, 1, 1] and [m.tolist() for m in state["moments"]] == [[1, 1]]


@pytest.mark.parametrize("interrupted", ["in the middle", "before it is renamed"])
def test_a_write_that_is_interrupted_leaves_what_was_there(tmp_path, monkeypatch, interrupted):
    """Checkpoints, best weights and whatever else is written again: a reader never meets half of one."""
    checkpoint = Checkpoint(tmp_path / "last.pt", {}, {})
    checkpoint.save_best({"weight": torch.ones(2)}, 3)
    checkpoint.save({"step": 1, "best": {"iteration": 3}, "other_code": []})
    checkpoint.export_best(3, tmp_path / "model.safetensors")
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(kept) == {"last.pt", "last.best-3.safetensors", "model.safetensors"}

    def half(value, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError("interrupted")

    def refused(self, target):
        raise OSError("killed")

    if interrupted == "in the middle":
        monkeypatch.setattr(torch, "save", half)
        monkeypatch.setattr("fsar.model.trained_file.save_file", half)
        monkeypatch.setattr("shutil.copyfile", half)
    else:
        monkeypatch.setattr(Path, "replace", refused)
    for write in (
        lambda: checkpoint.save({"step": 2, "best": {"iteration": 3}, "other_code": []}),
        lambda: checkpoint.save_best({"weight": torch.zeros(2)}, 3),
        lambda: checkpoint.export_best(3, tmp_path / "model.safetensors"),
    ):
        with pytest.raises(OSError):
            write()
            checkpoint.wait()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert checkpoint.load()["step"] == 1


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    checkpoint = Checkpoint(tmp_path / "file/last.pt", {}, {})
    checkpoint.save({"step": 1})
    with pytest.raises(UserError, match="file is no folder"):
        checkpoint.save_best({"weight": torch.ones(1)}, 2)
    checkpoint.save({"step": 2})
    with pytest.raises(UserError, match="file is no folder"), checkpoint:
        pass


def test_a_state_and_its_best_weights_belong_together_whenever_a_process_ends(tmp_path):
    def state(step, best):
        return {"step": step, "best": {"iteration": best}, "other_code": []}

    def weights(value):
        return {"weight": torch.full((3,), value)}

    def after_a_crash():
        """What another process finds, and the best weights that belong to it."""
        found = Checkpoint(tmp_path / "last.pt", {}, {})
        best = found.load()["best"]["iteration"]
        found.export_best(best, tmp_path / "exported.safetensors")
        return best, load_file(tmp_path / "exported.safetensors")["weight"][0]

    checkpoint = Checkpoint(tmp_path / "last.pt", {}, {})
    (tmp_path / "last.best-99.safetensors").touch()  # of a training whose checkpoint was deleted
    checkpoint.save_best(weights(4.0), 4)
    checkpoint.save(state(2, 4))
    checkpoint.wait()
    assert after_a_crash() == (4, 4.0)
    checkpoint.save_best(weights(8.0), 8)
    checkpoint.wait()
    assert after_a_crash() == (4, 4.0)
    checkpoint.save(state(4, 8))
    checkpoint.wait()
    assert after_a_crash() == (8, 8.0)
    (tmp_path / "exported.safetensors").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.best-8.safetensors", "last.pt"]
    (tmp_path / "last.best-8.safetensors").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"last\.best-8\.safetensors, the best weights .* are missing"):
        checkpoint.load()
    (tmp_path / "elsewhere").rename(tmp_path / "last.best-8.safetensors")
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("minutes", "steps"), [(0, [1, 2, 3, 4, 5]), (2.5, [3]), (60, [])])
def test_checkpoints_come_by_time(world, monkeypatch, minutes, steps):
    """Of six steps, here of a minute each."""
    saved, now, step = [], [0.0], loop.train_step

    def minute(*arguments):
        now[0] += 60
        return step(*arguments)

    monkeypatch.setattr(loop, "train_step", minute)
    monkeypatch.setattr(keep, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Checkpoint, "save", lambda _, state: saved.append(state["step"]))
    train(world, f"every {minutes} minutes", checkpoint_minutes=minutes, way=2, iterations=6, tasks_per_step=1)
    assert saved == steps
