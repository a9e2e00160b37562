"""Names in any script in figures: a font of the machine that has them is taken, or what to install is told once."""

import logging

import matplotlib
import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.font_manager import fontManager
from PIL import Image

from fsar.results.figures import fonts, style
from fsar.results.figures.drawing import draw

SCRIPTS = {"cjk": "打开门動画", "ethiopic": "በር መክፈት", "devanagari": "दरवाज़ा खोलना", "emoji": "🚪👋🏽"}


def make_font(path, family, characters, compact=False):
    """Write a font in which each of some characters is a black square: TrueType, or OpenType with compact outlines."""
    cmap = {ord(character): f"g{ord(character):x}" for character in characters if not character.isspace()}
    order = [".notdef", "space", *dict.fromkeys(cmap.values())]
    builder = FontBuilder(1000, isTTF=not compact)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(cmap | {32: "space"})

    def square(pen, glyph):
        if glyph.startswith("g"):
            pen.moveTo((50, 0)), pen.lineTo((50, 800)), pen.lineTo((850, 800)), pen.lineTo((850, 0)), pen.closePath()
        return pen

    if compact:
        drawn = {g: square(T2CharStringPen(900, None), g).getCharString() for g in order}
        builder.setupCFF(family.replace(" ", ""), {"FullName": family}, drawn, {})
    else:
        builder.setupGlyf({g: square(TTGlyphPen(None), g).glyph() for g in order})
    builder.setupHorizontalMetrics(dict.fromkeys(order, (900, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWeightClass=400)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def installed(monkeypatch, caplog):
    """Take the fonts of these files, and Matplotlib's own, for those of the machine."""
    caplog.set_level(logging.WARNING)
    own = [entry for entry in fontManager.ttflist if "mpl-data" in entry.fname]

    def install(*paths):
        monkeypatch.setattr(fontManager, "ttflist", list(own))
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(paths))
        fontManager._findfont_cached.cache_clear()
        fonts._told.clear()

    install()
    yield install
    fontManager._findfont_cached.cache_clear()
    style.apply()


def table(*names):
    return pd.DataFrame(
        {
            "class_name": np.repeat(names, len(names)), "predicted_name": list(names) * len(names),
            "rate": 50.0, "asked": 4, "method": "CLIP-FSAR", "benchmark": "x", "backbone": "y", "test": "5-way 1-shot",
        }
    )  # fmt: skip


def drawn(tmp_path, *names, kinds=("png", "pdf", "svg")):
    names = (*names, "waving")
    rates = table(*names)
    rates.to_parquet(tmp_path / "data.parquet")
    paths = [tmp_path / f"figure.{kind}" for kind in kinds]
    draw("confusion", tmp_path / "data.parquet", paths)
    return paths


@pytest.mark.parametrize("compact", [False, True], ids=["ttf", "otf"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_font_that_has_the_characters_is_taken(installed, tmp_path, caplog, script, compact):
    name = SCRIPTS[script]
    installed()
    before = np.asarray(Image.open(drawn(tmp_path, name, kinds=("png",))[0])).copy()
    caplog.clear()
    installed(make_font(tmp_path / "have.otf", "Have All", name, compact))
    png, pdf, svg = drawn(tmp_path, name)
    assert caplog.text == "" and matplotlib.rcParams["font.family"] == ["sans-serif", "Have All"]
    after = np.asarray(Image.open(png))
    assert before.shape != after.shape or (before != after).any()
    assert name.split()[0] in svg.read_text(encoding="utf-8") and "Have All" in svg.read_text(encoding="utf-8")
    assert b"HaveAll" in pdf.read_bytes()


def test_as_few_fonts_as_will_do_and_always_the_same(installed, tmp_path, caplog):
    files = [
        make_font(tmp_path / "a.ttf", "One", "打开"),
        make_font(tmp_path / "b.ttf", "Two", "打开门"),
        make_font(tmp_path / "c.ttf", "Two B", "打开门"),
        make_font(tmp_path / "d.ttf", "Noto Sans Some", "打开门"),
        make_font(tmp_path / "e.ttf", "Emoji", "🚪"),
    ]
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    installed(str(tmp_path / "broken.ttf"), *files)
    assert fonts.families_for(["打开门 🚪", "waving"]) == ["Noto Sans Some", "Emoji"]
    installed(*reversed(files[:3]))
    assert fonts.families_for(["打开门"]) == ["Two"] and fonts.families_for(["打", "größe ±…", "a\u200db"]) == ["One"]
    assert caplog.text == ""


def test_what_no_font_has_is_told_once_and_the_figure_is_made(installed, tmp_path, caplog, recwarn):
    for _ in range(2):
        for path in drawn(tmp_path, *SCRIPTS.values(), "größe ±"):
            assert path.stat().st_size > 1000
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "figures show boxes" in told[0]
    assert "fonts-noto-cjk" in told[0] and "fonts-noto-core" in told[0] and "fonts-symbola" in told[0]
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


def test_names_of_the_usual_font_ask_no_other(installed, tmp_path, monkeypatch):
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("looked for fonts"))
    first = [path.read_bytes() for path in drawn(tmp_path, "größe ± 5 %", "D²ST … − λ α")]
    assert matplotlib.rcParams["font.family"] == ["sans-serif"]
    drawn(tmp_path, "plain", "فتح الباب", "Открыть")
    assert matplotlib.rcParams["font.family"] == ["sans-serif"]
    assert [path.read_bytes() for path in drawn(tmp_path, "größe ± 5 %", "D²ST … − λ α")] == first
