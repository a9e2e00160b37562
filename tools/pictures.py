"""The README's pictures, from the demo's results: `python -m tools.pictures`, or `make pictures`."""

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


def write_pictures(results: Path = RESULTS, folder: Path = FOLDER) -> None:
    """Write the pictures.

    Args:
        results: of a run of the demo.
        folder: for frames.jpg and `FIGURES`.

    Raises:
        UserError: the demo was not run.
    """
    needed = [results / name for name in (STRIPS, *(data for _, data in FIGURES.values()))]
    if missing := [str(path) for path in needed if not path.is_file()]:
        raise UserError(f"{', '.join(missing)}: not there. Run the demo first: make table")
    _save(frames(pd.read_parquet(results / STRIPS)), folder / "frames.jpg")
    with TemporaryDirectory() as drawn:
        for name, (kind, data) in FIGURES.items():
            whole = Path(drawn) / f"{name}.png"
            draw(kind, results / data, [whole])
            _save(_small(Image.open(whole).convert("RGB")), folder / name)


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
