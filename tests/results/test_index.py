"""The page of results: what is in bold, what it carries, that its links lead somewhere; what the terminal is told."""

from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from PIL import Image

from fsar.config import load
from fsar.config.overview import decisive_record, effective
from fsar.files import write_json, write_parquet
from fsar.results.comparisons import COMPARISON_COLUMNS
from fsar.results.data_report import STRIPS_SCHEMA
from fsar.results.headline import headlines, on_the_terminal
from fsar.results.index import ShownFigure, write_index
from fsar.results.setting import Setting
from fsar.results.table import COLUMNS
from fsar.results.unknown import COLUMNS as UNKNOWN_COLUMNS
from fsar.statistics.unknown import MEASURES
from tests.helpers.browser import visit

ROWS = [
    # benchmark, backbone, method, shot, accuracy, over other trainings, published, leading
    ("hmdb51", "RN50", "OTAM", 1, 70.0, "", "", "yes"),
    ("hmdb51", "RN50", "CLIP-FSAR", 1, 70.2, "1.50", "69.2", "yes"),
    ("hmdb51", "RN50", "TRX", 1, 60.0, "", "", ""),
    ("hmdb51", "RN50", "CLIP-FSAR zero-shot", 0, 50.0, "", "", ""),
    ("a <b>", "ViT", "OTAM", 5, 80.0, "", "", ""),
    ("a <b>", "ViT", "CLIP-FSAR", 5, 90.0, "", "", "yes"),
]
# benchmark, shot, backbone, method, baseline, difference, over the test videos
COMPARED = pd.DataFrame(
    [
        ("hmdb51", 1, "RN50", "CLIP-FSAR", "OTAM", 0.2, 0.5),
        ("hmdb51", 1, "RN50", "TRX", "OTAM", -10.0, 1.0),
        ("hmdb51", 1, "RN50", "TRX", "CLIP-FSAR", -10.2, 1.0),
        ("a <b>", 5, "ViT", "CLIP-FSAR", "OTAM", 10.0, 1.0),
    ],
    columns=["benchmark", "shot", "backbone", "method", "baseline", "difference", "over_videos"],
).assign(way=5, over_episodes=0.3, p=0.5, p_holm=0.5, apart="", episodes=100)
COMPARED = COMPARED.assign(baseline_backbone=COMPARED["backbone"]).reindex(columns=COMPARISON_COLUMNS)


CLASSES = pd.DataFrame(
    {
        "class_name": ["opening", "a < b"],
        "accuracy": [60.0, 80.0],
        "low": 55.0,
        "high": 85.0,
        "queries": 50,
        "videos": 9,
    }
).assign(taken_for=["a < b", None], taken_for_rate=[12.5, None])


def setting(benchmark, backbone, method, way, shot):
    model = f"results/predictions/{benchmark}/{backbone}/{method.lower()}/seed1.parquet"
    return Setting(
        benchmark, backbone, method.lower(), method, way, shot, (1,), "val", (model,), "", "", "", benchmark, 8, 1
    )


@dataclass
class Tables:
    """The files that a page is made of, and the settings of their rows."""

    table: Path
    comparisons: Path
    classes: Path
    settings: list[Setting]


def write_tables(folder, rows, compared):
    """Write the tables of a run: rows as of `ROWS`, comparisons as of `COMPARED`."""
    own = Tables(*(folder / f"{name}.csv" for name in ("table", "comparisons", "classes")), [])
    rows.reindex(columns=COLUMNS, fill_value="").to_csv(own.table, index=False)
    compared.to_csv(own.comparisons, index=False)
    own.settings = [setting(r.benchmark, r.backbone, r.method, r.way, r.shot) for r in rows.itertuples()]
    pd.concat([CLASSES.assign(**one.named) for one in own.settings]).to_csv(own.classes, index=False)
    return own


