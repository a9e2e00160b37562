"""The page of results: what is in bold, what it carries, that its links lead somewhere; what the terminal is told."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from PIL import Image

from fsar.config import load
from fsar.config.overview import effective
from fsar.files import write_json, write_parquet
from fsar.results.data_report import STRIPS_SCHEMA
from fsar.results.headline import headlines, on_the_terminal
from fsar.results.index import ShownFigure, write_index
from fsar.results.table import COLUMNS

ROWS = [
    # benchmark, backbone, method, shot, accuracy, over other trainings, published, leading
    ("hmdb51", "RN50", "OTAM", 1, 70.0, "", "", "yes"),
    ("hmdb51", "RN50", "CLIP-FSAR", 1, 70.2, "1.50", "69.2", "yes"),
    ("hmdb51", "RN50", "TRX", 1, 60.0, "", "", ""),
    ("hmdb51", "RN50", "CLIP-FSAR zero-shot", 0, 50.0, "", "", ""),
    ("a <b>", "ViT", "OTAM", 5, 80.0, "", "", ""),
    ("a <b>", "ViT", "CLIP-FSAR", 5, 90.0, "", "", "yes"),
]


@pytest.fixture
def table(tmp_path):
    names = ["benchmark", "backbone", "method", "shot", "accuracy", "over_seeds", "published", "leading"]
    rows = pd.DataFrame(ROWS, columns=names).assign(way=5, interval="0.40", over_videos="2.00", episodes=10000)
    rows.reindex(columns=COLUMNS, fill_value="").to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def test_in_bold_is_what_the_table_says_is_leading(table):
    leading = {
        (one.benchmark, method)
        for one in headlines(table)
        for (_, method), cells in one.rows.items()
        for cell in cells.values()
        if cell.leading
    }
    assert leading == {("hmdb51", "CLIP-FSAR"), ("hmdb51", "OTAM"), ("a <b>", "CLIP-FSAR")}


def test_the_terminal_shows_the_table_and_names_the_page(table):
    text = on_the_terminal(table, Path("results/index.html"))
    assert "hmdb51, 5-way              1-shot                    0-shot\n" in text.replace("RN50", "    ")
    assert "70.2 ± 0.40 (2.00, 1.50)" in text and "(in brackets: over test videos, trainings)" in text
    assert text.endswith("\nresults/index.html\n")


class Targets(HTMLParser):
    """What a page leads to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "href" in values:
            self.links.append(values["href"])
        if tag in ("script", "link", "iframe"):
            self.loaded.append(tag)
        if "src" in values:
            self.loaded.append(values["src"])


def written(folder, table, figures):
    """Write a page with a figure for each (name, kind), and frames of two classes of a benchmark."""
    results = folder / "results"
    (results / "figures").mkdir(parents=True)
    shown = []
    for name, kind in figures:
        for suffix in ("pdf", "svg", "parquet"):
            (results / f"figures/{name}.{suffix}").touch()
        Image.new("RGB", (4, 4)).save(results / f"figures/{name}.png")
        shown.append(ShownFigure(results / f"figures/{name}.png", kind, f"What {name} shows."))
    rows = [("test", "a < b", "v1", b"\xff\xd8"), ("train", "closing", "v2", b"\xff\xd8")]
    write_parquet(results / "strips.parquet", pd.DataFrame(rows, columns=STRIPS_SCHEMA.names), STRIPS_SCHEMA)
    write_json(results / "hmdb51.json", {"listed": 3, "used": 2})
    (results / "50 % #1?.md").touch()
    config = load(yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text()))
    write_index(
        results / "index.html",
        results / "config.yaml",
        config=config.model_dump(),
        effective=effective(config),
        table=table,
        figures=shown,
        strips_of_classes={"hmdb51": results / "strips.parquet"},
        counts=[results / "hmdb51.json"],
        trainings=[],
        files={"Cards": [results / "50 % #1?.md"], "Tables": [table], "Labels": []},
    )
    return results / "index.html"


def test_the_page_loads_nothing_and_every_link_leads_somewhere(table, tmp_path):
    page = written(
        tmp_path, table, [("cost", "cost"), ("accuracy", "accuracy"), ("e-1", "episode"), ("e-2", "episode")]
    )
    text, targets = page.read_text(), Targets()
    targets.feed(text)
    assert all(source.startswith("data:image/") for source in targets.loaded) and len(targets.loaded) == 4 + 2
    for link in targets.links:
        name = unquote(link)
        assert f'id="{name[1:]}"' in text if name.startswith("#") else (page.parent / name).is_file(), link
    assert len(targets.links) == 4 + 4 * 4 + 2 + 1
    assert "a <b>" not in text and "a &lt;b&gt;" in text and "a &lt; b" in text
    assert text.index("What accuracy shows.") < text.index(
        "What cost shows."
    )  # as asked for, whatever the plan's order
    assert "episode: 2 figures" in text and "e-1. What e-1 shows." in text  # folded, and told apart
    assert re.findall(r"<b>([\d.]+)</b>", text) == ["70.0", "70.2", "90.0"] and "published 69.2" in unescape(text)


def test_the_same_results_give_the_same_page(table, tmp_path):
    pages = [written(tmp_path / name, table, [("accuracy", "accuracy")]).read_bytes() for name in ("one", "two")]
    pages = [page.replace(b"../../", b"../") for page in pages]  # the table lies elsewhere
    assert pages[0] == pages[1]
