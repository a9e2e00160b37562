"""The page of results, `results/index.html`: what came out, how it looks, what was run, and links to everything.

It carries its pictures within itself, so it can be sent; its links lead to files beside it.
"""

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fsar.benchmarks.splits import SPLITS
from fsar.files import atomic, read_csv, read_parquet
from fsar.results import headline
from fsar.results.data_report import STRIPS_SCHEMA
from fsar.results.page import anchor, picture, strips, write_page
from fsar.results.run import what_was_run

SECTIONS = ("Figures", "Videos", "What was run", "Files")
# Kinds of figures in their order, the others between these two: first what most is asked for, last the context.
FIRST, LAST = ("accuracy", "ranking", "episode"), ("published_bars", "curves", "cost")
STYLE = (
    headline.STYLE
    + """nav{display:flex;flex-wrap:wrap;gap:0 1.2em}li{overflow-wrap:anywhere}summary{margin:.5em 0;cursor:pointer}
.figures{columns:26em 2;column-gap:1.6em}.figures figure{break-inside:avoid;padding-bottom:1.6em}"""
)


@dataclass(frozen=True)
class ShownFigure:
    """A figure of the run: its picture (PNG; its other formats lie beside it), kind, and what is said below it."""

    png: Path
    kind: str
    caption: str


def write_index(
    page: Path,
    config_file: Path,
    *,
    config: Mapping[str, Any],
    effective: Sequence[Mapping[str, str]],
    table: Path,
    comparisons: Path,
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
        effective: what holds for each benchmark and backbone (`fsar.config.merge.effective`).
        table, comparisons: of all settings, see `fsar.results.headline.headlines`.
        figures: in the order of the plan.
        strips_of_classes: frames of each class, by benchmark (`fsar.results.data_report.STRIPS_SCHEMA`).
        counts: numbers of videos of each benchmark (JSON).
        trainings: training.json of each model that was trained.
        files: what is linked, by what it is.
    """
    resolved = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True)
    with atomic(config_file) as temporary:
        temporary.write_text(resolved, encoding="utf-8")
    found = headline.headlines(table, comparisons)
    contents = (
        _figures(figures, page),
        "".join(_videos(benchmark, read_parquet(path, STRIPS_SCHEMA)) for benchmark, path in strips_of_classes.items()),
        what_was_run(config, effective, counts, trainings, resolved),
        _files({**files, "Config, every default filled in": [config_file]}, page),
    )
    start = _summary(table) + headline.EXPLAINED + "".join(map(headline.as_html, found))
    benchmarks = ", ".join(dict.fromkeys(one.benchmark for one in found))
    sections = dict(zip(SECTIONS, contents, strict=True))
    write_page(page, f"Results: {benchmarks}", f"Few-shot action recognition: {benchmarks}", sections, STYLE, start)


def _summary(table: Path) -> str:
    """Return what was compared on what, and where on the page things are."""
    settings = read_csv(table, dtype=str, keep_default_na=False)
    count = settings["method"].nunique()
    backbones, benchmarks = (", ".join(dict.fromkeys(settings[name])) for name in ("backbone", "benchmark"))
    episodes = " or ".join(f"{int(number):,}" for number in dict.fromkeys(settings["episodes"]))
    links = "".join(f'<a href="#{anchor(name)}">{name}</a>' for name in SECTIONS)
    return (
        f"<nav>{links}</nav><p>{count} {'method' if count == 1 else 'methods'} on {html.escape(benchmarks)} with "
        f"{html.escape(backbones)}: {episodes} stored test episodes for each way and shot, the same for every method. "
        "What was trained was chosen on validation classes, never on test classes.</p>"
    )


def _figures(figures: Sequence[ShownFigure], page: Path) -> str:
    """Return the figures; a kind with one figure for each benchmark and backbone is folded."""
    kinds: dict[str, list[ShownFigure]] = {}
    for figure in sorted(figures, key=lambda figure: (figure.kind in LAST) - (figure.kind in FIRST)):
        kinds.setdefault(figure.kind, []).append(figure)
    single = "".join(_figure(shown[0], page, "") for shown in kinds.values() if len(shown) == 1)
    folded = "".join(
        f"<details><summary>{kind.replace('_', ' ')}: {len(shown)} figures</summary>"
        f'<div class="figures">{"".join(_figure(one, page, one.png.stem + ". ") for one in shown)}</div></details>'
        for kind, shown in kinds.items()
        if len(shown) > 1
    )
    return f'<div class="figures">{single}</div>{folded}'


def _figure(figure: ShownFigure, page: Path, name: str) -> str:
    """Return a figure with what is said below it, which begins with its name where there are several of its kind."""
    links = ", ".join(
        _link(figure.png.with_suffix(f".{suffix}"), page, text)
        for suffix, text in (("pdf", "PDF"), ("svg", "SVG"), ("png", "PNG"), ("parquet", "its data"))
    )
    return (
        f"<figure>{picture(figure.png.read_bytes(), 'png', figure.png.stem)}"
        f"<figcaption>{html.escape(name + figure.caption)} {links}</figcaption></figure>"
    )


def _videos(benchmark: str, table: pd.DataFrame) -> str:
    """Return frames of one video of each class; those of the test classes are in view."""
    parts = [f"<h3>{html.escape(benchmark)}</h3>"]
    for split in reversed(SPLITS):
        own = table[table["split"] == split]
        unfolded = " open" if split == "test" else ""
        parts.append(f"<details{unfolded}><summary>{split}: {len(own)} classes</summary>{strips(own)}</details>")
    return "".join(parts)


def _files(files: Mapping[str, Sequence[Path]], page: Path) -> str:
    items = (f"<li>{html.escape(name)}: {_links(paths, page)}</li>" for name, paths in files.items() if paths)
    return (
        f"<ul>{''.join(items)}</ul><p>Logs, run times and memory of every job are in <code>logs/</code>. On demand: "
        "<code>snakemake --report results/report.html</code> (Snakemake's report of everything, one file) and "
        "<code>snakemake archive</code> "
        "(what a reviewer needs to check every number).</p>"
    )


def _links(paths: Iterable[Path], page: Path) -> str:
    return ", ".join(_link(path, page, os.path.relpath(path, page.parent)) for path in paths)


def _link(path: Path, page: Path, text: str) -> str:
    target = os.path.relpath(path, page.parent).replace("%", "%25").replace("#", "%23").replace("?", "%3F")
    return f'<a href="{html.escape(target)}">{html.escape(text)}</a>'
