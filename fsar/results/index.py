"""The page of results, `results/index.html`: what came out, how it looks, what was run, and links to everything.

It carries its pictures within itself, so it can be sent; its links lead to files beside it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from fsar.benchmarks.splits import SPLITS
from fsar.files import atomic, read_csv, read_parquet
from fsar.pages.render import template, write_page
from fsar.results.data_report import STRIPS_SCHEMA
from fsar.results.headline import headlines
from fsar.results.packages import installed_packages
from fsar.results.run import run_tables

TEMPLATE = "index.html.jinja"
# Kinds of figures in their order, the others between these two: first what most is asked for, last the context.
FIRST, LAST = ("accuracy", "ranking", "episode"), ("published_bars", "curves", "cost")
FORMATS = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "parquet": "its data"}


@dataclass(frozen=True)
class ShownFigure:
    """A figure of the run: its picture (PNG; its other formats lie beside it), kind, and what is said below it."""

    png: Path
    kind: str
    caption: str


class Link(NamedTuple):
    """A link of the page: where it leads, and its text."""

    href: str
    text: str


def write_index(
    page: Path,
    config_file: Path,
    *,
    config: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    table: Path,
    figures: Sequence[ShownFigure],
    strips_of_classes: Mapping[str, Path],
    counts: Sequence[Path],
    trainings: Sequence[Path],
    files: Mapping[str, Sequence[Path]],
) -> None:
    """Write the page, and the resolved config as YAML.

    Args:
        page: HTML file.
        config_file: YAML file.
        config: the whole config, every default filled in.
        effective: what holds for each benchmark and backbone (`fsar.config.overview.effective`).
        table: of all settings, see `fsar.results.headline.headlines`.
        figures: in the order of the plan.
        strips_of_classes: frames of each class, by benchmark (`fsar.results.data_report.STRIPS_SCHEMA`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
        files: what is linked, by what it is.
    """
    resolved = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    with atomic(config_file) as temporary:
        temporary.write_text(resolved, encoding="utf-8")
    found = headlines(table)
    benchmarks = ", ".join(dict.fromkeys(one.benchmark for one in found))
    linked = {**files, "Config, every default filled in": [config_file]}
    write_page(
        page,
        template(Path(__file__).parent, TEMPLATE),
        title=f"Results: {benchmarks}",
        heading=f"Few-shot action recognition: {benchmarks}",
        compared=_compared(table),
        headlines=found,
        figures=_by_kind(figures, page),
        strips={name: _by_split(read_parquet(path, STRIPS_SCHEMA)) for name, path in strips_of_classes.items()},
        run=run_tables(config, effective, counts, trainings),
        config=resolved,
        packages=pd.DataFrame(installed_packages(), columns=["package", "version"]),
        files={name: [_link(path, page) for path in paths] for name, paths in linked.items()},
    )


def _compared(table: Path) -> dict[str, Any]:
    """Return how many methods were compared, and on which benchmarks, backbones and numbers of episodes, as text."""
    settings = read_csv(table, dtype=str, keep_default_na=False)
    backbones, benchmarks = (", ".join(dict.fromkeys(settings[name])) for name in ("backbone", "benchmark"))
    episodes = " or ".join(f"{int(number):,}" for number in dict.fromkeys(settings["episodes"]))
    methods = settings["method"].nunique()
    return {"methods": methods, "backbones": backbones, "benchmarks": benchmarks, "episodes": episodes}


def _by_kind(figures: Sequence[ShownFigure], page: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the figures by their kinds: the bytes, name and caption of each, and links to its files."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for figure in sorted(figures, key=lambda figure: (figure.kind in LAST) - (figure.kind in FIRST)):
        links = [_link(figure.png.with_suffix(f".{suffix}"), page, text) for suffix, text in FORMATS.items()]
        shown = {"name": figure.png.stem, "data": figure.png.read_bytes(), "caption": figure.caption, "files": links}
        kinds.setdefault(figure.kind, []).append(shown)
    return kinds


def _by_split(strips: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return frames of one video of each class by split, the test classes first."""
    return {split: strips[strips["split"] == split] for split in reversed(SPLITS)}


def _link(path: Path, page: Path, text: str = "") -> Link:
    """Return a link to a file, by its name as it is unless there is another text."""
    name = os.path.relpath(path, page.parent)
    return Link(name.replace("%", "%25").replace("#", "%23").replace("?", "%3F"), text or name)
