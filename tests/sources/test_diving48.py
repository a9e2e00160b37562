"""Diving48: its lists, its classes and what is told of files that are missing."""

import hashlib
import json
from collections import Counter

import pandas as pd
import pytest

from fsar.benchmarks.splits import SPLITS, split_lists
from fsar.errors import UserError
from fsar.files import write_parquet
from fsar.sources.diving48 import FILES, class_name, entries
from fsar.sources.published import list_videos, read_entries
from fsar.sources.schemas import INVENTORY_SCHEMA

CLASSES = {
    1: ("Back", "15som", "15Twis", "FREE"),
    2: ("Forward", "Dive", "NoTwis", "STR"),
    7: ("Inward", "1som", "1Twis", "PIKE"),
}
VOCABULARY = [list(CLASSES.get(number, ("Back", "25som", "05Twis", "TUCK"))) for number in range(48)]


@pytest.fixture
def folder(tmp_path):
    """Both versions of a small list, version 2 in two parts, and the names of the classes."""
    labels = tmp_path / "labels"
    labels.mkdir()
    videos = [(f"rec-{number}_{take:05d}", number) for number in CLASSES for take in range(3)]
    (tmp_path / "diving48_v1.csv").write_text("".join(f"{a},{b}\n" for a, b in [("video", "class_id"), *videos]))
    for name, own in (("train", videos[:5]), ("test", videos[5:])):
        rows = [{"vid_name": video, "label": number, "start_frame": 0, "end_frame": 9} for video, number in own]
        (labels / f"Diving48_V2_{name}.json").write_text(json.dumps(rows))
    (labels / "Diving48_vocab.json").write_text(json.dumps(VOCABULARY))
    return tmp_path


def test_classes_are_divided_by_their_number(folder):
    for version in ("diving48", "diving48_v2"):
        found = entries(FILES.lists(version, folder))
        assert Counter((own.split, own.class_number) for own in found) == {
            ("val", 1): 3,
            ("train", 2): 3,
            ("test", 7): 3,
        }


def test_names_of_classes_are_words():
    assert class_name("Back", "15som", "05Twis", "FREE") == "back, 1.5 somersaults, 0.5 twists, free"
    assert class_name("Forward", "1som", "1Twis", "PIKE") == "forward, 1 somersault, 1 twist, pike"
    assert class_name("Reverse", "Dive", "NoTwis", "STR") == "reverse, dive, no twist, straight"


def test_the_list_of_videos_has_names_recordings_and_what_is_missing(folder, tmp_path):
    found = entries(FILES.lists("diving48_v2", folder))
    there = [("rgb", f"{own.file}.mp4", f"rgb/{own.file}.mp4", 1) for own in found[:-1]]
    write_parquet(folder / "inventory.parquet", pd.DataFrame(there, columns=INVENTORY_SCHEMA.names), INVENTORY_SCHEMA)
    output = tmp_path / "published.csv", tmp_path / "missing.csv"
    annotations = FILES.annotations(folder)
    list_videos(
        "diving48_v2", found, folder / "inventory.parquet", annotations, "readable", dict.fromkeys(SPLITS, 2), *output
    )
    listed, missing = map(pd.read_csv, output)
    assert set(listed["class"]) == {class_name(*parts) for parts in CLASSES.values()} and len(missing) == 1
    assert listed.loc[0, ["id", "group", "split"]].tolist() == ["rec-1_00000", "rec-1", "val"]


def test_another_list_than_the_published_one_is_refused(folder):
    with pytest.raises(UserError, match=r"diving48_v1\.csv is not the list that figures of diving48 are of"):
        read_entries("diving48", FILES.lists("diving48", folder))


@pytest.mark.parametrize("name", ["diving48_v1.csv", "labels/Diving48_V2_test.json", "labels/Diving48_vocab.json"])
def test_a_missing_or_wrong_file_says_what_to_put_where(folder, name):
    path = folder / name
    for text in (None, "[[3]]" if name.endswith("json") else "video,class_id\nx,48\n"):
        path.unlink() if text is None else path.write_text(text)
        says = r"(?s)Diving48 cannot be downloaded for you.*sources\.diving48" if text is None else path.name
        with pytest.raises(UserError, match=says):
            for version in ("diving48", "diving48_v2"):
                entries(FILES.lists(version, folder))
            FILES.templates(FILES.annotations(folder))


def test_the_published_list(repository):
    place = repository.parent / "shared/reference/lists"
    if not place.is_dir():
        pytest.skip(f"no lists at {place}: they are put there by users, not part of this project")
    facts = split_lists().query("benchmark == 'diving48'").set_index("split")
    path = place / "diving48_v1.csv"
    assert set(facts["sha256"]) == {hashlib.sha256(path.read_bytes()).hexdigest()}
    found = read_entries("diving48", [path])
    table = pd.read_csv(path)
    assert [own.split for own in found] == table["split_tamt"].tolist()
    for split in SPLITS:
        sizes = Counter(own.class_number for own in found if own.split == split)
        known = facts.loc[split, ["videos", "classes", "smallest_class"]].tolist()
        assert [sum(sizes.values()), len(sizes), min(sizes.values())] == known
    names = FILES.templates([place / "diving48_classes.csv"])
    assert len(set(names.values())) == 48 and names["0"] == "back, 1.5 somersaults, 0.5 twists, free"
