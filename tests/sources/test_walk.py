"""The walk of folders: what it finds in any tree, and what it tells of the rest."""

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsar.errors import UserError
from fsar.files import on_disk, readable
from fsar.predict import clips
from fsar.predict.clips import list_clips, list_examples
from fsar.sources import walk
from fsar.sources.inventory import list_folder, videos_of_folder
from fsar.sources.kinetics import FILES as KINETICS
from fsar.sources.published import present_videos
from fsar.sources.something import archive_parts
from fsar.sources.split_lists import Entry
from fsar.sources.walk import OF_SYSTEMS, Walk, videos_below
from tests.helpers.videos import make_video

FOLDERS = ["a", "b", "c", "a/d", "a/d/e", ".hidden", "__MACOSX", "a/@eaDir", "\udcff"]
FILES = ["x.mp4", "._x.mp4", "y.MTS2.avi", "\udcfe.webm", "Thumbs.db", "notes.txt"]
PLACES = st.sampled_from(["", *FOLDERS])


def passed_over(path: str) -> bool:
    return any(part[:1] == "." != part or part.lower() in OF_SYSTEMS for part in path.split("/"))


def plain_definition(root: Path) -> set[Path]:
    """Return the real places of the files that a walk finds: those to which a way of names that count leads."""
    found, seen, ways = set(), set(), [root]
    while ways:
        way = ways.pop()
        if (real := way.resolve()) in seen:
            continue
        seen.add(real)
        for path in way.iterdir():
            if passed_over(path.name):
                continue
            if path.is_dir():
                ways.append(path)
            elif path.is_file():
                found.add(real / path.name)
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(FOLDERS)),
    st.lists(st.tuples(PLACES, st.sampled_from(FILES))),
    st.lists(st.tuples(PLACES, st.sampled_from(["l1", "l2", "k.mp4"]), st.sampled_from(["..", ".", "gone", *FOLDERS]))),
)
def test_a_walk_finds_what_its_plain_definition_finds(folders, files, links):
    with tempfile.TemporaryDirectory() as temporary:
        outside, root = Path(temporary, "outside"), Path(temporary, "root")
        for top in (outside, root):
            top.mkdir()
            for folder in folders:
                (top / folder).mkdir(parents=True, exist_ok=True)
            for folder, name in files:
                if (top / folder).is_dir():
                    (top / folder / name).touch()
        for number, (folder, name, target) in enumerate(links):
            place = root / folder / name
            if (root / folder).is_dir() and not os.path.lexists(place):
                place.symlink_to(target if target in ("..", ".") else (root, outside)[number % 2] / target)
        found = [Path(entry.path) for _, entry in Walk(root)]
        real = [path.parent.resolve() / path.name for path in found]
        assert len(real) == len(set(real))
        assert set(real) == plain_definition(root)
        # A folder that lies below this one has its own name, whatever links lead to it.
        for path, place in zip(found, real, strict=True):
            if place.is_relative_to(root.resolve()) and not passed_over(str(place.relative_to(root.resolve()).parent)):
                assert path == root / place.relative_to(root.resolve())


def test_the_order_is_that_of_names_whatever_the_system_gives(tmp_path, monkeypatch):
    for folder in ("b", "a", "c"):
        (tmp_path / folder).mkdir()
        for name in ("2.mp4", "1.mp4"):
            (tmp_path / folder / name).touch()
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    (outside / "x.mp4").touch()
    for name in ("m", "l"):
        (tmp_path / name).symlink_to(outside)
    expected = [video.path for video in list_clips(tmp_path)]
    assert [str(path.relative_to(tmp_path)) for path in expected] == [
        *(f"{folder}/{number}.mp4" for folder in "abc" for number in (1, 2)),
        "l/x.mp4",
    ]
    listed = os.scandir

    class Reversed(list):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(walk.os, "scandir", lambda path: Reversed(reversed(list(listed(path)))))
    assert [video.path for video in list_clips(tmp_path)] == expected


