"""The page of results, `results/index.html`: what came out, how it looks, what was run, and links to everything.

It carries its pictures within itself, so it can be sent; its links lead to files beside it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from PIL import Image

from fsar.benchmarks.splits import SPLITS
from fsar.files import atomic, read_csv, read_parquet
from fsar.pages.render import template, write_page
from fsar.results.data_report import STRIPS_SCHEMA
from fsar.results.packages import installed_packages
from fsar.results.page_rows import page_rows
from fsar.results.published import FOOTNOTE
from fsar.results.run import run_tables
from fsar.results.setting import Setting
from fsar.results.unknown import shown_rows

TEMPLATE = "index.html.jinja"
# Kinds of figures in their order, the others between these two: first what most is asked for, last the context.
FIRST, LAST = ("accuracy", "ranking", "episode"), ("published_bars", "curves", "cost")
FORMATS = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "parquet": "its data"}


@dataclass(frozen=True)
class ShownFigure:
    """A figure of the run.

    Attributes:
        png: its picture; its other formats lie beside it.
        kind, caption: as they were planned.
        of: the setting it looks at; None where it compares several.
    """

    png: Path
    kind: str
    caption: str
    of: Setting | None = None


class Link(NamedTuple):
    """A link of the page: where it leads, and its text."""

    href: str
    text: str


def write_index(
    page: Path,
    config_file: Path,
    *,
    config: Mapping[str, Any],
    changed: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    settings: Sequence[Setting],
    table: Path,
    comparisons: Path,
    classes: Path,
    figures: Sequence[ShownFigure],
    strips_of_classes: Mapping[str, Path],
    counts: Sequence[Path],
    trainings: Sequence[Path],
    cards: Sequence[Path],
    files: Mapping[str, Sequence[Path]],
    unknown: Path | None = None,
) -> None:
    """Write the page, and the resolved config as YAML.

    Args:
        page: HTML file.
        config_file: YAML file.
        config: the whole config, every default filled in.
        changed, effective, counts, trainings: see `fsar.results.run.run_tables`.
        settings, table, comparisons, classes, cards: see `fsar.results.page_rows.page_rows`.
        figures: in the order of the plan.
        strips_of_classes: frames of each class, by benchmark (`fsar.results.data_report.STRIPS_SCHEMA`).
        files: what is linked, by what it is.
        unknown: results/statistics/unknown.csv, where tests asked unknown queries.
    """
    resolved = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    with atomic(config_file) as temporary:
        temporary.write_text(resolved, encoding="utf-8")
    looked_at = {figure.png.stem: figure.of for figure in figures if figure.of}
    rows, covers = page_rows(table, comparisons, classes, settings, cards, looked_at)
    named = {name: list(dict.fromkeys(row.named[name] for row in rows)) for name in ("benchmark", "backbone", "method")}
    cost = next((figure.png.with_suffix(".parquet") for figure in figures if figure.kind == "cost"), None)
    write_page(
        page,
        template(Path(__file__).parent, TEMPLATE),
        title=f"Results: {_few_or_number(named['benchmark'])}",
        heading=f"Few-shot action recognition: {_few_or_number(named['benchmark'])}",
        rows=rows,
        covers=covers,
        footnote=FOOTNOTE,
        few_sources=_few_sources(table),
        seen=_seen(table),
        domains=list(dict.fromkeys(f"{own.benchmark} is {own.domains}" for own in settings if own.domains)),
        named=named,
        link=partial(_link, page=page),
        figures=_by_kind(figures, page),
        unknown=shown_rows(read_csv(unknown, keep_default_na=False, na_values=[""])) if unknown else None,
        strips={name: _by_split(path) for name, path in strips_of_classes.items()},
        run=run_tables(changed, effective, counts, trainings, cost),
        config=resolved,
        packages=pd.DataFrame(installed_packages(), columns=["package", "version"]),
        files=_linked({**files, "Config, every default filled in": [config_file]}, page),
    )


def _few_or_number(benchmarks: Sequence[str]) -> str:
    return ", ".join(benchmarks) if len(benchmarks) < 4 else f"{len(benchmarks)} benchmarks"


def _linked(files: Mapping[str, Sequence[Path]], page: Path) -> dict[str, list[Link]]:
    return {name: [_link(path, page) for path in paths] for name, paths in files.items()}


def _few_sources(table: Path) -> list[str]:
    """Return the tests whose intervals over test videos few sources carry, such as `demo, 5-shot`."""
    rows = read_csv(table, dtype=str, keep_default_na=False).query("few_sources == 'yes'")
    return list(dict.fromkeys(rows["benchmark"] + ", " + rows["shot"] + "-shot"))


def _seen(table: Path) -> list[str]:
    """Return the backbones whose pretraining saw videos of a benchmark, such as `VideoMAE-B on kinetics100`."""
    rows = read_csv(table, dtype=str, keep_default_na=False).query("seen == 'yes'")
    return list(dict.fromkeys(rows["backbone"] + " on " + rows["benchmark"]))


def _by_kind(figures: Sequence[ShownFigure], page: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the figures by their kinds: the bytes, natural width, name and caption of each, and links to its files."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for figure in sorted(figures, key=lambda figure: (figure.kind in LAST) - (figure.kind in FIRST)):
        links = [_link(figure.png.with_suffix(f".{suffix}"), page, text) for suffix, text in FORMATS.items()]
        shown = {"name": figure.png.stem, "data": figure.png.read_bytes(), "caption": figure.caption, "files": links}
        kinds.setdefault(figure.kind, []).append(shown | {"width": _natural_width(figure.png)})
    return kinds


def _natural_width(png: Path) -> int:
    """Return how wide a picture is by its own resolution, in pixels of CSS (1/96 inch)."""
    with Image.open(png) as picture:
        return round(picture.width * 96 / picture.info.get("dpi", (96, 96))[0])


def _by_split(file: Path) -> dict[str, pd.DataFrame]:
    """Return frames of one video of each class by split, the test classes first."""
    strips = read_parquet(file, STRIPS_SCHEMA)
    return {split: strips[strips["split"] == split] for split in reversed(SPLITS)}


def _link(path: Path, page: Path, text: str = "") -> Link:
    """Return a link to a file, by its name as it is unless there is another text."""
    name = os.path.relpath(path, page.parent)
    return Link(name.replace("%", "%25").replace("#", "%23").replace("?", "%3F"), text or name)
