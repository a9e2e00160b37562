"""What every workflow script does first: send the log to the rule's file, and tell errors as people need them."""

import logging
import os
import resource
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from fsar.disk import why_not_written, why_stopped
from fsar.errors import UserError
from fsar.freed_memory import keep_freed_memory
from fsar.locales import take_any_text
from fsar.nodes import is_task

# The variable that names a run of Snakemake.
RUN = "FSAR_RUN"


@contextmanager
def logged(log_file: str | Path, measured: str | Path | None = None) -> Iterator[None]:
    """Run a job with its log in `log_file` and its warnings and errors on the terminal too.

    With `measured`, time and memory go into that file, as Snakemake's `benchmark:` writes them.

    A `UserError` ends the process with status 1 and its message; a job that is submitted again after one, in the same
    run of Snakemake, ends with it at once. Any other exception is logged with its traceback and raised.
    """
    log = logging.getLogger()
    log.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, hides nothing with a traceback
    if not is_first_process():
        log_file = os.devnull
    take_any_text()
    to_file = _log_file(Path(log_file))
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.WARNING)
    to_terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log.handlers = [to_file, to_terminal] if is_first_process() else [to_file]
    logging.captureWarnings(True)
    # Libraries' notes to developers are not for the user of the workflow.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    explained = Path(log_file).with_suffix(".told")
    if before := _explained_in_this_run(explained):
        log.error("%s", before)
        logging.shutdown()
        sys.exit(1)
    keep_freed_memory()
    started = time.monotonic()
    try:
        yield
        if measured is not None:
            _write_measurement(Path(measured), time.monotonic() - started)
    except UserError as error:
        _give_up(str(error), explained)
    except KeyboardInterrupt:
        log.error("interrupted; what was saved stays, run the same command again to go on")
        raise
    except Exception as error:
        if told := why_stopped(error, Path(log_file)):
            _give_up(told, explained)
        log.exception("this job failed")
        raise


def _give_up(message: str, explained: Path) -> NoReturn:
    """End the job with a sentence, which is kept for the case that the job is submitted again."""
    logging.getLogger().error("%s", message)
    logging.shutdown()
    if (run := os.getenv(RUN)) and is_first_process():
        with suppress(OSError):  # on a full disk it is found out again
            explained.write_text(f"{run}\n{message}", encoding="utf-8", errors="backslashreplace")
    sys.exit(1)


def _explained_in_this_run(explained: Path) -> str | None:
    """Return why the job has failed before in the same run of Snakemake: trying again would come to the same."""
    if not is_first_process():
        return None
    try:
        run, message = explained.read_text(encoding="utf-8").split("\n", 1)
        if run == os.getenv(RUN):
            return message
        explained.unlink()
    except (OSError, ValueError):
        pass
    return None


def _log_file(path: Path) -> logging.Handler:
    """Begin the log of a job; where it cannot be, the job goes on without, and fails only if its results cannot be."""
    try:
        if is_first_process() and not is_task():  # whose log was begun by the process that has started it
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return logging.FileHandler(path, mode="a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(why_not_written(error, path) or f"{path} cannot be written: {error}", file=sys.stderr)
        return logging.NullHandler()


def _write_measurement(path: Path, seconds: float) -> None:
    unit = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit  # MB
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds:.4f}\t{timedelta(seconds=int(seconds))}\t{memory:.2f}\n")


def is_first_process() -> bool:
    """Tell the process that speaks for a training on several devices from those it has started."""
    return os.getenv("SLURM_PROCID" if is_task() else "LOCAL_RANK", "0") == "0"


def progress(
    items: Iterable[Any] | None,
    description: str,
    unit: str,
    *,
    total: int | None = None,
    initial: int = 0,
    unit_scale: bool = False,
) -> "tqdm[Any]":
    """Show how far a long work is: a live bar on a terminal, a line every 15 s where the output is a file or a pipe."""
    on_terminal = sys.stderr.isatty() and "CI" not in os.environ
    return tqdm(
        items,
        desc=description,
        unit=unit,
        total=total,
        initial=initial,
        unit_scale=unit_scale,
        mininterval=0.2 if on_terminal else 15.0,
        dynamic_ncols=on_terminal,
        leave=False,
        disable=not is_first_process(),
    )