def test_what_is_left_out_is_told_in_one_line_and_once(tmp_path, caplog):
    (tmp_path / "._x.mp4").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "y.mp4").touch()
    (tmp_path / "gone.mp4").symlink_to("nowhere")
    (tmp_path / "self.mp4").symlink_to("self.mp4")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "more\nnotes.TXT").write_text("text")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "x.mp4").touch()
    for _ in range(2):
        assert [clip.video_id for clip in list_clips(tmp_path)] == ["x.mp4"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "\n" not in said and said.startswith(f"{tmp_path}: left out are 2 that are no videos (.txt 2), ")
    for part in (
        "2 hidden or of the system (",
        "2 that cannot be reached (",
        "1 read already under another name (",
    ):
        assert part in said
    assert "1 that are no files (" in said


def test_a_folder_without_a_video_says_what_it_holds(tmp_path):
    with pytest.raises(UserError, match=r"There is no video below .*; it holds nothing$"):
        list_clips(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "empty").touch()
    for ask in (list_clips, lambda folder: list_folder(folder, tmp_path / "inventory.parquet")):
        with pytest.raises(UserError, match=r"There is no video below .* it holds 2 that are no videos \(.*txt 1"):
            ask(tmp_path)


def test_a_folder_that_cannot_be_entered_stops_nothing(tmp_path, monkeypatch, caplog):
    for name in ("a", "locked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.mp4").touch()
    listed = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(walk.os, "scandir", refuse)
    assert len(list_clips(tmp_path)) == 1
    assert list(list_examples(tmp_path)) == ["a"]
    assert len(videos_of_folder(tmp_path)) == 1
    assert "1 that cannot be entered" in caplog.text and "locked: Permission denied" in caplog.text


def test_without_rights_a_walk_ends_well(tmp_path, repository):
    """The same with the system's own refusal, as a user that is not root."""
    world = Path(tempfile.mkdtemp(dir=tmp_path))
    for name in ("a", "locked"):
        (world / name).mkdir()
        (world / name / "x.mp4").touch()
    (world / "locked").chmod(0)
    world.chmod(0o755)
    script = (
        "import os, sys\n"
        "from fsar.predict.clips import list_clips\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "print([str(clip.path) for clip in list_clips('.')], [str(clip.path) for clip in list_clips('locked/x.mp4')])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(world)], cwd=repository, capture_output=True, text=True, check=True
    )
    (world / "locked").chmod(0o755)
    assert run.stdout == "['a/x.mp4'] ['locked/x.mp4']\n"


def test_classes_are_the_folders_that_hold_clips(tmp_path, caplog):
    for folder in ("run", "café", "cafe\N{COMBINING ACUTE ACCENT}", "__MACOSX/run", ".ipynb_checkpoints"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{len(folder)}.mp4").touch()
    (tmp_path / "\udcff").mkdir()
    (tmp_path / "\udcff" / "\udcfe.mp4").touch()
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "beside.mp4").touch()
    examples = list_examples(tmp_path)
    assert {name: [clip.video_id for clip in own] for name, own in examples.items()} == {
        r"\xff": [r"\xfe.mp4"],
        "café": ["5.mp4", "4.mp4"],
        "run": ["3.mp4"],
    }
    assert on_disk(readable(examples[r"\xff"][0].path)) == str(examples[r"\xff"][0].path)
    assert all(clip.path.exists() for own in examples.values() for clip in own)
    assert "1 beside the folders of the classes" in caplog.text
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"There is no video below .*empty"):
        list_examples(tmp_path)


