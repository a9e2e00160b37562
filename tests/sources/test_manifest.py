"""Lists of videos: what becomes a manifest, and what is refused with a reason."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsar.config import FramesConfig, load
from fsar.errors import UserError
from fsar.files import on_disk
from fsar.plan.videos import PresentVideos
from fsar.sources import hmdb51, ucf101
from fsar.sources.copies import repeated_files
from fsar.sources.manifest import read_listings, video_counts, write_manifest
from fsar.sources.split_lists import Entry
from fsar.sources.there import GONE, fingerprint, state_of
from fsar.videos.store_write import write_shard
from tests.helpers.videos import make_video

GOOD = "path,class,split\na.mp4,run,train\nb.mp4,jump,val\nc.mp4,sit,test\n"


def listing(folder: Path, text: str, name: str = "videos.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_list(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    write_manifest([listing(tmp_path / "work", GOOD)], tmp_path / "manifest.parquet")
    manifest = pd.read_parquet("manifest.parquet")
    assert list(manifest["path"]) == ["work/c.mp4", "work/a.mp4", "work/b.mp4"]
    assert list(manifest["split"]) == ["test", "train", "val"]
    assert video_counts(manifest)["val"] == {"jump": 1}


def test_names_with_any_character_survive(tmp_path):
    names = [
        "a b (1)!.mp4",
        'it\'s & "so".avi',
        "größe_動画.webm",
        "semi;colon,comma.mp4",
        "-dash.mp4",
        "50%.mp4",
        "$HOME.mp4",
    ]
    rows = "".join('"{}",run,train\n'.format(name.replace('"', '""')) for name in names)
    manifest = read_listings([listing(tmp_path, "path,class,split\n" + rows)])
    assert list(manifest["video_id"]) == names
    assert [Path(path).name for path in manifest["path"]] == names


def test_an_id_of_its_own_names_a_video_and_else_its_path_does(tmp_path):
    text = "id,path,class,split\nfirst,a.mp4,run,train\n,b.mp4,run,train\n"
    manifest = read_listings([listing(tmp_path, text)])
    assert list(manifest["video_id"]) == ["first", "b.mp4"]
    assert [Path(path).name for path in manifest["path"]] == ["a.mp4", "b.mp4"]


def test_a_byte_order_mark_and_further_columns_are_no_problem(tmp_path):
    text = "\ufeffsplit,note,path,class\ntrain,x,a.mp4,run\n"
    assert list(read_listings([listing(tmp_path, text)])["class_name"]) == ["run"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'path', 'class', 'split'"),
        ("path,label,split\na.mp4,run,train\n", "has no column 'class'"),
        ("path,class,split\n", "it lists no video"),
        ("path,class,split\na.mp4,run,trian\n", "line 2: split is 'trian'; valid are train, val, test"),
        ("path,class,split\na.mp4,,train\n", "line 2: class is empty"),
        ("path,class,split\na.mp4,run\n", "line 2: split is empty"),
        ("path,class,split\na.mp4,run,train\na.mp4,run,train\n", "is listed 2 times"),
        ("path,class,split\na.mp4,run,train\n./a.mp4,run,train\n", "is listed 2 times"),
        ("path,class,split\na.mp4,run,train\nb.mp4,run,test\n", "the class 'run' is in the splits test and train"),
    ],
)
def test_a_bad_list_is_refused_with_the_place(tmp_path, text, message):
    with pytest.raises(UserError) as error:
        read_listings([listing(tmp_path, text)])
    assert message in str(error.value) and "videos.csv" in str(error.value)


def test_a_list_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(UserError, match="There is no list of videos"):
        read_listings([tmp_path / "none.csv"])
    (tmp_path / "latin.csv").write_bytes("path,class,split\nä.mp4,run,train\n".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        read_listings([tmp_path / "latin.csv"])


def test_many_mistakes_are_counted_and_a_few_shown(tmp_path):
    text = "path,class,split\n" + "".join(f"{i}.mp4,run,none\n" for i in range(50))
    with pytest.raises(UserError, match="and 45 more"):
        read_listings([listing(tmp_path, text)])


@pytest.mark.parametrize(
    "other",
    ["a\N{NO-BREAK SPACE}b", "a  b", " a b\t", "a\u3000b", "a\n b"],
)
def test_a_class_is_one_whatever_its_spaces(tmp_path, other):
    text = 'path,class,split\n1.mp4,a b,train\n2.mp4,"{}",{}\n'
    manifest = read_listings([listing(tmp_path, text.format(other, "train"))])
    assert list(manifest["class_name"]) == ["a b", "a b"]
    with pytest.raises(UserError, match="the class 'a b' is in the splits test and train"):
        read_listings([listing(tmp_path, text.format(other, "test"))])


def test_a_class_is_one_composed_or_not(tmp_path):
    text = "path,class,split\n1.mp4,café,train\n2.mp4,cafe\N{COMBINING ACUTE ACCENT},{}\n"
    manifest = read_listings([listing(tmp_path, text.format("train"))])
    assert list(manifest["class_name"]) == ["café", "café"]
    with pytest.raises(UserError, match="the class 'café' is in the splits test and train"):
        read_listings([listing(tmp_path, text.format("test"))])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Run", "run"),
        ("push_up", "push up"),
        ("push-up", "push_up"),
        ("\N{LATIN SMALL LIGATURE FI}sh", "fish"),
        ("STRASSE", "straße"),
        ("a\N{SOFT HYPHEN}b", "ab"),
        ("x²", "x2"),
        ("well\N{EN DASH}done", "welldone"),
    ],
)
def test_classes_that_hardly_differ_are_told_with_both_spellings(tmp_path, caplog, one, other):
    read_listings([listing(tmp_path, f"path,class,split\n1.mp4,{one},train\n2.mp4,{other},test\n3.mp4,sit,val\n")])
    assert repr(one) in caplog.text and repr(other) in caplog.text and "'sit'" not in caplog.text


def test_other_classes_are_not_told(tmp_path, caplog):
    read_listings([listing(tmp_path, "path,class,split\n1.mp4,run,train\n2.mp4,runs,test\n3.mp4,running,val\n")])
    assert not caplog.records


def twice(folder: Path, how: str) -> None:
    """Make one file by two names, 1.mp4 and 2.mp4."""
    (folder / "1.mp4").write_bytes(b"x" * 10_000 + b"y" * 10_000)
    if how == "link":
        (folder / "2.mp4").symlink_to("1.mp4")
    elif how == "hard link":
        (folder / "2.mp4").hardlink_to(folder / "1.mp4")
    elif how == "folder":
        (folder / "sub").symlink_to(".")
    else:
        (folder / "2.mp4").write_bytes((folder / "1.mp4").read_bytes())


SAME = {"link": "are one file", "hard link": "are one file", "folder": "are one file", "copy": "have the same bytes"}


@pytest.mark.parametrize("how", SAME)
def test_one_file_in_two_splits_is_refused_with_both_rows(tmp_path, how, caplog):
    twice(tmp_path, how)
    other = "sub/1.mp4" if how == "folder" else "2.mp4"
    path = listing(tmp_path, f"path,class,split\nx.mp4,sit,val\n1.mp4,run,train\n{other},jump,test\n")
    with pytest.raises(UserError) as error:
        read_listings([path])
    message = str(error.value)
    assert "line 3 (" in message and "line 4 (" in message and f"{other}, test) {SAME[how]}; few-shot" in message
    # What is published stays what it is.
    assert len(write_manifest([path], tmp_path / "manifest.parquet", "warn")) == 3
    assert SAME[how] in caplog.text


def test_files_are_compared_when_a_run_is_planned_and_not_by_every_job(tmp_path, monkeypatch):
    twice(tmp_path, "copy")
    path = listing(tmp_path, "path,class,split\n1.mp4,run,train\n2.mp4,jump,test\n")
    values = {
        "run": {"benchmarks": ["own"], "backbones": ["clip"], "methods": ["clip-freeze"]},
        "benchmarks": {"own": {"source": {"kind": "csv", "file": str(path)}}},
        "backbones": {"clip": {"model": "small-clip", "weights": "clip.safetensors"}},
    }
    videos = PresentVideos(load(values))
    with pytest.raises(UserError, match="have the same bytes"):
        videos.own_list(str(path))
    monkeypatch.setattr("fsar.sources.manifest.repeated_files", None)
    assert len(videos.listed("own")) == 2


@pytest.mark.parametrize("how", SAME)
def test_one_file_twice_in_a_split_is_refused_and_a_copy_told(tmp_path, how, caplog):
    twice(tmp_path, how)
    other = "sub/1.mp4" if how == "folder" else "2.mp4"
    path = listing(tmp_path, f"path,class,split\n1.mp4,run,train\n{other},run,train\n")
    if how == "copy":
        assert len(read_listings([path])) == 2
        assert "line 2 (" in caplog.text and "have the same bytes" in caplog.text
    else:
        with pytest.raises(UserError, match=r"line 2 .* and line 3 .* are one file"):
            read_listings([path])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 5, 10_000, 50_000]), st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_files_that_are_repeated_are_those_with_equal_bytes(tmp_path_factory, files):
    """Contents that differ in one byte, which no glance meets, and links to some of them."""
    folder = tmp_path_factory.mktemp("files")
    contents, paths = {}, []
    for number, (size, place, kind) in enumerate(files):
        path = folder / str(number)
        content = bytearray(size)
        if size:
            content[place * size // 4 + min(size // 8, 1)] = place
        if kind == 2 and bytes(content) in contents.values():
            path.hardlink_to(next(other for other, own in contents.items() if own == content))
        else:
            path.write_bytes(content)
        contents[path] = bytes(content)
        paths.append(str(path))
    paths.append(str(folder / "gone"))
    first = {}
    for number, content in enumerate(contents.values()):
        first.setdefault(content, number)
    expected = [(first[own], n) for n, own in enumerate(contents.values()) if own and first[own] != n]
    found = repeated_files(paths)
    identity = [Path(path).stat().st_ino for path in paths[:-1]]
    assert {pair.other for pair in found} == {other for _, other in expected}
    for pair in found:
        assert contents[Path(paths[pair.first])] == contents[Path(paths[pair.other])]
        assert pair.is_copy == (identity[pair.first] != identity[pair.other])


def test_only_files_of_equal_size_are_opened(tmp_path, monkeypatch):
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"x" * (number + 1))
    monkeypatch.setattr("builtins.open", None)
    assert repeated_files([str(path) for path in tmp_path.iterdir()]) == []


def test_a_name_that_is_not_utf_8_is_listed_as_it_is_printed_and_decoded(tmp_path):
    make_video(tmp_path / "video.mp4", 8).rename(tmp_path / "gr\udcf6.mp4")
    rows = "gr\\xf6.mp4,run,train\n" + "x" * 300 + ".mp4,run,train\ngone\\x00.mp4,run,train\n-dash.mp4,run,train\n"
    manifest = write_manifest([listing(tmp_path, f"path,class,split\n{rows}")], tmp_path / "manifest.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "manifest.parquet"), manifest.drop(columns="line"))
    write_shard(manifest, 0, FramesConfig(size=64, shards=1), tmp_path / "0.arrow", tmp_path / "0.parquet")
    index = pd.read_parquet(tmp_path / "0.parquet").set_index("video_id")
    assert index["status"].to_dict()["gr\\xf6.mp4"] == "ok"
    assert (index["status"] == "failed").sum() == 3 and (index["error"].drop("gr\\xf6.mp4") != "").all()
    states = state_of(map(on_disk, manifest["path"]))
    assert [state != GONE for state in states] == [path.endswith("gr\\xf6.mp4") for path in manifest["path"]]
    assert len(fingerprint(manifest.assign(bytes=0, mtime_ns=0))) == 16


def test_videos_of_one_film_have_a_group(tmp_path):
    """In one's own list by a column; in UCF101 and HMDB51 by the names of the files."""
    text = "path,class,split,group\na.mp4,run,train,film 1\nb.mp4,run,train,\n"
    assert read_listings([listing(tmp_path, text)])["group"].tolist() == ["film 1", ""]
    names = ("v_Diving_g13_c04", "v_Diving_g13_c12")
    assert {ucf101.FILES.group(Entry(f"videos/Diving/{name}.avi", "test", 0)) for name in names} == {"v_Diving_g13"}
    names = ("AHF_Rapier_fencing_f_cm_np2_le_med_0", "AHF_Rapier_fencing_u_nm_np1_fr_bad_1")
    found = {hmdb51.FILES.group(Entry(f"videos/fencing/{name}.avi", "test", 0)) for name in names}
    assert found == {"fencing/AHF_Rapier"}
