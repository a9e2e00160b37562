"""The README's pictures, from the demo's results: `python -m fsar.results.pictures`, or `make pictures`."""

import html
import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.font_manager
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from fsar.errors import UserError
from fsar.files import atomic
from fsar.results.figures.drawing import draw

RESULTS, FOLDER = Path("results"), Path("docs/pictures")
STRIPS = "data/demo.strips.parquet"
# Pictures that are figures of the run: kind and data by file; as JPEG where there are frames in it.
FIGURES = {
    "accuracy.png": ("accuracy", "figures/accuracy.parquet"),
    "episode.jpg": ("episode", "figures/episode-demo-small-clip.parquet"),
}
WIDTH = 820  # pixels, that of a README
SHOWN, COLUMNS = 6, 3  # classes of the demo, and how many beside one another
LABEL, GAP, FONT = 28, 14, 20  # pixels

# The way from video to table: boxes at (column, row) with what they are and what is special about each, and arrows.
BOXES = {
    "videos": (0, 1.0, "Videos", ("listed with", "class and split")),
    "frames": (1, 0.0, "Frames", ("each video is", "decoded once")),
    "episodes": (1, 2.0, "Episodes", ("drawn once, stored,", "the same for all")),
    "training": (2, 0.0, "Training", ("on training classes;", "validation chooses")),
    "test": (3, 1.0, "Test", ("each video is", "encoded once")),
    "results": (4, 1.0, "Results", ("table, intervals,", "figures, one page")),
}
ARROWS = [
    ("videos", "frames"), ("videos", "episodes"), ("frames", "training"), ("episodes", "training"),
    ("training", "test"), ("episodes", "test"), ("test", "results"),
]  # fmt: skip
BOX, STEP, MARGIN = (142, 76), (178, 62), 6  # width and height; from one to the next; around all


def write_pictures(results: Path = RESULTS, folder: Path = FOLDER) -> None:
    """Write the pictures.

    Args:
        results: of a run of the demo.
        folder: for way.svg, frames.jpg and `FIGURES`.

    Raises:
        UserError: the demo was not run.
    """
    needed = [results / name for name in (STRIPS, *(data for _, data in FIGURES.values()))]
    if missing := [str(path) for path in needed if not path.is_file()]:
        raise UserError(f"{', '.join(missing)}: not there. Run the demo first: make table")
    with atomic(folder / "way.svg") as temporary:
        temporary.write_text(way(), encoding="utf-8")
    _save(frames(pd.read_parquet(results / STRIPS)), folder / "frames.jpg")
    with TemporaryDirectory() as drawn:
        for name, (kind, data) in FIGURES.items():
            whole = Path(drawn) / f"{name}.png"
            draw(kind, results / data, [whole])
            _save(_small(Image.open(whole).convert("RGB")), folder / name)


def way() -> str:
    """Return the way from video to table as SVG."""
    parts = [_arrow(BOXES[start][:2], BOXES[end][:2]) for start, end in ARROWS]
    for column, row, title, lines in BOXES.values():
        x, y = _corner(column, row)
        middle = x + BOX[0] / 2
        parts.append(
            f'<rect x="{x}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="8" fill="#eef3f8" stroke="#4a6fa5"/>'
        )
        parts.append(
            f'<text x="{middle:g}" y="{y + 24:g}" font-size="16" font-weight="bold">{html.escape(title)}</text>'
        )
        parts += [
            f'<text x="{middle:g}" y="{y + 44 + 17 * number:g}" font-size="13">{html.escape(line)}</text>'
            for number, line in enumerate(lines)
        ]
    width = 2 * MARGIN + BOX[0] + STEP[0] * max(column for column, *_ in BOXES.values())
    height = 2 * MARGIN + BOX[1] + STEP[1] * max(row for _, row, *_ in BOXES.values())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" '
        'font-family="sans-serif" text-anchor="middle" fill="#222"><title>From video to table</title>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#4a6fa5"/></marker></defs>\n'
        '<rect width="100%" height="100%" rx="8" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _corner(column: float, row: float) -> tuple[float, float]:
    """Return the upper left corner of a box."""
    return MARGIN + STEP[0] * column, MARGIN + STEP[1] * row


def _arrow(start: tuple[int, float], end: tuple[int, float]) -> str:
    """Return an arrow from the right side of a box to the left side of another, which comes in at its own height."""
    (x, y), (u, v) = _corner(*start), _corner(*end)
    lower = (start[1] > end[1]) - (start[1] < end[1])
    x, y, v = x + BOX[0], y + BOX[1] / 2, v + BOX[1] / 2 + 14 * lower
    bend = (u - x) / 2
    return (
        f'<path d="M{x:g} {y:g}C{x + bend:g} {y:g} {u - bend:g} {v:g} {u - 1:g} {v:g}" fill="none" stroke="#4a6fa5" '
        'stroke-width="2" marker-end="url(#tip)"/>'
    )


def frames(strips: pd.DataFrame) -> Image.Image:
    """Return frames of some of the demo's test classes, which lie evenly in their order, with their names."""
    test = strips[strips["split"] == "test"].reset_index(drop=True)
    chosen = test.iloc[[number * len(test) // SHOWN for number in range(SHOWN)]]
    pictures = [Image.open(io.BytesIO(strip)) for strip in chosen["strip"]]
    width, height = pictures[0].width + GAP, pictures[0].height + LABEL + GAP
    whole = Image.new("RGB", (COLUMNS * width - GAP, -(-SHOWN // COLUMNS) * height - GAP), "white")
    write = ImageDraw.Draw(whole)
    font = ImageFont.truetype(matplotlib.font_manager.findfont("DejaVu Sans"), FONT)
    for place, (picture, name) in enumerate(zip(pictures, chosen["class_name"], strict=True)):
        x, y = place % COLUMNS * width, place // COLUMNS * height
        whole.paste(picture, (x, y))
        write.text((x, y + picture.height + 3), name, "#222", font)
    return whole


def _small(picture: Image.Image) -> Image.Image:
    """Return a picture no wider than a README."""
    height = round(picture.height * WIDTH / picture.width)
    return picture if picture.width <= WIDTH else picture.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _save(picture: Image.Image, path: Path) -> None:
    """Save a picture as small as it still looks well: as JPEG, or as PNG in 256 colours."""
    with atomic(path) as temporary:
        if path.suffix == ".jpg":
            picture.save(temporary, format="JPEG", quality=88, subsampling=0, optimize=True)
        else:
            picture.quantize(256, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    try:
        write_pictures()
    except UserError as error:
        sys.exit(str(error))
