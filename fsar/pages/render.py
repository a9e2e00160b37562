"""Pages of HTML that are complete by themselves, from templates of jinja2, which escape what they are given."""

import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from fsar.files import atomic

FOLDER = Path(__file__).parent
# The frame of every page, its style and script, tables and pictures for it. (A change of these makes pages again.)
SHARED = ("base.html.jinja", "style.css", "page.js", "parts.html.jinja")


@cache
def template(folder: Path, name: str) -> jinja2.Template:
    """Load a template, which may extend `base.html.jinja` and import `parts.html.jinja`.

    Args:
        folder, name: of its file.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": anchor, "base64": base64, "is_numeric": pd.api.types.is_numeric_dtype}
    return environment.get_template(name)


def write_page(path: str | Path, page: jinja2.Template, **values: Any) -> None:
    """Write a page, part by part, so that it need not fit into memory.

    Args:
        path: HTML file.
        page: a template of `template`.
        values: by their names in it.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(page.generate(**values))


def anchor(heading: str) -> str:
    """Return the anchor of a section: its heading in small letters, with hyphens."""
    return "-".join(re.findall(r"\w+", heading.lower()))


def base64(data: bytes) -> str:
    """Return bytes as text that a page can carry within itself."""
    return b64encode(data).decode()
