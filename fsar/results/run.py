"""The page that says what was run: config, data, seeds, versions, hardware."""

import html
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fsar.files import atomic
from fsar.results.packages import installed_packages
from fsar.results.page import html_table, write_page


def describe_run(
    config: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    counts: Sequence[Path],
    trainings: Sequence[Path],
    page: Path,
    resolved: Path,
) -> None:
    """Write the page, and the resolved config as YAML.

    Args:
        config: the whole config, every default filled in.
        effective: what holds for each benchmark and backbone (`fsar.config.merge.effective`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
        page: HTML file, complete by itself.
        resolved: YAML file.
    """
    text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    with atomic(resolved) as temporary:
        temporary.write_text(text, encoding="utf-8")
    data = pd.DataFrame([{"benchmark": path.stem} | json.loads(path.read_text()) for path in counts])
    models = pd.DataFrame([_model(path) for path in trainings])
    versions = pd.DataFrame(installed_packages(), columns=["package", "version"])
    machine = pd.DataFrame({"what": ["system", "Python"], "which": [platform.platform(), platform.python_version()]})
    sections = {
        "Run": html_table(pd.DataFrame([{"key": k, "value": json.dumps(v)} for k, v in config["run"].items()])),
        "Effective settings": html_table(pd.DataFrame(effective)),
        "Videos": html_table(data),
        "Trained models": html_table(models),
        "Machine that wrote this page": html_table(machine),
        "Resolved config": f"<pre>{html.escape(text)}</pre>",
        "Packages": html_table(versions),
    }
    write_page(page, "What was run", "What was run", sections)


def _model(training: Path) -> dict[str, Any]:
    about = json.loads(training.read_text(encoding="utf-8"))
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
