"""The headline of a run: accuracy by method and shot with its intervals, as the page and the terminal show it."""

from dataclasses import dataclass, field
from pathlib import Path

from fsar.files import read_csv
from fsar.results.covers import OVER, covered
from fsar.results.setting import ways_named


@dataclass(frozen=True)
class Cell:
    """One setting.

    Attributes:
        accuracy, interval: in percent, as text; the interval is over the test episodes.
        others: half-widths of other intervals in percent by what they are over, such as test videos.
        published: in percent; empty where nothing is published.
        leading: the best with its backbone, or not told apart from it.
    """

    accuracy: str
    interval: str
    others: dict[str, str] = field(default_factory=dict)
    published: str = ""
    leading: bool = False


@dataclass
class Headline:
    """One benchmark at one way: cells by shot for each backbone and method, in the order of the table.

    Attributes:
        benchmark: its name.
        ways: how many classes an episode holds, as a title says it.
        rows: by backbone and method.
    """

    benchmark: str
    ways: str
    rows: dict[tuple[str, str], dict[int, Cell]]

    @property
    def shots(self) -> list[int]:
        """Every shot that some method was tested with; no shot, where class names alone decide, comes last."""
        return sorted({shot for cells in self.rows.values() for shot in cells}, key=lambda shot: (shot == 0, shot))


def headlines(table: Path) -> list[Headline]:
    """Return the headlines of a run, one for each benchmark and way.

    Args:
        table: results/table.csv (`fsar.results.table.COLUMNS`).
    """
    settings = read_csv(table, dtype=str, keep_default_na=False)
    found: dict[tuple[str, str], Headline] = {}
    for row in settings.to_dict("records"):
        ways = ways_named(row["way"], row["every_class"] == "yes")
        headline = found.setdefault((row["benchmark"], row["way"]), Headline(row["benchmark"], ways, {}))
        others = {covered(name).heading: row[name] for name in row if str(name).startswith(OVER) and row[name]}
        cells = headline.rows.setdefault((row["backbone"], row["method"]), {})
        leading = row["leading"] == "yes"
        cells[int(row["shot"])] = Cell(row["accuracy"], row["interval"], others, row["published"], leading)
    return list(found.values())


def on_the_terminal(table: Path, page: Path) -> str:
    """Return what is said when a run has ended: its headlines, and where everything else is."""
    found = headlines(table)
    others = dict.fromkeys(
        name for one in found for cells in one.rows.values() for cell in cells.values() for name in cell.others
    )
    explained = "Accuracy in percent ± its 95 % interval over the test episodes"
    explained += f" (in brackets: over {', '.join(others)})" if others else ""
    shown = "\n\n".join(map(as_text, found))
    return f"\n{shown}\n\n{explained}. Everything on one page:\n{page}\n"


def as_text(headline: Headline) -> str:
    """Return a headline as lines of text."""
    rows = [[f"{headline.benchmark}, {headline.ways}", "", *(f"{shot}-shot" for shot in headline.shots)]]
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
