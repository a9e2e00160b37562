"""What was run: config, data, seeds, versions, hardware; a part of the page of results."""

import html
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import read_json
from fsar.results.packages import installed_packages
from fsar.results.page import html_table


def what_was_run(
    config: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    counts: Sequence[Path],
    trainings: Sequence[Path],
    resolved: str,
) -> str:
    """Return it as HTML.

    Args:
        config: the whole config, every default filled in.
        effective: what holds for each benchmark and backbone (`fsar.config.merge.effective`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
        resolved: the config as YAML.
    """
    data = pd.DataFrame([{"benchmark": path.stem} | read_json(path) for path in counts])
    models = pd.DataFrame([_model(path) for path in trainings])
    versions = pd.DataFrame(installed_packages(), columns=["package", "version"])
    machine = pd.DataFrame({"what": ["system", "Python"], "which": [platform.platform(), platform.python_version()]})
    shown = {
        "Run": html_table(pd.DataFrame([{"key": k, "value": json.dumps(v)} for k, v in config["run"].items()])),
        "Effective settings": html_table(pd.DataFrame(effective)),
        "Numbers of videos": html_table(data),
        "Trained models": html_table(models),
        "Machine that wrote this page": html_table(machine),
    }
    folded = {"Resolved config": f"<pre>{html.escape(resolved)}</pre>", "Packages": html_table(versions)}
    return "".join(f"<h3>{name}</h3>{content}" for name, content in shown.items()) + "".join(
        f"<details><summary>{name}</summary>{content}</details>" for name, content in folded.items()
    )


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
