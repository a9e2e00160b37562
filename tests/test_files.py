"""Names of files: any bytes that a system allows, written as text and read back."""

import os

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from fsar.files import named, on_disk, readable

NAMES = st.binary(min_size=1).filter(lambda raw: b"\0" not in raw)
TEXTS = st.text(st.sampled_from(["\\", "x", "5", "c", "f", "0", "\udcff", "\udc80", "ä", "日", "/", " ", "\n"]))


@settings(deadline=None)
@given(NAMES | TEXTS.map(os.fsencode))
def test_every_name_is_written_in_utf_8_and_read_back(raw):
    name = os.fsdecode(raw)
    text = readable(name)
    assert text.encode().decode() == text
    assert os.fsencode(on_disk(text)) == raw


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_different_names_are_different_texts(one, other):
    one, other = (os.fsdecode(os.fsencode(name)) for name in (one, other))
    assert (readable(one) == readable(other)) == (one == other)


def test_other_names_stay_as_they_are():
    for name in ("a b.mp4", "größe_動画.webm", 'it\'s "so".avi', "back\\slash.mp4", "\\x.mp4", "\\xFF.mp4", "a\nb.mp4"):
        assert readable(name) == on_disk(name) == name
    assert readable(os.fsdecode(b"gr\xf6\xdfe.mp4")) == r"gr\xf6\xdfe.mp4"
    assert readable(r"gr\xf6.mp4") == r"gr\x5cxf6.mp4"


def test_half_a_surrogate_pair_is_no_name_and_can_be_written():
    assert readable("\ud83d.mp4").encode() == rb"\xed\xa0\xbd.mp4"
    assert os.fsencode(on_disk(readable("\ud83d.mp4"))) == b"\xed\xa0\xbd.mp4"


def test_a_name_is_meant_as_it_is_written_where_such_a_file_is(tmp_path):
    raw = os.fsencode(tmp_path) + b"/\xff.mp4"
    text = f"{tmp_path}/\\xff.mp4"
    assert os.fsencode(named(text)) == raw
    (tmp_path / "\\xff.mp4").touch()
    assert named(text) == text
    assert named("a\0b\\xff") == on_disk("a\0b\\xff")  # no system call can ask for it


def test_tables_hold_readable_names(tmp_path):
    table = pd.DataFrame({"path": [readable(os.fsdecode(b"\xff\xfe.mp4"))]})
    table.to_parquet(tmp_path / "table.parquet")
    table.to_csv(tmp_path / "table.csv", index=False)
    for read in (pd.read_parquet(tmp_path / "table.parquet"), pd.read_csv(tmp_path / "table.csv")):
        assert os.fsencode(on_disk(read["path"].item())) == b"\xff\xfe.mp4"
