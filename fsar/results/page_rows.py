"""The rows of the table on the page of results: one setting each, with all that the page tells of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fsar.files import read_csv
from fsar.results.headline import headlines
from fsar.results.setting import Setting

# What each interval of results/table.csv covers; a column that is not named here is called by its own name.
COVERS = {
    "interval": "other episodes of the same test videos",
    "over_episodes": "other episodes of the same test videos",
    "over_videos": "other test videos of the same classes",
    "over_seeds": "other training runs",
    "over_classes": "other test classes",
    "over_deals": "other class partitions",
    "over_backbones": "other small CLIPs",
}
PLACE = ["benchmark", "backbone", "way", "shot"]
BEST = "best"
CLASSES_SHOWN = ["class", "accuracy (%)", "± (%)", "queries", "videos", "most often taken for", "of its queries (%)"]


@dataclass(frozen=True)
class Row:
    """A setting on the page.

    Attributes:
        named: benchmark, backbone, method, way and shot.
        accuracy, published: in percent, as text; empty where nothing is published.
        leading: no other method with this backbone is told apart from it as better.
        intervals: half-width of each interval in percent, by its column; empty where there is none.
        difference: from the best in the same place (`_difference`), or `BEST`; empty where nothing was compared.
        cards: of its trained models.
        classes: accuracy of each class, see `CLASSES_SHOWN`.
        figures: names of the figures that look at it.
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


def interval_columns(table: pd.DataFrame) -> dict[str, str]:
    """Return the columns of intervals that have a value, and what each covers."""
    columns = [str(name) for name in table.columns if name == "interval" or str(name).startswith("over_")]
    return {
        name: COVERS.get(name, f"other {name.removeprefix('over_').replace('_', ' ')}")
        for name in columns
        if table[name].astype(bool).any()
    }


def page_rows(
    table: Path,
    comparisons: Path,
    classes: Path,
    settings: Sequence[Setting],
    cards: Sequence[Path],
    figures: Mapping[str, Setting],
) -> tuple[list[Row], dict[str, str]]:
    """Return the rows in the order of the table, and what its intervals cover, by column.

    Args:
        table: results/table.csv.
        comparisons, classes: results/statistics/.
        settings: of the table's rows, for their models.
        cards: README.md of each trained model, at results/models/{benchmark}/{backbone}/{model}/{training}/.
        figures: which setting each figure looks at, by the figure's name.
    """
    rows = read_csv(table, dtype=str, keep_default_na=False)
    covers = interval_columns(rows)
    leading = {
        (one.benchmark, backbone, str(one.way), str(shot), method)
        for one in headlines(table, comparisons)
        for (backbone, method), cells in one.rows.items()
        for shot, cell in cells.items()
        if cell.leading
    }
    by_setting = dict(list(read_csv(classes).astype(dict.fromkeys(PLACE, str)).groupby([*PLACE, "method"])))
    of_models = {tuple(map(str, (*(s.named[name] for name in PLACE), s.title))): s.predictions[0] for s in settings}
    looked_at: dict[tuple[str, ...], list[str]] = {}
    for name, setting in figures.items():
        looked_at.setdefault(tuple(map(str, (*(setting.named[key] for key in PLACE), setting.title))), []).append(name)
    differences = _differences(rows, read_csv(comparisons).astype(dict.fromkeys(PLACE, str)))
    found = []
    for row in rows.to_dict("records"):
        key = tuple(str(row[name]) for name in (*PLACE, "method"))
        model = Path(of_models[key]).parts[-4:-1] if key in of_models else ()
        found.append(
            Row(
                named={name: str(row[name]) for name in ("benchmark", "backbone", "method", "way", "shot")},
                accuracy=str(row["accuracy"]),
                published=str(row["published"]),
                leading=key in leading,
                intervals={name: str(row[name]) for name in covers},
                difference=differences.get(key, ""),
                cards=[card for card in cards if card.parts[-5:-2] == model],
                classes=_classes(by_setting.get(key, pd.DataFrame())),
                figures=looked_at.get(key, []),
            )
        )
    return found, covers


def _differences(rows: pd.DataFrame, compared: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """Return how each method differs from the best of its place (benchmark, backbone, way, shot), with intervals."""
    accuracies = rows.assign(accuracy=rows["accuracy"].astype(float))
    best = accuracies.loc[accuracies.groupby(PLACE)["accuracy"].idxmax()].set_index(PLACE)["method"].to_dict()
    found = {}
    for row in compared.to_dict("records"):
        place = tuple(str(row[name]) for name in PLACE)
        pair = [row["method"], row["baseline"]]
        if best.get(place) in pair:
            sign = -1 if row["method"] == best[place] else 1
            found[*place, best[place]] = BEST
            found[*place, str(pair[sign < 0])] = _difference({str(name): value for name, value in row.items()}, sign)
    return found


def _difference(row: Mapping[str, object], sign: int) -> str:
    """Return a difference as text: with its interval from low to high, or with half-widths and what they are over."""
    text = f"{sign * float(str(row['difference'])):+.2f}"
    if "low" in row and "high" in row:
        low, high = sorted(sign * float(str(row[name])) for name in ("low", "high"))
        text += f" [{low:+.2f}, {high:+.2f}]"
    for name, value in row.items():
        if name.startswith("over_") and isinstance(value, int | float) and value == value:
            text += f" ± {value:.2f} ({name.removeprefix('over_')})"
    return text.replace("-", "−")


def _classes(own: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracy of each class, the worst first, with what it is most often taken for."""
    if own.empty:
        return own
    names = ["class_name", "accuracy", "interval", "queries", "videos", "taken_for", "taken_for_rate"]
    shown = own[[name for name in names if name in own]].sort_values("accuracy", kind="stable")
    shown = shown.round({"accuracy": 1, "interval": 1, "taken_for_rate": 1})
    return shown.fillna({"taken_for": ""}).rename(columns=dict(zip(names, CLASSES_SHOWN, strict=True)))
