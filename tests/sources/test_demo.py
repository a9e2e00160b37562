"""The demo benchmark: its classes, its videos and its stills."""

import csv
import zlib
from dataclasses import astuple

import av
import numpy as np
import pandas as pd
import pytest
import simplejpeg
from open_clip.tokenizer import SimpleTokenizer

from fsar.benchmarks.splits import SPLITS
from fsar.config import Counts, DemoSource, TextConfig
from fsar.model.class_texts import class_texts, read_descriptions
from fsar.sources.demo.actions import ACTION_PAIRS, ACTIONS, class_name, split_classes
from fsar.sources.demo.descriptions import OTHER_WORDS, STAGES, descriptions
from fsar.sources.demo.shapes import SHAPES, Pose, draw
from fsar.sources.demo.stills import render_still, render_stills
from fsar.sources.demo.videos import encode, render, render_part
from fsar.videos.decode import decode


def test_splits_are_disjoint_and_keep_pairs_together():
    classes = split_classes(Counts(train=40, val=8, test=16), seed=0, deal=0)
    assert [len(classes[split]) for split in SPLITS] == [40, 8, 16]
    everything = [pair for split in SPLITS for pair in classes[split]]
    assert len(set(everything)) == 64
    for split in SPLITS:
        for shape, action in classes[split]:
            partner = next(set(pair) - {action} for pair in ACTION_PAIRS if action in pair).pop()
            assert (shape, partner) in classes[split]  # classes that differ only in order meet in one split
    for seed, deal in ((1, 0), (0, 1)):
        assert split_classes(Counts(train=40, val=8, test=16), seed, deal) != classes
    with pytest.raises(ValueError, match="there are 100"):
        split_classes(Counts(train=90, val=8, test=16), seed=0, deal=0)


def test_paired_actions_are_each_other_played_backwards():
    rest = Pose()
    for pair in ACTION_PAIRS[:4]:
        forwards, backwards = pair.values()
        for progress in (0.0, 0.3, 1.0):
            there, back = astuple(forwards(rest, progress)), astuple(backwards(rest, 1 - progress))
            assert there == pytest.approx(back)
        assert forwards(rest, 0.0) != forwards(rest, 1.0)


def test_shapes_differ_and_fill_a_fair_part_of_the_picture():
    pictures = {}
    for shape in SHAPES:
        picture = np.zeros((64, 64, 3), np.float32)
        draw(picture, shape, Pose(radius=0.8), np.full(3, 255, np.float32))
        pictures[shape] = picture[..., 0] / 255
        assert 0.1 < pictures[shape].mean() < 0.6, shape
    names = list(pictures)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert np.abs(pictures[first] - pictures[second]).mean() > 0.03, (first, second)


def test_a_shape_outside_the_picture_changes_nothing():
    picture = np.ones((32, 32, 3), np.float32)
    draw(picture, "star", Pose(x=5.0), np.zeros(3, np.float32))
    assert (picture == 1).all()


def test_videos_are_what_they_say_and_the_same_each_time(tmp_path):
    frames, fps = render("heart", "rising", np.random.default_rng(3))
    again, _ = render("heart", "rising", np.random.default_rng(3))
    np.testing.assert_array_equal(frames, again)
    for name in ("one.mp4", "two.mp4"):
        encode(frames, fps, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    with av.open(str(tmp_path / "one.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
    decoded = list(decode(tmp_path / "one.mp4", 64, 60))
    assert len(decoded) == len(frames)
    assert (decoded[0].facts.fps, decoded[0].facts.height, decoded[0].facts.width) == (fps, *frames.shape[1:3])


def test_nuisance_varies():
    videos = [render("star", "growing", np.random.default_rng(seed)) for seed in range(12)]
    assert len({fps for _, fps in videos}) >= 3
    assert len({frames.shape for frames, _ in videos}) == 12
    assert np.std([frames.mean() for frames, _ in videos]) > 10


def test_moving_shapes_move_as_named():
    """The changed pixels of a steady, clean rendering wander the way the class says."""
    for action, axis, sign in (("moving left", 1, -1), ("moving right", 1, 1), ("falling", 0, 1), ("rising", 0, -1)):
        centres = []
        for progress in (0.1, 0.9):
            picture = np.zeros((64, 64, 3), np.float32)
            draw(picture, "circle", ACTIONS[action](Pose(), progress), np.ones(3, np.float32))
            centres.append(np.argwhere(picture[..., 0] > 0.5).mean(axis=0)[axis])
        assert np.sign(centres[1] - centres[0]) == sign, action


def test_parts_do_not_change_the_videos(tmp_path):
    counts = Counts(train=2, val=2, test=2)
    rows = {}
    for parts in (1, 2):
        source = DemoSource(kind="demo", classes=counts, videos_per_class=Counts(train=1, val=1, test=2), parts=parts)
        for part in range(parts):
            folder = tmp_path / str(parts)
            render_part(source, 0, part, folder / f"part{part}", folder / f"part{part}.csv")
            with (folder / f"part{part}.csv").open() as file:
                for row in csv.DictReader(file):
                    content = (folder / row["path"]).read_bytes()
                    name = row["path"].split("/")[1]
                    rows.setdefault((name, row["class"], row["split"]), []).append(zlib.crc32(content))
    assert len(rows) == 8 and all(len(sums) == 2 and sums[0] == sums[1] for sums in rows.values())


def test_stills_have_captions_that_name_the_shape(tmp_path):
    render_stills(30, 64, 0, tmp_path / "a.parquet")
    render_stills(30, 64, 0, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    stills = pd.read_parquet(tmp_path / "a.parquet")
    assert all(any(shape in caption for shape in SHAPES) for caption in stills["caption"])
    assert simplejpeg.decode_jpeg(stills["jpeg"][0]).shape == (64, 64, 3)
    pictures = [render_still(np.random.default_rng(seed), 64)[0] for seed in range(20)]
    assert all(np.abs(p - q).mean() > 1 for i, p in enumerate(pictures) for q in pictures[:i])


def test_every_class_of_the_demo_has_three_descriptions(repository):
    file = str(repository / "configs/demo_descriptions.csv")
    described = read_descriptions(file)
    written = {}
    for name, sentence in descriptions():
        written.setdefault(name, []).append(sentence)
    assert described == written, "run `python -m fsar.sources.demo.descriptions > configs/demo_descriptions.csv`"
    assert set(described) == {class_name(shape, action) for shape in SHAPES for action in ACTIONS}
    assert all(len(set(sentences)) == 3 for sentences in described.values())
    for first, second in (pair for pair in ACTION_PAIRS[:4]):  # the same three backwards, but for what is in between
        assert STAGES[first][::2] == STAGES[second][::-2]
    known = {word for name in described for word in ["a", *name.split()]} | OTHER_WORDS
    assert {word for sentences in written.values() for text in sentences for word in text.split()} <= known
    # Nothing of a text is cut, which a tokenizer does silently: 16 tokens, two of them its start and end.
    count = SimpleTokenizer().encode
    for template in ("A video of action about {class_name}: {description}", "a photo of {class_name}: {description}"):
        texts = class_texts(list(described), TextConfig(templates=[template], descriptions=file))
        assert max(len(count(text)) for own in texts for text in own) <= 16 - 2
