"""Pages of HTML that are complete by themselves, on a wide screen and on a phone."""

import html
import re
from base64 import b64encode
from pathlib import Path

import pandas as pd

from fsar.files import atomic

STYLE = """body{font:15px/1.45 sans-serif;max-width:68em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ccc;text-align:left}
td.number,th.number{text-align:right}img{max-width:100%}.scroll{overflow-x:auto}.scroll table{width:max-content}
.scroll th{white-space:nowrap}
.scroll td{overflow-wrap:break-word;min-width:4em;max-width:30em;vertical-align:top}
pre{overflow-x:auto;font-size:.87em}figure{margin:0}figcaption{overflow-wrap:anywhere;font-size:.87em}
.strips{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(18em,100%),1fr));gap:.7em}"""


def write_page(
    path: Path, title: str, heading: str, sections: dict[str, str], style: str = "", start: str = ""
) -> None:
    """Write a page of sections.

    Args:
        path: HTML file.
        title: of the window.
        heading: at the top.
        sections: HTML by heading; each has an `anchor`.
        style: CSS beside what all pages have.
        start: HTML before the first section.
    """
    body = "".join(f'<h2 id="{anchor(name)}">{name}</h2>{content}' for name, content in sections.items())
    with atomic(path) as temporary:
        temporary.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<style>{STYLE}{style}</style><body><h1>{html.escape(heading)}</h1>{start}{body}</body></html>\n",
            encoding="utf-8",
        )


def anchor(heading: str) -> str:
    """Return the anchor of a section: its heading in small letters, with hyphens."""
    return "-".join(re.findall(r"\w+", heading.lower()))


def html_table(table: pd.DataFrame) -> str:
    """Return a table as HTML that scrolls by itself where it is wide, or that there is nothing in it."""
    if not len(table):
        return "<p>None.</p>"
    kinds = [' class="number"' if pd.api.types.is_numeric_dtype(kind) else "" for kind in table.dtypes]
    names = "".join(f"<th{kind}>{html.escape(str(name))}</th>" for kind, name in zip(kinds, table.columns, strict=True))
    rows = (
        "".join(f"<td{kind}>{html.escape(str(value))}</td>" for kind, value in zip(kinds, row, strict=True))
        for row in table.itertuples(index=False)
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def picture(data: bytes, kind: str, alt: str) -> str:
    """Return an image, of a kind such as png, that the page carries within itself."""
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{b64encode(data).decode()}">'


def strips(table: pd.DataFrame) -> str:
    """Return a strip of frames for each class, as many beside one another as fit.

    Args:
        table: of `fsar.results.data_report.STRIPS_SCHEMA`.
    """
    shown = (
        f"<figure>{picture(row.strip, 'jpeg', 'frames of ' + row.video_id)}"
        f"<figcaption>{html.escape(row.class_name)}</figcaption></figure>"
        for row in table.itertuples()
    )
    return f'<div class="strips">{"".join(shown)}</div>'
