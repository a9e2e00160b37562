"""The published split lists: what their lines say, and which lines are none."""

import pytest

from fsar.errors import UserError
from fsar.sources.split_lists import Entry, class_name, read_split_lists


@pytest.fixture
def lists(tmp_path):
    lines = {
        "train": ["train0//jump/a b.avi", "train12//run/c.avi", ""][:2],
        "val": ["val0/123"],
        "test": ["test3//x/y.mp4"],
    }
    for split, own in lines.items():
        (tmp_path / f"{split}.txt").write_text("\n".join(own) + "\n")
    return [tmp_path / f"{split}.txt" for split in lines]


def test_a_line_names_split_class_and_video(lists):
    assert read_split_lists(lists) == [
        Entry("jump/a b.avi", "train", 0),
        Entry("run/c.avi", "train", 12),
        Entry("123", "val", 0),
        Entry("x/y.mp4", "test", 3),
    ]
    first, *_, number, _ = read_split_lists(lists)
    assert (first.folder, first.file, number.folder, number.file) == ("jump", "a b.avi", "", "123")
    assert [class_name(name) for name in ("brush_hair", "ApplyEyeMakeup")] == ["brush hair", "Apply Eye Makeup"]


@pytest.mark.parametrize("line", ["val0//jump/a.avi", "train//jump/a.avi", "jump/a.avi 3", "traint0//a/b.avi"])
def test_a_line_of_another_split_or_form_is_refused_with_its_place(lists, line):
    """A list in the place of another would train on test videos."""
    lists[0].write_text(f"train0//jump/a.avi\n{line}\n")
    with pytest.raises(UserError, match=r"train\.txt, line 2: .* is not an entry of a train list"):
        read_split_lists(lists)
    with pytest.raises(UserError, match="is not an entry of a train list"):
        read_split_lists([lists[2], lists[1], lists[0]])
