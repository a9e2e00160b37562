"""A user's CSV: its rows, or a sentence that says what is wrong and where."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsar.csv_rows import read_rows
from fsar.errors import UserError
from fsar.predict.clips import list_clips, list_examples
from fsar.sources.manifest import read_listing

VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda text: text.strip(" \ufeff") not in ("path", "class")
)


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES)), st.sampled_from(["utf-8", "utf-8-sig"]), st.sampled_from(["\n", "\r\n"]))
def test_what_a_library_writes_is_read(tmp_path_factory, rows, encoding, end):
    path = tmp_path_factory.mktemp("csv") / "list.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, lineterminator=end).writerows([("class", "path"), *rows])
    read = read_rows(path, ("path", "class"), what="list")
    assert [(row.values["class"], row.values["path"]) for row in read] == rows


def test_rows_know_their_lines_and_optional_columns(tmp_path):
    (tmp_path / "list.csv").write_text('path ,note\n"a\nb",x\n\nc\n')
    rows = read_rows(tmp_path / "list.csv", ("path",), ("id",), what="list")
    assert [(row.line, row.values) for row in rows] == [(3, {"path": "a\nb", "id": ""}), (5, {"path": "c", "id": ""})]


WRONG = {
    "a NUL": (b"path,class,split\na.mp4,run,train\nb\0.mp4,run,train\n", "line 3: it holds a NUL"),
    "a NUL in another column": (b"path,class,split,id\na.mp4,run,train,\0\n", "line 2: it holds a NUL"),
    "a header in the middle": (
        b"path,class,split\na.mp4,run,train\npath,class,split\n",
        "line 3: the first line comes",
    ),
    "and with a mark": (b"path,class,split\na.mp4,run,train\n\xef\xbb\xbfpath,class,split\n", "line 3: the first line"),
    "in another order": (
        b"path,class,split\na.mp4,run,train\nsplit,path,class\n",
        "line 3: the first line comes again",
    ),
    "a column twice": (b"path,class,split,path\na.mp4,run,train,b.mp4\n", "names the column 'path' twice"),
    "an id twice": (b"id,path,class,split,id\n1,a.mp4,run,train,2\n", "names the column 'id' twice"),
    "latin-1": (b"path,class,split\na.mp4,run,train\ngr\xf6.mp4,run,train\n", "line 3: byte 0xf6 is not in UTF-8"),
    "UTF-16": ("path,class,split\na.mp4,run,train\n".encode("utf-16"), "is in UTF-16; save it as"),
    "UTF-16 without a mark": ("path,class,split\n".encode("utf-16-le"), "line 1: it holds a NUL.*UTF-16"),
    "an open quote": (b'path,class,split\na.mp4,run,train\n"b.mp4,run,train\nc.mp4,run\n', "line 3: a double quote"),
    "a quote that goes on": (b'path,class,split\n"a.mp4,run,train\n"b.mp4",run,train\n', "line 2: a double quote"),
    "semicolons": (b"path;class;split\na.mp4;run;train\n", "is separated by semicolons"),
    "quoted semicolons": (b'"path";"class";"split"\n"a.mp4";"run";"train"\n', "is separated by semicolons"),
    "semicolons that are told": (b"sep=;\npath;class;split\n", "is separated by semicolons"),
    "tabs": (b"\xef\xbb\xbfpath\tclass\tsplit\na.mp4\trun\ttrain\n", "is separated by tabs"),
    "a comma too many": (b"path,class,split\na,b.mp4,run,train\n", "line 2: it has 4 values"),
    "nothing": (b"", "has no column"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_file_is_told_with_its_place(tmp_path, kind):
    content, message = WRONG[kind]
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    for read in (read_listing, list_examples):
        with pytest.raises(UserError, match=message) as error:
            read(path)
        assert str(path) in str(error.value)


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match=r"folder\.csv is a folder, and no list of videos"):
        read_listing(tmp_path / "folder.csv")
    for read, what in ((read_listing, "videos"), (list_clips, "clips")):
        with pytest.raises(UserError, match=f"There is no list of {what} at"):
            read(tmp_path / "none.csv")
    for name in ("x" * 300 + ".csv", "nul\0.csv"):
        with pytest.raises(UserError, match=r"The list of videos .* cannot be read"):
            read_listing(tmp_path / name)


def test_columns_of_nothing_at_the_end_are_no_problem(tmp_path):
    """As spreadsheets write them."""
    (tmp_path / "list.csv").write_text("path,class,split,,\na.mp4,run,train,,,\n")
    assert list(read_listing(tmp_path / "list.csv")["path"])


def test_a_class_may_be_called_as_a_column_is(tmp_path):
    (tmp_path / "list.csv").write_text("path,class\na.mp4,path\nb.mp4,class\n")
    assert list(list_examples(tmp_path / "list.csv")) == ["class", "path"]
    assert len(list_clips(tmp_path / "list.csv")) == 2
