"""The rows of the table on the page of results: one setting each, with all that the page tells of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import read_csv
from fsar.results.covers import Covered, covered, is_interval
from fsar.results.published import MARK
from fsar.results.setting import Setting, test_named, way_in_a_cell

PLACE = ["benchmark", "backbone", "way", "shot"]
BEST = "best"
# Columns of results/statistics/classes.csv, and their headings.
OF_CLASSES = {
    "class_name": "class",
    "accuracy": "accuracy (%)",
    "low": "95 % interval from",
    "high": "to (%)",
    "queries": "queries",
    "videos": "videos",
    "taken_for": "most often taken for",
    "taken_for_rate": "of its queries (%)",
}
Place = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """A setting on the page.

    Attributes:
        named: benchmark, backbone, method, way and shot; `test` and `ways`, as a title and as a cell says it.
        accuracy, published: in percent, as text; empty where nothing is published, with `MARK` if it is second-hand.
        leading: the best with its backbone, or not told apart from it.
        intervals: half-width of each interval in percent, by its column; empty where there is none.
        difference: from the best in the same place (`_difference`), or `BEST`; empty where nothing was compared.
        cards: of its trained models.
        classes: accuracy of each class, with the headings of `OF_CLASSES`.
        figures: names of the figures that look at it.
        domains: what it is trained and tested on, where these are two; else empty.
    """

    named: dict[str, str]
    accuracy: str
    published: str
    leading: bool
    intervals: dict[str, str]
    difference: str
    cards: list[Path]
    classes: pd.DataFrame
    figures: list[str]
    domains: str = ""


def page_rows(
    table: Path,
    comparisons: Path,
    classes: Path,
    settings: Sequence[Setting],
    cards: Sequence[Path],
    figures: Mapping[str, Setting],
) -> tuple[list[Row], dict[str, Covered]]:
    """Return the rows in the order of the table, and what its intervals are over, by column.

    Args:
        table: results/table.csv.
        comparisons, classes: results/statistics/.
        settings: of the table's rows, for their models.
        cards: README.md of each trained model, at results/models/{benchmark}/{backbone}/{model}/{training}/.
        figures: which setting each figure looks at, by the figure's name.
    """
    rows = read_csv(table, dtype=str, keep_default_na=False)
    covers = {
        name: covered(name) for name in map(str, rows.columns) if is_interval(name) and rows[name].astype(bool).any()
    }
    by_setting = dict(list(read_csv(classes).astype(dict.fromkeys(PLACE, str)).groupby([*PLACE, "method"])))
    # As they stand in the paths of its predictions; the models may be another benchmark's.
    of_models = {
        _key(setting.named): (setting.models or setting.benchmark, *Path(setting.predictions[0]).parts[-3:-1])
        for setting in settings
    }
    domains = {_key(setting.named): setting.domains for setting in settings}
    differences = _from_the_best(rows, read_csv(comparisons).astype(dict.fromkeys(PLACE, str)))
    found = []
    for row in rows.to_dict("records"):
        key = _key(row)
        found.append(
            Row(
                named={name: str(row[name]) for name in ("benchmark", "backbone", "method", "way", "shot")}
                | _told(row["way"], row["shot"], row["every_class"] == "yes"),
                accuracy=str(row["accuracy"]),
                published=str(row["published"]) + (f" {MARK}" if row["published_quoted"] == "yes" else ""),
                leading=row["leading"] == "yes",
                intervals={name: str(row[name]) for name in covers},
                difference=differences.get(key, ""),
                cards=[card for card in cards if card.parts[-5:-2] == of_models[key]],
                classes=_classes(by_setting.get(key, pd.DataFrame())),
                figures=[name for name, setting in figures.items() if _key(setting.named) == key],
                domains=domains[key],
            )
        )
    return found, covers


def _told(way: str, shot: str, every_class: bool) -> dict[str, str]:
    return {"test": test_named(way, shot, every_class), "ways": way_in_a_cell(way, every_class)}


def _key(named: Mapping[Any, Any]) -> Place:
    """Return by what a setting is found: benchmark, backbone, way, shot and method, as text."""
    return tuple(str(named[name]) for name in (*PLACE, "method"))


def _from_the_best(rows: pd.DataFrame, compared: pd.DataFrame) -> dict[Place, str]:
    """Return how each method differs from the best of its place (benchmark, backbone, way, shot).

    Differences of methods with different backbones are not looked at.
    """
    accuracies = rows.assign(accuracy=rows["accuracy"].astype(float))
    best = accuracies.loc[accuracies.groupby(PLACE)["accuracy"].idxmax()].set_index(PLACE)["method"].to_dict()
    found = {}
    for row in compared[compared["backbone"] == compared["baseline_backbone"]].to_dict("records"):
        place = tuple(str(row[name]) for name in PLACE)
        if best[place] in (row["method"], row["baseline"]):
            sign = -1 if row["method"] == best[place] else 1
            found[*place, str(best[place])] = BEST
            found[*place, str(row["baseline"] if sign < 0 else row["method"])] = _difference(row, sign)
    return found


def _difference(row: Mapping[Any, Any], sign: int) -> str:
    """Return a difference as text, with the half-widths of its intervals in the order of their columns."""
    widths = [row[name] for name in row if is_interval(name) and pd.notna(row[name])]
    text = f"{sign * row['difference']:+.2f}" + "".join(f" ± {width:.2f}" for width in widths)
    return text.replace("-", "−")


def _classes(own: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of each class, the worst first, with what it is most often taken for."""
    if own.empty:
        return own
    shown = own[[name for name in OF_CLASSES if name in own]].sort_values("accuracy", kind="stable").round(1)
    return shown.fillna({"taken_for": ""}).rename(columns=OF_CLASSES)
