"""About how long a run still takes, by what its jobs took when they last ran."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean


@dataclass(frozen=True)
class PlannedJob:
    """A job that a run has to do.

    Attributes:
        rule: its name.
        threads: that it takes while it runs.
        measured: the file of its time, as `benchmark:` writes it, there or not; in a folder of the rule's name, if the
            rule has several jobs. None of a target, which takes no time.
        needs: numbers of the jobs it waits for.
    """

    rule: str
    threads: int
    measured: Path | None = None
    needs: frozenset[int] = field(default_factory=frozenset)


class TimeLeft:
    """The time that is left of a run.

    A job takes what it took when it last ran; one that never ran, the mean of what others of its rule took, before and
    in this run. All cores are taken to be busy, unless the jobs that wait for one another take longer.

    Args:
        jobs: what has to be done, by number.
        cores: that jobs share; None where nothing limits them.
        clock: seconds, from any beginning.
    """

    def __init__(self, jobs: Mapping[int, PlannedJob], cores: int | None, clock: Callable[[], float] = time.monotonic):
        self._left, self._cores, self._clock = dict(jobs), cores, clock
        self._begun: dict[int, float] = {}
        # Read now: Snakemake removes the file of a job that it starts.
        self._seconds = {number: _seconds(job.measured) for number, job in jobs.items()}
        folders = {
            job.measured.parent for job in jobs.values() if job.measured and job.measured.parent.name == job.rule
        }
        self._of_rule = {
            folder.name: [seconds for path in sorted(folder.glob("*.tsv")) if (seconds := _seconds(path)) is not None]
            for folder in folders
        }

    def begin(self, numbers: Iterable[int]) -> None:
        """Note that jobs begin."""
        self._begun |= dict.fromkeys(numbers, self._clock())

    def end(self, number: int) -> None:
        """Note that a job has ended."""
        job = self._left.pop(number, None)
        if job is not None and number in self._begun:
            self._of_rule.setdefault(job.rule, []).append(self._clock() - self._begun[number])

    def told(self) -> str | None:
        """Return it in words, such as "about 5 min"; None if nothing is left or known."""
        known = {number: seconds for number in self._left if (seconds := self._expected(number)) is not None}
        if not any(known.values()):
            return None
        time_left, unknown = in_words(self._together(known)), len(self._left) - len(known)
        if not unknown:
            return f"about {time_left}"
        return f"more than {time_left} ({unknown} {'job has' if unknown == 1 else 'jobs have'} never been timed)"

    def _expected(self, number: int) -> float | None:
        """Return the seconds that a job still takes."""
        job = self._left[number]
        whole = self._seconds[number]
        if whole is None:
            if not self._of_rule.get(job.rule):
                return None
            whole = fmean(self._of_rule[job.rule])
        return max(whole - (self._clock() - self._begun[number] if number in self._begun else 0), 0)

    def _together(self, known: Mapping[int, float]) -> float:
        """Return the seconds that jobs take beside and after one another."""

        @cache
        def until_end_of(number: int) -> float:
            before = max((until_end_of(other) for other in self._left[number].needs & self._left.keys()), default=0)
            return before + known.get(number, 0)

        longest = max(map(until_end_of, self._left))
        if self._cores is None:
            return longest
        work = sum(seconds * min(self._left[number].threads, self._cores) for number, seconds in known.items())
        return max(longest, work / self._cores)


def _seconds(measured: Path | None) -> float | None:
    """Return the seconds that are in a file of a job's time; None if they are not known."""
    if measured is None:
        return 0
    try:
        names, *runs = measured.read_text(encoding="utf-8").splitlines()
        return float(runs[-1].split("\t")[names.split("\t").index("s")])
    except (OSError, ValueError, IndexError):
        return None


def in_words(seconds: float) -> str:
    """Return a time as one says it, such as 2 h 40 min."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(round(seconds), 1)} s"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


@contextmanager
def beside_the_run(log: logging.Logger) -> Iterator[None]:
    """Let what is only told of a run stop nothing: another version of Snakemake may keep it elsewhere."""
    try:
        yield
    except Exception as error:
        log.warning(f"Something that the run would tell is left out ({type(error).__name__}: {error}); it goes on.")


class Teller(logging.Handler):
    """Says how long a run still takes whenever Snakemake has said how many of its jobs are done.

    Args:
        time_left: of the run.
        log: Snakemake's logger, which this is a handler of.
    """

    def __init__(self, time_left: TimeLeft, log: logging.Logger):
        super().__init__()
        self._time_left, self._log = time_left, log

    def emit(self, record: logging.LogRecord) -> None:
        """Follow what Snakemake says of the run (its log events, written for 9.27)."""
        event = getattr(record, "event", None)
        with beside_the_run(self._log):
            if event == "job_started":
                self._time_left.begin(getattr(record, "jobs", None) or ())
            elif event == "job_finished":
                self._time_left.end(record.job_id)  # type: ignore[attr-defined]
            elif event == "progress":
                self.tell("left")

    def tell(self, of_what: str) -> None:
        """Log the time, if there is something to say."""
        if told := self._time_left.told():
            self._log.info(f"Time {of_what}: {told}")
