"""The paper's tables, ours beside published with the difference, as CSV, Markdown and LaTeX."""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from fsar.files import atomic
from fsar.methods import METHODS
from fsar.results.comparisons import Comparison, Place
from fsar.results.layout import Layout
from fsar.results.published import FOOTNOTE, MARK, published_results
from fsar.results.table import rounded

OURS, PUBLISHED, DIFFERENCE = "ours", "published", "difference"
# What pandas leaves as it is, and LaTeX's usual fonts lack as text.
SYMBOLS = {
    "†": r"$\dagger$", MARK: r"$\ddagger$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip
CELLS = [
    "backbone", "method", "figures", "benchmark", "shot", "accuracy",
    "intervals",  # as text: over episodes, over test videos; with several training seeds, over trainings too
    "quoted",  # a published number that is second-hand, or a difference from one
    "leading",  # ours: the best with its backbone, or not told apart from it
]  # fmt: skip


def cells(layout: Layout, compared: Mapping[Place, Comparison]) -> pd.DataFrame:
    """Return every number of a table, a row each; columns of `CELLS`.

    What was not run, or is not published, has no row.
    """
    rows: list[tuple[str, str, str, str, int, float, str, bool, bool]] = []
    columns = [(benchmark, shot) for benchmark in layout.benchmarks for shot in layout.shots]
    titles = None if layout.methods is None else [METHODS[key].title for key in layout.methods]
    names = {METHODS[key].published_as: METHODS[key].title for key in METHODS if METHODS[key].published_as}
    published = published_results()
    published = published[published["way"] == layout.way]
    for row in published.drop_duplicates(["method", "backbone", "benchmark", "shot"]).itertuples():
        title = names.get(row.method, row.method)
        if (row.benchmark, row.shot) in columns and (titles is None or title in titles):
            rows.append((row.backbone, title, PUBLISHED, row.benchmark, row.shot, row.accuracy, "", row.quoted, False))
    known = {(backbone, title, *place): (value, quoted) for backbone, title, _, *place, value, _, quoted, _ in rows}
    for found, number in ((own, number) for own in compared.values() for number in range(len(own.settings))):
        setting = found.settings[number]
        place = (setting.benchmark, setting.shot)
        if place not in columns or not layout.holds(setting) or (titles is not None and setting.title not in titles):
            continue
        backbone = setting.published_backbone or setting.backbone
        accuracy = found.accuracies[number]
        rows.append(
            (backbone, setting.title, OURS, *place, accuracy, _shown(found, number), False, found.leading[number])
        )
        if (backbone, setting.title, *place) in known:
            value, quoted = known[backbone, setting.title, *place]
            rows.append((backbone, setting.title, DIFFERENCE, *place, accuracy - value, "", quoted, False))
    return pd.DataFrame(rows, columns=CELLS)


def _shown(found: Comparison, number: int) -> str:
    """Return the intervals of one accuracy as text; a question mark where one cannot be told."""
    own = [found.over_episodes[number], found.over_videos[number]]
    own += [found.over_seeds[number]] if len(found.measured[number].trainings) > 1 else []
    return "".join(f" ± {rounded(value, 1) or '?'}" for value in own)


def _wide(layout: Layout, table: pd.DataFrame, latex: bool) -> pd.DataFrame:
    """Put the cells into columns by benchmark and shot, as text; LaTeX has the leading ones of ours in bold."""
    rows: dict[tuple[str, str, str], dict[tuple[str, int], str]] = {}
    for cell in table.itertuples():
        if cell.figures == DIFFERENCE:
            text = f"{cell.accuracy:+.1f}"
        elif cell.figures == PUBLISHED:
            text = f"{cell.accuracy:.1f}"
        else:
            text = f"{cell.accuracy:.1f}"
            if latex and cell.leading:
                text = rf"\textbf{{{text}}}"
            text += cell.intervals.replace("±", r"$\pm$") if latex else cell.intervals
        text += f" {MARK}" if cell.quoted else ""
        rows.setdefault((cell.backbone, cell.method, cell.figures), {})[cell.benchmark, cell.shot] = text
    order = {name: number for number, name in enumerate(method.title for method in METHODS.values())}
    figures = (PUBLISHED, OURS, DIFFERENCE)
    # Other papers' methods first, in the order of their papers; then ours, in the order of this project.
    places = sorted(rows, key=lambda row: (row[0], order.get(row[1], -1), row[1], figures.index(row[2])))
    columns = [(benchmark, shot) for benchmark in layout.benchmarks for shot in layout.shots]
    content = [[*place, *(rows[place].get(column, "") for column in columns)] for place in places]
    names = [(layout.benchmarks[benchmark], f"{shot}-shot") for benchmark, shot in columns]
    header = pd.MultiIndex.from_tuples([("", "backbone"), ("", "method"), ("", "figures"), *names])
    return pd.DataFrame(content, columns=header)


def _latex_body(marked: pd.DataFrame) -> str:
    """Return the LaTeX of a table of `_wide`: its first three columns and the header are names, to be escaped."""
    names = marked.columns[:3].tolist()
    styled = marked.style.hide(axis="index").format_index(axis="columns", escape="latex")
    body: str = styled.format(escape="latex", subset=names).to_latex(
        hrules=True, column_format="lll" + "r" * (len(marked.columns) - 3), multicol_align="c"
    )
    for character, command in SYMBOLS.items():
        body = body.replace(character, command)
    return re.sub(r"^([\[*])", r"{\1}", body, flags=re.MULTILINE)  # after a row's end these would be its options


def _intervals(compared: Mapping[Place, Comparison]) -> str:
    """Say what the intervals of a table are."""
    several = any(len(own.trainings) > 1 for found in compared.values() for own in found.measured)
    intervals = "±: 95 % interval over episodes, then over test videos"
    return intervals + (", then over trainings, where there are several" if several else "")


def write_layout(layout: Layout, compared: Mapping[Place, Comparison], csv: Path, markdown: Path, latex: Path) -> None:
    """Write one table in three formats.

    Args:
        layout: its rows and columns.
        compared: all methods that were run, also those that it does not show: `fsar.results.comparisons.compare_all`.
        csv, markdown, latex: files to write.
    """
    table, intervals = cells(layout, compared), _intervals(compared)
    plain = _wide(layout, table, latex=False)
    plain.columns = pd.Index([" ".join(filter(None, names)) for names in plain.columns])
    with atomic(csv) as temporary:
        plain.to_csv(temporary, index=False, lineterminator="\n")
    quoted = table["quoted"].any()
    footnote = f"\n{FOOTNOTE}\n" if quoted else ""
    with atomic(markdown) as temporary:
        content = plain.to_markdown(index=False, disable_numparse=True)
        temporary.write_text(f"{layout.caption}; {intervals}\n\n{content}\n{footnote}", encoding="utf-8")
    body = _latex_body(_wide(layout, table, latex=True))
    marks = f" {FOOTNOTE}".replace(MARK, r"$\ddagger$:") if quoted else ""
    intervals = intervals.replace("±", r"$\pm$").replace(" %", r"\,\%")
    bold = "bold: the best of ours, and what its test videos do not tell apart from it"
    caption = f"{layout.caption}. Accuracy in percent; {intervals}; {bold}.{marks}"
    with atomic(latex) as temporary:
        temporary.write_text(
            "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{" + caption + "}\n" + body
            + "\\end{table}\n",
            encoding="utf-8",
        )  # fmt: skip
