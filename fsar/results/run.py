"""The page that says what was run: config, data, seeds, versions, hardware."""

import html
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fsar.files import atomic
from fsar.results.data_report import STYLE


def describe_run(
    config: Mapping[str, Any], counts: Sequence[Path], trainings: Sequence[Path], page: Path, resolved: Path
) -> None:
    """Write the page, and the resolved config as YAML.

    Args:
        config: the whole config, every default filled in.
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
    packages = sorted({(d.metadata["Name"], d.version) for d in distributions()}, key=lambda p: p[0].lower())
    versions = pd.DataFrame(packages, columns=["package", "version"])
    machine = pd.DataFrame({"what": ["system", "Python"], "which": [platform.platform(), platform.python_version()]})
    sections = {
        "Run": _table(pd.DataFrame([{"key": k, "value": json.dumps(v)} for k, v in config["run"].items()])),
        "Videos": _table(data),
        "Trained models": _table(models) if len(models) else "<p>None.</p>",
        "Machine that wrote this page": _table(machine),
        "Resolved config": f"<pre>{html.escape(text)}</pre>",
        "Packages": _table(versions),
    }
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections.items())
    with atomic(page) as temporary:
        temporary.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>What was run</title><style>{STYLE}</style>'
            f"<body><h1>What was run</h1>{body}</body></html>\n",
            encoding="utf-8",
        )


def _model(training: Path) -> dict[str, Any]:
    about = json.loads(training.read_text(encoding="utf-8"))
    *_, benchmark, backbone, method, _, _ = training.parts
    return {
        "benchmark": benchmark,
        "backbone": backbone,
        "method": method,
        "seed": about["seed"],
        "chosen after": about["selection"]["iteration"],
        "of": about["training"]["iterations"],
        "validation (%)": f"{100 * about['selection']['accuracy']:.2f}",
        "on": about["environment"]["device"],
        "torch": about["environment"]["torch"],
    }


def _table(table: pd.DataFrame) -> str:
    return str(table.to_html(index=False, border=0))
