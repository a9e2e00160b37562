"""Loggers of metrics during training: Fabric's own, and two services behind the same interface."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from fsar.config.check import logger_lacks
from fsar.errors import UserError
from fsar.training.metrics import log_row

PROJECT = "fsar"  # name of the project at the services


def make_logger(
    kind: str, folder: Path, settings: Mapping[str, Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> Logger | None:
    """Return the logger of a training run, with the rows logged so far.

    Args:
        kind: `training.logger` of the config.
        folder: of its files, made if missing. The services name the run after its last three parts.
        settings: of training, by section; the services show them beside the curves.
        rows: metrics of a continued run, up to its checkpoint.

    Raises:
        UserError: the service's package or address is missing.
    """
    if kind == "none":
        return None
    if kind == "tensorboard":
        # It keeps what an earlier run wrote, and hides what came after the checkpoint.
        after = rows[-1]["iteration"] + 1 if rows else 0
        return TensorBoardLogger(folder, name="", version="", purge_step=after)
    if lacks := logger_lacks(kind):
        raise UserError(f"training.logger is {kind}: {lacks}")
    folder.mkdir(parents=True, exist_ok=True)
    logger: Logger
    if kind == "csv":
        (folder / "metrics.csv").unlink(missing_ok=True)
        logger = CSVLogger(folder, name="", version="", flush_logs_every_n_steps=1)
    else:
        logger = ServiceLogger(kind, "-".join(folder.parts[-3:]), folder)
        logger.log_hyperparams(flat(settings))
    for row in rows:
        log_row(logger, row)
    return logger


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings in one level, named as they are in the config: training.learning_rate."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


class ServiceLogger(Logger):
    """Weights & Biases, which keeps the metrics in the folder if WANDB_MODE is offline; or the MLflow server at
    MLFLOW_TRACKING_URI.
    """

    def __init__(self, kind: str, name: str, folder: Path) -> None:
        self._name, self._service = name, import_module(kind)
        if kind == "wandb":
            run = self._service.init(project=PROJECT, name=name, dir=folder)
            self._version, self._show, self._end = run.id, run.config.update, run.finish
            self._log: Callable[..., object] = run.log
        else:
            self._service.set_experiment(PROJECT)
            self._version = self._service.start_run(run_name=name).info.run_id
            self._show, self._end = self._service.log_params, self._service.end_run
            self._log = self._service.log_metrics

    @property
    def name(self) -> str:
        """The run's name."""
        return self._name

    @property
    def version(self) -> str:
        """The run's id at the service."""
        return str(self._version)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Show settings beside the curves."""
        self._show(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add points to the curves."""
        self._log(metrics, step=step)

    def finalize(self, status: str) -> None:
        """End the run."""
        self._end()