@pytest.fixture
def tables(tmp_path):
    names = ["benchmark", "backbone", "method", "shot", "accuracy", "over_seeds", "published", "leading"]
    rows = pd.DataFrame(ROWS, columns=names).assign(way=5, interval="0.40", over_videos="2.00", episodes=10000)
    return write_tables(tmp_path, rows, COMPARED)


def test_in_bold_is_what_the_table_says_is_leading(tables):
    leading = {
        (one.benchmark, method)
        for one in headlines(tables.table)
        for (_, method), cells in one.rows.items()
        for cell in cells.values()
        if cell.leading
    }
    assert leading == {("hmdb51", "CLIP-FSAR"), ("hmdb51", "OTAM"), ("a <b>", "CLIP-FSAR")}


def test_the_terminal_shows_the_table_and_names_the_page(tables):
    text = on_the_terminal(tables.table, Path("results/index.html"))
    assert "hmdb51, 5-way              1-shot                    0-shot\n" in text.replace("RN50", "    ")
    assert "70.2 ± 0.40 (2.00, 1.50)" in text and "(in brackets: over test videos, trainings)" in text
    assert text.endswith("\nresults/index.html\n")


class Targets(HTMLParser):
    """What a page leads to and what it loads; its ids; its tables with captions, headings and cells."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tables: list[dict] = []
        self.bold: list[str] = []
        self.open: list[str] = []
        self.inside: list[dict] = []  # tables, the innermost last

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "a":
            self.links.append(values["href"])
        if tag == "iframe" or (tag in ("script", "link") and not values.get("href", "data:").startswith("data:")):
            self.loaded.append(tag)
        if "src" in values:
            self.loaded.append(values["src"])
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "table":
            self.tables.append({"caption": "", "headings": [], "rows": [], "scopes": []})
            self.inside.append(self.tables[-1])
        if tag == "th":
            self.inside[-1]["scopes"].append(values.get("scope"))
        if tag == "tr":
            self.inside[-1]["rows"].append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag == "table":
            self.inside.pop()
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "b" in self.open:
            self.bold.append(data)
        if self.open and self.open[-1] == "caption":
            self.inside[-1]["caption"] += data
        elif "thead" in self.open and data.strip():
            self.inside[-1]["headings"].append(data.strip())
        elif self.inside and self.inside[-1]["rows"]:
            self.inside[-1]["rows"][-1] += data


def read(page):
    """Return what is on a page."""
    targets = Targets()
    targets.feed(page.read_text())
    return targets


def written(folder, tables, figures, unknown=None):
    """Write a page with a figure for each (name, kind), and frames of two classes of a benchmark."""
    results = folder / "results"
    (results / "figures").mkdir(parents=True)
    shown = []
    for name, kind in figures:
        for suffix in ("pdf", "svg"):
            (results / f"figures/{name}.{suffix}").touch()
        costs = pd.DataFrame({"stage": "train_model", "job": ["a", "b"], "seconds": [3600.0, 60.0], "memory_mb": 5.0})
        costs.to_parquet(results / f"figures/{name}.parquet")
        Image.new("RGB", (400, 4)).save(results / f"figures/{name}.png", dpi=(200, 200))
        of = tables.settings[1] if kind == "episode" else None
        shown.append(ShownFigure(results / f"figures/{name}.png", kind, f"What {name} shows.", of))
    rows = [("test", "a < b", "v1", b"\xff\xd8"), ("train", "closing", "v2", b"\xff\xd8")]
    write_parquet(results / "strips.parquet", pd.DataFrame(rows, columns=STRIPS_SCHEMA.names), STRIPS_SCHEMA)
    write_json(results / "hmdb51.json", {"listed": 3, "used": 2, "missing": 0, "failed": 1})
    (results / "50 % #1?.md").touch()
    card = results / "models/hmdb51/RN50/clip-fsar/shot1-seed1/README.md"
    card.parent.mkdir(parents=True)
    card.touch()
    config = load(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
    write_index(
        results / "index.html",
        results / "config.yaml",
        config=config.model_dump(),
        changed=decisive_record(config),
        effective=effective(config),
        settings=tables.settings,
        table=tables.table,
        comparisons=tables.comparisons,
        classes=tables.classes,
        figures=shown,
        strips_of_classes={"hmdb51": results / "strips.parquet"},
        counts=[results / "hmdb51.json"],
        trainings=[],
        cards=[card],
        files={"Cards": [results / "50 % #1?.md"], "Tables": [tables.table, tables.comparisons], "Labels": []},
        unknown=unknown,
    )
    return results / "index.html"


def test_the_page_shows_how_unknown_queries_are_told(tables, tmp_path):
    named = {"benchmark": "hmdb51", "backbone": "RN50", "method": "OTAM", "way": 5, "shot": 1, "score": "logit"}
    values = {name: 61.25 if name in MEASURES else 0.5 for name in UNKNOWN_COLUMNS if name.split("_")[0] in MEASURES}
    row = {**named, **values, "main": "yes", "accuracy": 70.0, "known": 5, "unknown": 5, "episodes": 10}
    row |= {name: None for name in values if name.startswith("fpr95")}  # as published there is none
    pd.DataFrame([row], columns=UNKNOWN_COLUMNS).to_csv(tmp_path / "unknown.csv", index=False)
    page = read(written(tmp_path, tables, [], tmp_path / "unknown.csv"))
    (found,) = (own for own in page.tables if own["caption"].startswith("Unknown queries"))
    assert found["headings"][-5:] == ["AUROC", "AUPR", "FPR at 95 % recall", "OSCR", "accuracy"]
    assert "61.2 ± 0.5 ± 0.5" in found["rows"][-1] and "nan" not in found["rows"][-1]
    plain = read(written(tmp_path / "plain", tables, []))
    assert not any("Unknown" in own["caption"] for own in plain.tables)


FIGURES = [("cost", "cost"), ("accuracy", "accuracy"), ("e-1", "episode"), ("e-2", "episode")]


def test_the_page_says_what_is_trained_and_tested_where_these_are_two(tables, tmp_path):
    crossed = {"trained_on": "kinetics100", "removed": ("bowl<ing",), "models": "k100-without"}
    tables.settings = [replace(one, **crossed) if one.benchmark == "hmdb51" else one for one in tables.settings]
    text = written(tmp_path, tables, FIGURES).read_text()
    told = "trained on kinetics100, without 1 class (bowl&lt;ing); tested on hmdb51."
    assert f"<p>hmdb51 is {told}</p>" in text and text.count(f"It is {told}") == 4


def test_the_page_loads_nothing_and_every_link_leads_somewhere(tables, tmp_path):
    page = written(tmp_path, tables, FIGURES)
    found = read(page)
    assert all(source.startswith("data:image/") for source in found.loaded) and len(found.loaded) == 4 + 2
    assert len(set(found.ids)) == len(found.ids)
    for link in found.links:
        name = unquote(link)
        assert name[1:] in found.ids if name.startswith("#") else (page.parent / name).is_file(), link
    text = page.read_text()
    assert "a <b>" not in text and "a &lt;b&gt;" in text and "a &lt; b" in text
    assert text.index("What accuracy shows.") < text.index("What cost shows.")  # whatever the plan's order
    assert 'width="192"' in text  # 400 pixels at 200 per inch, in pixels of 1/96 inch


def test_a_row_has_its_intervals_difference_classes_card_and_figures(tables, tmp_path):
    more = pd.read_csv(tables.table, dtype=str).assign(over_moons="0.30")  # an interval that nobody has named yet
    more.to_csv(tables.table, index=False)
    found = read(written(tmp_path, tables, FIGURES))
    settings, *others = found.tables
    assert found.bold == ["70.0", "70.2", "90.0"]
    assert [name for name in settings["headings"] if "±" in name] == [
        "± episodes",
        "± test videos",
        "± trainings",
        "± moons",
    ]
    assert "other moons" in " ".join(Path(tmp_path / "results/index.html").read_text().split())
    # A row, then its details, whose table the parser tells apart.
    assert all(table["caption"].strip() for table in found.tables)
    assert {scope for table in found.tables for scope in table["scopes"]} == {"col", "row"}
    by_class = [table for table in others if table["headings"][0] == "class"]
    assert not any("nan" in row.split() for table in others for row in table["rows"])
    assert len(by_class) == len(ROWS) and "opening" in by_class[0]["rows"][1] and "12.5" in by_class[0]["rows"][1]
    assert "models/hmdb51/RN50/clip-fsar/shot1-seed1/README.md" in found.links
    assert [link for link in found.links if link.startswith("#figure-")] == ["#figure-e-1", "#figure-e-2"]


def test_what_was_run_has_no_empty_table_and_no_null(tables, tmp_path):
    found = read(written(tmp_path, tables, [("cost", "cost")]))
    captions = {table["caption"]: table for table in found.tables}
    assert "Trained models" not in captions and "None" not in captions
    assert captions["Numbers of videos"]["headings"] == ["benchmark", "listed", "used", "unreadable"]
    assert captions["Time and memory"]["rows"][1].split() == ["train_model", "2", "1:01:00", "5"]
    rows = [row.split("\n") for row in captions["Keys of the config that are no defaults"]["rows"]]
    cells = {cell.strip() for row in rows for cell in row} - {""}
    assert not {"null", "None", "nan", "[]", "{}"} & cells
    benchmarks = {cell.split(".")[1] for cell in cells if cell.startswith("benchmarks.")}
    assert benchmarks == {"demo"}  # those of the run


def test_the_same_results_give_the_same_page(tables, tmp_path):
    pages = [written(tmp_path / name, tables, [("accuracy", "accuracy")]).read_bytes() for name in ("one", "two")]
    pages = [page.replace(b"../../", b"../") for page in pages]  # the tables lie elsewhere
    assert pages[0] == pages[1]


def test_in_a_browser_the_table_sorts_filters_and_opens(tables, tmp_path):
    page = written(tmp_path, tables, FIGURES)
    found = visit(
        page,
        """
        const settings = document.getElementById("settings"), seen = {};
        const shown = () => items(settings).filter((row) => row.checkVisibility());
        const methods = () => shown().map((row) => row.cells[0].textContent);
        const accuracy = all("thead button", settings).find((one) => one.textContent === "Accuracy");
        accuracy.click();
        seen.falling = [methods(), accuracy.parentElement.getAttribute("aria-sort")];
        accuracy.click();
        seen.rising = [methods(), accuracy.parentElement.getAttribute("aria-sort")];
        const form = document.querySelector("form"), type = () => form.dispatchEvent(new Event("input"));
        form.elements.words.value = "clip rn50";
        type();
        seen.words = [methods(), form.elements.shown.value];
        form.elements.words.value = "";
        form.querySelector("select[data-by=benchmark]").value = "a <b>";
        type();
        seen.chosen = methods();
        form.reset();
        type();
        const row = items(settings).find((one) => one.cells[3].textContent === "70.2");
        row.querySelector("button").click();
        const below = row.nextElementSibling;
        seen.details = [below.checkVisibility(), below.querySelectorAll("img").length];
        seen.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
        return seen;
        """,
        tmp_path,
        width=400,
    )
    falling = ["CLIP-FSAR", "OTAM", "CLIP-FSAR", "OTAM", "TRX", "CLIP-FSAR zero-shot"]
    assert found["falling"] == [falling, "descending"] and found["rising"] == [falling[::-1], "ascending"]
    assert found["words"] == [["CLIP-FSAR zero-shot", "CLIP-FSAR"], "2 of 6 shown"]
    assert found["chosen"] == ["OTAM", "CLIP-FSAR"]
    assert found["details"] == [True, 2] and found["wide"] <= 0
