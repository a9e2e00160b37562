"""The page of merged records: a table of each question, the most accurate first."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fsar.pages.render import template, write_page

TEMPLATE = "merged.html.jinja"
SHARED = ["benchmark", "way", "shot"]  # in the heading of a table


def write_records_page(table: pd.DataFrame, files: Sequence[str], path: Path) -> None:
    """Write the page.

    Args:
        table: `fsar.records.merge.table_of`, sorted.
        files: that the records came in.
        path: HTML file to write.
    """
    questions = {
        f"{benchmark}, {way}-way {shot}-shot": rows.drop(columns=SHARED)
        for (benchmark, way, shot), rows in table.groupby(SHARED, sort=False)
    }
    page = template(Path(__file__).parent, TEMPLATE)
    write_page(path, page, title="Records", heading="Records of several runs", questions=questions, files=files)
