"""Trains a model on a benchmark and keeps the best weights on validation: set up, loop, keep."""

from collections.abc import Iterator
from contextlib import contextmanager

from fsar.errors import UserError
from fsar.shared_memory import shared_memory_told
from fsar.training.checkpoint import Checkpoint, identity
from fsar.training.job import TrainingFiles, TrainingJob
from fsar.training.keep import Keeper
from fsar.training.loggers import make_logger
from fsar.training.loop import run
from fsar.training.metrics import Metrics
from fsar.training.setup import set_up


def fit(job: TrainingJob, files: TrainingFiles) -> None:
    """Train, validate at intervals, and keep the weights that were best on validation.

    A stopped run continues from its last checkpoint. Episodes and all random numbers are functions of (seed, episode
    number), so the result is that of an uninterrupted run. With several devices each process takes a part of every
    step's tasks, and the result is that of one process with all of them.

    Raises:
        UserError: the data or weights do not fit, the checkpoint is of another training, the loss or a gradient is no
            longer finite, an operation is not deterministic, or loader processes lack shared memory.
    """
    described = identity(job.identity(), files.decisive)
    with Checkpoint(files.checkpoint, described, files.code, job.components) as checkpoint, _failures_told(job):
        training = set_up(job, files)
        keeper = Keeper(training, checkpoint)
        shown_in = files.curves if training.fabric.is_global_zero else None
        logger = make_logger(job.training.logger, shown_in, job.described(), keeper.rows) if shown_in else None
        run(training, keeper, Metrics(keeper.rows, logger))
        keeper.write_results(job.described(), files.output)


@contextmanager
def _failures_told(job: TrainingJob) -> Iterator[None]:
    """Turn PyTorch's errors about what this machine or version lacks into a sentence."""
    try:
        with shared_memory_told("set training.workers to 0, and frames are read in the training's own process"):
            yield
    except RuntimeError as error:
        if job.training.deterministic and "does not have a deterministic implementation" in str(error):
            operation = str(error).split(" does not have")[0]
            raise UserError(
                f"{operation} cannot be computed in a way that gives the same bits each time, on this device and "
                "with this PyTorch. Set training.deterministic to false; training goes on from its last checkpoint."
            ) from error
        raise
