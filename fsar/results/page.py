"""Pages of HTML that are complete by themselves."""

import html
from pathlib import Path

import pandas as pd

from fsar.files import atomic

STYLE = """body{font:15px/1.45 sans-serif;max-width:68em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0}td,th{padding:.2em .7em;border-bottom:1px solid #ccc;text-align:right}
td:first-child,th:first-child{text-align:left}img{max-width:100%}"""


def write_page(path: Path, title: str, heading: str, sections: dict[str, str]) -> None:
    """Write a page of sections: HTML by its heading."""
    body = "".join(f"<h2>{name}</h2>{content}" for name, content in sections.items())
    with atomic(path) as temporary:
        temporary.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f"<style>{STYLE}</style><body><h1>{html.escape(heading)}</h1>{body}</body></html>\n",
            encoding="utf-8",
        )


def html_table(table: pd.DataFrame) -> str:
    """Return a table as HTML, or that there is nothing in it."""
    return str(table.to_html(index=False, border=0)) if len(table) else "<p>None.</p>"
