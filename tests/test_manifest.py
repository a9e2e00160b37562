"""Lists of videos: what becomes a manifest, and what is refused with a reason."""

from pathlib import Path

import pandas as pd
import pytest

from fsar.errors import UserError
from fsar.sources.manifest import read_listings, video_counts, write_manifest

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
