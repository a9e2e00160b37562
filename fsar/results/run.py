"""What was run, as tables for the page of results: config, data, models, time, machine."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import read_json

COUNTED = {
    "listed": "listed", "used": "used", "missing": "missing", "failed": "unreadable",
    "with_lost_frames": "with lost frames", "with_wrong_frames": "with wrong frames",
}  # fmt: skip


def run_tables(
    changed: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    counts: Sequence[Path],
    trainings: Sequence[Path],
    costs: Path | None,
) -> dict[str, pd.DataFrame]:
    """Return tables by their captions; one that has nothing to tell is empty.

    Args:
        changed: what of the config decides any result and is no default (`fsar.config.overview.decisive_record`).
        effective: what holds for each benchmark and backbone (`fsar.config.overview.effective`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
        costs: seconds and memory of each job (Parquet, the data of the figure `cost`).
    """
    machine = {"system": platform.platform(), "processor": platform.machine(), "Python": platform.python_version()}
    return {
        "Keys of the config that are no defaults": pd.DataFrame(
            _keys(_of_the_run(changed, effective)), columns=["key", "value"]
        ),
        "What holds for each benchmark and backbone": pd.DataFrame(effective),
        "Numbers of videos": _counts(counts),
        "Trained models": pd.DataFrame([_model(path) for path in trainings]),
        "Time and memory": _costs(costs),
        "Machine that wrote this page": pd.DataFrame({"what": machine.keys(), "which": machine.values()}),
    }


def _of_the_run(changed: Mapping[str, Any], effective: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the keys without those of benchmarks and backbones that were not run."""
    found = dict(changed)
    for section, name in (("benchmarks", "benchmark"), ("backbones", "backbone")):
        own, ran = changed.get(section, {}), {row[name] for row in effective}
        for names in ("train_on", "test_on"), ("variant_of",):  # a benchmark that is trained on may be a variant
            ran |= {own[key][name] for key in ran & own.keys() for name in names if name in own[key]}
        found[section] = {key: value for key, value in own.items() if key in ran}
    return found


def _keys(section: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key with the sections it is in, and its value in words."""
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", in_words(value)


def in_words(value: Any) -> str:
    """Return a value of the config as text for a reader."""
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    if value is None or value == "":
        return "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _counts(counts: Sequence[Path]) -> pd.DataFrame:
    """Return the numbers of videos of each benchmark; of those that are zero everywhere, only listed and used ones."""
    rows = [{"benchmark": path.stem} | {k: n for k, n in read_json(path).items() if k in COUNTED} for path in counts]
    table = pd.DataFrame(rows)
    kept = [name for name in COUNTED if name in table and (name in ("listed", "used") or table[name].any())]
    return table[["benchmark", *kept]].rename(columns=COUNTED) if rows else table


def _model(training: Path) -> dict[str, Any]:
    about = read_json(training)
    return {
        "benchmark": about["benchmark"],
        "backbone": about["backbone_name"],
        "model": about["model"],
        "seed": about["seed"],
        "chosen after": about["selection"]["iteration"],
        "of": about["training"]["iterations"],
        "validation (%)": round(100 * about["selection"]["accuracy"], 2),
        "on": about["environment"]["device"],
        "torch": about["environment"]["torch"],
    }


def _costs(costs: Path | None) -> pd.DataFrame:
    """Return the time of all jobs of a stage together, and the memory of its largest job."""
    if costs is None or (jobs := pd.read_parquet(costs)).empty:
        return pd.DataFrame()
    stages = jobs.groupby("stage", sort=False).agg(
        jobs=("job", "size"), seconds=("seconds", "sum"), memory=("memory_mb", "max")
    )
    stages["time (h:min:s)"] = [str(timedelta(seconds=round(value))) for value in stages["seconds"]]
    stages["largest job (MB)"] = stages["memory"].round().astype(int)
    return stages.drop(columns=["seconds", "memory"]).reset_index()
