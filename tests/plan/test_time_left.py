"""About how long a run still takes: by what its jobs took, with a clock that the test turns."""

import logging

import pytest

from fsar.plan.time_left import PlannedJob, Teller, TimeLeft, in_words


@pytest.fixture
def measured(tmp_path):
    """Files of jobs' times, as Snakemake writes them."""

    folder = tmp_path / "train_model"
    folder.mkdir()

    def write(seconds):
        path = folder / f"{len(list(folder.iterdir()))}.tsv"
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t-\n")
        return path

    return write


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_jobs_share_cores_and_wait_for_one_another(measured):
    jobs = {n: PlannedJob("train_model", 1, measured(60)) for n in range(1, 5)}
    assert TimeLeft(jobs, 1).told() == "about 4 min"
    assert TimeLeft(jobs, 2).told() == "about 2 min"
    assert TimeLeft(jobs, None).told() == "about 1 min"  # nothing limits them
    chain = {n: PlannedJob("train_model", 1, measured(60), frozenset({n - 1, 0})) for n in range(1, 5)}
    assert TimeLeft(chain, 8).told() == "about 4 min"
    wide = {n: PlannedJob("train_model", 8, measured(60)) for n in range(1, 5)}
    assert TimeLeft(wide, 2).told() == "about 4 min"  # no more threads than cores


def test_what_never_ran_takes_what_others_of_its_rule_take(measured, tmp_path):
    measured(50)  # of a training that has not to run again
    jobs = {
        1: PlannedJob("train_model", 1, measured(150)),
        2: PlannedJob("train_model", 1, tmp_path / "train_model/none.tsv"),
        3: PlannedJob("encode_features", 1, tmp_path / "encode_features/1.tsv"),
        4: PlannedJob("encode_features", 1, tmp_path / "encode_features/2.tsv"),
        5: PlannedJob("all", 1, None),
    }
    clock = Clock()
    left = TimeLeft(jobs, 1, clock)
    assert left.told() == "more than 4 min (2 jobs have never been timed)"  # 150 + 100 s
    left.begin([3])
    clock.now = 300.0
    left.end(3)
    assert left.told() == "about 9 min"  # 250 s, and 300 s for the other of its rule


def test_what_runs_takes_what_is_left_of_it(measured):
    clock = Clock()
    left = TimeLeft({1: PlannedJob("train_model", 1, measured(600)), 2: PlannedJob("all", 1)}, 2, clock)
    left.begin([1])
    clock.now = 240.0
    assert left.told() == "about 6 min"
    clock.now = 900.0  # slower than the last time
    assert left.told() is None
    left.end(1)
    assert left.told() is None


@pytest.mark.parametrize("text", ["", "s\n", "h:m:s\n1\n", "s\tx\n-\t1\n"])
def test_a_broken_measurement_is_none(text, tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(text)
    assert TimeLeft({1: PlannedJob("train_model", 1, path)}, 1).told() is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (29, "29 s"), (31, "1 min"), (3540, "59 min"), (9600, "2 h 40 min")]
)
def test_in_words(seconds, words):
    assert in_words(seconds) == words


def test_the_terminal_is_told_when_snakemake_has_said_how_many_are_done(measured, caplog):
    """The events have the names that Snakemake gives them."""
    from snakemake_interface_logger_plugins.common import LogEvent

    clock, log = Clock(), logging.getLogger("a run")
    jobs = {1: PlannedJob("train_model", 1, measured(60)), 2: PlannedJob("train_model", 1, measured(120))}
    teller = Teller(TimeLeft(jobs, 1, clock), log)
    log.addHandler(teller)
    log.setLevel(logging.INFO)
    try:
        teller.tell("of this run")
        log.info("Execute 1 jobs...", extra={"event": LogEvent.JOB_STARTED, "jobs": [1]})
        clock.now = 50.0
        log.info("Finished jobid: 1", extra={"event": LogEvent.JOB_FINISHED, "job_id": 1})
        log.info(None, extra={"event": LogEvent.PROGRESS, "done": 1, "total": 2})
        log.info("something else")
        log.info("Finished jobid: 2", extra={"event": LogEvent.JOB_FINISHED, "job_id": 2})
        log.info(None, extra={"event": LogEvent.PROGRESS, "done": 2, "total": 2})
    finally:
        log.removeHandler(teller)
    assert [line for line in caplog.messages if line.startswith("Time")] == [
        "Time of this run: about 3 min",
        "Time left: about 2 min",
    ]


def test_what_goes_wrong_in_telling_stops_nothing(caplog):
    """As where another version of Snakemake says of a job what no other has said."""

    class Other:
        def begin(self, _):
            raise AttributeError("no such thing")

        end = begin

    log = logging.getLogger("of a run")
    with caplog.at_level(logging.WARNING):
        teller = Teller(Other(), log)
        for event in ("job_started", "job_finished"):
            record = logging.makeLogRecord({"event": event})
            teller.emit(record)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "AttributeError: no such thing); it goes on" in caplog.text
