"""Where a training shows its metrics: each logger, and pretended packages of the services."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fsar.config import load
from fsar.config.check import check_loggers
from fsar.errors import UserError
from fsar.training.loggers import make_logger
from fsar.training.metrics import Metrics

SETTINGS = {"training": {"learning_rate": 1e-3, "milestones": [8]}, "components": {"metric": "otam"}, "seed": 1}
ROWS = [
    {"iteration": 4 * step, "loss": 1 / step, "val_accuracy": 0.5 if step == 2 else None, "gpu_memory_mb": None}
    for step in (1, 2, 3)
]


def shown(kind, folder, before=()):
    """Show the rows in a logger as a training does, after those of the run that it goes on with."""
    metrics = Metrics(list(before), make_logger(kind, folder, SETTINGS, list(before)))
    for row in ROWS[len(before) :]:
        metrics.add(dict(row))
    metrics.close()
    assert metrics.rows == ROWS


class Service(ModuleType):
    """A pretended package that keeps what it was told, with the few functions of wandb and of mlflow that are used."""

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.told, self.id, self.info, self.ended = [], "r1", SimpleNamespace(run_id="r1"), 0
        self.config = SimpleNamespace(update=self.log_params)

    def init(self, **about):
        assert about["dir"].is_dir()
        self.about = {name: value for name, value in about.items() if name != "dir"}
        return self

    def set_experiment(self, name):
        self.about = {"project": name}

    def start_run(self, run_name):
        self.about["name"] = run_name
        return self

    def log_params(self, settings):
        self.settings = settings

    def log_metrics(self, values, step):
        self.told.append((step, values))

    log = log_metrics

    def end_run(self):
        self.ended += 1

    finish = end_run


@pytest.mark.parametrize("kind", ["wandb", "mlflow"])
def test_a_service_is_told_settings_and_metrics(kind, tmp_path, monkeypatch):
    folder = tmp_path / "demo" / "small-clip" / "otam-shot1-seed1"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    for before in ([], ROWS[:2]):  # a new run, and one that goes on: the service is told the whole again
        monkeypatch.setitem(sys.modules, kind, service := Service(kind))
        shown(kind, folder, before)
        assert service.about == {"project": "fsar", "name": "demo-small-clip-otam-shot1-seed1"}
        assert service.settings == {
            "training.learning_rate": 1e-3, "training.milestones": [8], "components.metric": "otam", "seed": 1,
        }  # fmt: skip
        assert service.told == [(4, {"loss": 1.0}), (8, {"loss": 0.5, "val_accuracy": 0.5}), (12, {"loss": 1 / 3})]
        assert service.ended == 1


def test_what_a_service_lacks_is_told_before_any_job(tmp_path, monkeypatch):
    def config(kind):
        benchmarks = {"own": {"source": {"kind": "csv", "file": "own.csv"}, "training": {"logger": kind}}}
        values = {"run": {"benchmarks": ["own"], "backbones": ["b"]}, "benchmarks": benchmarks}
        return load(values | {"backbones": {"b": {"model": "small-clip", "weights": "w.safetensors"}}})

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for kind in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, kind, None)
        told = rf"{kind}: the package is not installed: `pip install {kind}`, or choose tensorboard"
        with pytest.raises(UserError, match=rf"training\.logger of benchmark 'own' is {told}"):
            check_loggers(config(kind))
        with pytest.raises(UserError, match=rf"training\.logger is {told}"):
            make_logger(kind, tmp_path, SETTINGS, [])
        monkeypatch.setitem(sys.modules, kind, Service(kind))
    check_loggers(config("wandb"))
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI is not set"):
        check_loggers(config("mlflow"))
    for kind in ("tensorboard", "csv", "none"):
        check_loggers(config(kind))


def test_csv_has_the_whole_run_after_a_stop(tmp_path):
    shown("csv", tmp_path)
    whole = (tmp_path / "metrics.csv").read_text()
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["step"].tolist() == [4, 8, 12] and table["loss"].tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert table["val_accuracy"].dropna().tolist() == [0.5]
    shown("csv", tmp_path, ROWS[:1])
    assert (tmp_path / "metrics.csv").read_text() == whole


def test_tensorboard_hides_what_came_after_the_checkpoint(tmp_path):
    shown("tensorboard", tmp_path)
    shown("tensorboard", tmp_path, ROWS[:1])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("loss")] == [4, 8, 12]
    assert set(events.Tags()["scalars"]) == {"loss", "val_accuracy"}


def test_none_shows_nothing(tmp_path):
    shown("none", tmp_path)
    assert not list(tmp_path.iterdir())
