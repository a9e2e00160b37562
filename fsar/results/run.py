"""What was run, as tables for the page of results: settings, data, models, machine."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import read_json


def run_tables(
    config: Mapping[str, Any], effective: Sequence[Mapping[str, str]], counts: Sequence[Path], trainings: Sequence[Path]
) -> dict[str, pd.DataFrame]:
    """Return tables by their headings.

    Args:
        config: the whole config, every default filled in.
        effective: what holds for each benchmark and backbone (`fsar.config.overview.effective`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
    """
    machine = {"system": platform.platform(), "Python": platform.python_version()}
    return {
        "Run": pd.DataFrame([{"key": key, "value": json.dumps(value)} for key, value in config["run"].items()]),
        "Effective settings": pd.DataFrame(effective),
        "Numbers of videos": pd.DataFrame([{"benchmark": path.stem} | read_json(path) for path in counts]),
        "Trained models": pd.DataFrame([_model(path) for path in trainings]),
        "Machine that wrote this page": pd.DataFrame({"what": machine.keys(), "which": machine.values()}),
    }


def _model(training: Path) -> dict[str, Any]:
    about = read_json(training)
    return {
        "benchmark": about["benchmark"],
        "backbone": about["backbone_name"],
        "model": about["model"],
        "seed": about["seed"],
        "chosen after": about["selection"]["iteration"],
        "of": about["training"]["iterations"],
        "validation (%)": f"{100 * about['selection']['accuracy']:.2f}",
        "on": about["environment"]["device"],
        "torch": about["environment"]["torch"],
    }
