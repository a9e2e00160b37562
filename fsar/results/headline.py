"""The headline of a run: accuracy by method and shot with its intervals, as the page and the terminal show it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fsar.files import read_csv

LEFT_OUT = ("over_videos",)  # intervals that the whole table has, and the headline not


@dataclass(frozen=True)
class Cell:
    """One setting.

    Attributes:
        accuracy, interval: in percent, as text; the interval is over the test episodes.
        others: half-widths of other intervals in percent by what they are over, such as seeds.
        published: in percent; empty where nothing is published.
        leading: no other method with this backbone is told apart from it as better.
    """

    accuracy: str
    interval: str
    others: dict[str, str] = field(default_factory=dict)
    published: str = ""
    leading: bool = False


@dataclass
class Headline:
    """One benchmark at one way: cells by shot for each backbone and method, in the order of the table."""

    benchmark: str
    way: int
    rows: dict[tuple[str, str], dict[int, Cell]]

    @property
    def shots(self) -> list[int]:
        """Every shot that some method was tested with; no shot, where class names alone decide, comes last."""
        return sorted({shot for cells in self.rows.values() for shot in cells}, key=lambda shot: (shot == 0, shot))


def headlines(table: Path, comparisons: Path) -> list[Headline]:
    """Return the headlines of a run, one for each benchmark and way.

    Args:
        table: results/table.csv (`fsar.results.table.COLUMNS`).
        comparisons: results/statistics/comparisons.csv (`fsar.results.comparisons.COMPARISON_COLUMNS`).
    """
    settings = read_csv(table, dtype=str, keep_default_na=False)
    compared = read_csv(comparisons)
    leading = {
        (*place, title)
        for place, group in settings.groupby(["benchmark", "backbone", "way", "shot"], sort=False)
        for title in _leading(group, compared, place)
    }
    found: dict[tuple[str, str], Headline] = {}
    for row in settings.to_dict("records"):
        place = row["benchmark"], row["way"]
        headline = found.setdefault(place, Headline(row["benchmark"], int(row["way"]), {}))
        others = {
            name.removeprefix("over_"): str(value)
            for name, value in row.items()
            if str(name).startswith("over_") and name not in LEFT_OUT and value
        }
        cells = headline.rows.setdefault((row["backbone"], row["method"]), {})
        first = (row["benchmark"], row["backbone"], row["way"], row["shot"], row["method"]) in leading
        cells[int(row["shot"])] = Cell(row["accuracy"], row["interval"], others, row["published"], first)
    return list(found.values())


def _leading(group: pd.DataFrame, compared: pd.DataFrame, place: tuple[str, ...]) -> Iterator[str]:
    """Yield the best method of a place (benchmark, backbone, way, shot), and those not told apart from it."""
    if len(group) < 2:
        return
    accuracies = group.set_index("method")["accuracy"].astype(float)
    best = accuracies.idxmax()
    yield best
    benchmark, backbone, way, shot = place
    here = (compared["benchmark"] == benchmark) & (compared["backbone"] == backbone)
    here &= (compared["way"] == int(way)) & (compared["shot"] == int(shot))
    for row in compared[here].itertuples():
        if best in (row.method, row.baseline) and row.low <= 0 <= row.high:
            yield row.baseline if row.method == best else row.method


def on_the_terminal(table: Path, comparisons: Path, page: Path) -> str:
    """Return what is said when a run has ended: its headlines, and where everything else is."""
    found = headlines(table, comparisons)
    others = dict.fromkeys(
        name for one in found for cells in one.rows.values() for cell in cells.values() for name in cell.others
    )
    explained = "Accuracy in percent ± its 95 % interval over the test episodes"
    explained += f" (in brackets: over {', '.join(others)})" if others else ""
    shown = "\n\n".join(map(as_text, found))
    return f"\n{shown}\n\n{explained}. Everything on one page:\n{page}\n"


def as_text(headline: Headline) -> str:
    """Return a headline as lines of text."""
    rows = [[f"{headline.benchmark}, {headline.way}-way", "", *(f"{shot}-shot" for shot in headline.shots)]]
    for (backbone, method), cells in headline.rows.items():
        rows.append([method, backbone, *(_plain(cells.get(shot)) for shot in headline.shots)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _plain(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return f"{cell.accuracy} ± {cell.interval}" + (f" ({', '.join(cell.others.values())})" if cell.others else "")