def test_classes_that_hardly_differ_are_told(tmp_path, caplog):
    for folder in ("push_up", "Push-Up", "sit"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.mp4").touch()
    assert len(list_examples(tmp_path)) == 3
    assert "'Push-Up' and 'push_up' differ by case" in caplog.text


def test_a_mapping_and_a_list_have_one_class_for_one_name(tmp_path):
    mapped = {"a\N{NO-BREAK SPACE} b": "1.mp4", " a b ": ["2.mp4"]}
    assert {name: len(own) for name, own in list_examples(mapped).items()} == {"a b": 2}
    (tmp_path / "list.csv").write_text("path,class\n1.mp4,a  b\n2.mp4,a\N{NO-BREAK SPACE}b\n", encoding="utf-8")
    assert {name: len(own) for name, own in list_examples(tmp_path / "list.csv").items()} == {"a b": 2}
    with pytest.raises(UserError, match="no name"):
        list_examples({" ": "1.mp4"})


def test_files_are_clips_whatever_they_are_called(tmp_path):
    long = tmp_path / ("x" * 300)
    names = ["notes.txt", long, "-dash.mp4", "a\nb.mp4", "nul\0.mp4", "\udcff.mp4", "\ud800.mp4", "http://a/b.mp4"]
    listed = list_clips(names)
    assert [clip.path for clip in listed] == [Path(name) for name in names]
    for clip in listed:
        clip.video_id.encode()


def test_clips_are_named_in_a_csv_as_tables_print_them(tmp_path):
    (tmp_path / "gr\udcf6.mp4").touch()
    (tmp_path / "clips.csv").write_text("path\ngr\\xf6.mp4\n")
    (clip,) = list_clips(tmp_path / "clips.csv")
    assert clip.path.exists() and clip.video_id == r"gr\xf6.mp4"
    (clip,) = list_clips(readable(clip.path))
    assert clip.path.exists()
    (tmp_path / r"gr\xf6.mp4").touch()
    assert list_clips(tmp_path / "clips.csv")[0].path == tmp_path / r"gr\xf6.mp4"


def test_an_inventory_opens_no_file_that_nobody_asks_for(tmp_path, monkeypatch):
    ids = [f"{number:011d}" for number in range(5)]
    (tmp_path / f"{ids[0]}.mp4").touch()
    (tmp_path / f"{ids[0]}.txt").write_text("text")  # beside its video
    make_video(tmp_path / "video.mp4").rename(tmp_path / ids[1])
    (tmp_path / f"{ids[1]}.json").write_text("{}")
    (tmp_path / f"{ids[2]}.json").write_text("{}")  # alone
    (tmp_path / f"{ids[3]}_000001_000011.flv").touch()
    (tmp_path / f"{ids[4]}.MTS").write_bytes(b"\x47\x00\xffbroken")
    (tmp_path / "README.md").write_text("text")
    looked = []
    monkeypatch.setattr("fsar.sources.published.is_video", lambda path: looked.append(path) or is_video(path))
    from fsar.sources.is_video import is_video

    files = videos_of_folder(tmp_path)
    assert not looked
    entries = [Entry(own, "train", 0) for own in ids]
    found = [path and Path(path).name for _, path in present_videos("kinetics100", entries, files)]
    assert found == [f"{ids[0]}.mp4", ids[1], None, f"{ids[3]}_000001_000011.flv", f"{ids[4]}.MTS"]
    assert {Path(path).name for path in looked} <= {ids[1], f"{ids[1]}.json", f"{ids[2]}.json", f"{ids[4]}.MTS"}
    list_folder(tmp_path, tmp_path / "inventory.parquet")
    inventory = pd.read_parquet(tmp_path / "inventory.parquet")
    assert list(inventory["file"]) == [name for name in sorted(found, key=str) if name]
    assert present_videos("kinetics100", entries, inventory) == present_videos("kinetics100", entries, files)
    assert KINETICS.find(files) is not None


def test_names_of_an_inventory_can_be_written_and_found(tmp_path):
    (tmp_path / "\udcff.mp4").touch()
    list_folder(tmp_path, tmp_path / "inventory.parquet")
    row = pd.read_parquet(tmp_path / "inventory.parquet").iloc[0]
    assert row["file"] == r"\xff.mp4" and Path(on_disk(row["path"])).exists()


def test_a_file_that_the_system_does_not_tell_of_is_a_row(tmp_path, monkeypatch):
    (tmp_path / "x.mp4").touch()
    state = walk.os.DirEntry.stat

    class Stale:
        name, path = "x.mp4", str(tmp_path / "x.mp4")

        def stat(self):
            raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Walk, "__iter__", lambda self: iter([("folder", Stale())]))
    assert state and videos_of_folder(tmp_path)[["bytes", "mtime_ns"]].values.tolist() == [[-1, 0]]


def test_unpacked_videos_are_found_behind_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.webm").touch()
    (tmp_path / "ssv2").mkdir()
    (tmp_path / "ssv2" / "videos").symlink_to(tmp_path / "elsewhere")
    assert archive_parts(tmp_path / "ssv2") == []
    assert len(videos_below(tmp_path / "ssv2")[0]) == 1


@pytest.fixture(autouse=True)
def _told_anew(caplog):
    clips._tell_once.cache_clear()
    caplog.set_level(logging.WARNING)
