"""Actions in long videos: windows, the threshold for none of them, the timeline and its subtitles."""

import itertools
import subprocess
import sys

import av
import numpy as np
import pandas as pd
import pytest
import torch

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.predict import spot
from fsar.predict.frames import as_stored, decoded
from fsar.predict.own_threshold import estimate_threshold
from fsar.predict.spot import Spotter, Window
from fsar.predict.threshold import NOTHING, Threshold, measured, separate
from fsar.predict.timeline import Curve, Stretch, joined, stretches, timestamp, write_subtitles
from tests.helpers.predicting import REPOSITORY, make_world
from tests.helpers.videos import encode, make_video, telling_picture

NO_THRESHOLD = Threshold(NOTHING)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("spot"))


@pytest.fixture(scope="module")
def classifier(world):
    return FewShotClassifier.load(world.model, device="cpu").support(world.examples)


@pytest.fixture(scope="module")
def long_video(world):
    return make_video(world.folder / "long [1] !.mp4", 95, fps=10)


def test_windows_are_those_of_the_frames_at_even_distances(classifier, long_video):
    spotter = Spotter(classifier, window=2.0, stride=0.5, threshold=NO_THRESHOLD)
    found = list(spotter.windows(long_video))
    assert [(one.start, one.end) for one in found] == [(0.5 * i, 0.5 * i + 2) for i in range(16)]  # 9.5 s
    settings = classifier.model.settings.frames
    pictures = [as_stored(frame.planes, settings, 64) for frame in decoded(long_video, settings, 60)]
    for one in found:
        positions = [int(10 * (one.start + (frame + 0.5) * 0.25)) for frame in range(8)]
        clip = torch.from_numpy(np.stack([pictures[position] for position in positions]))
        _, (logits,), _ = classifier.decide(classifier.encode(clip.unsqueeze(0)))
        assert one.nearness == pytest.approx(float(logits.max()), abs=1e-4)
        assert one.label == classifier.class_names[int(logits.argmax())]


def test_a_video_is_decoded_once_and_each_frame_encoded_once(classifier, long_video, monkeypatch):
    calls, encoded = [], []
    encode = classifier.model.encode
    monkeypatch.setattr(spot, "decoded", lambda *arguments: calls.append(1) or decoded(*arguments))
    monkeypatch.setattr(
        classifier.model,
        "encode",
        lambda clips, joint, together: encoded.append(clips.shape[1]) or encode(clips, joint, together),
    )
    list(Spotter(classifier, 2.0, 0.25, NO_THRESHOLD).windows(long_video))
    assert len(calls) == 1 and sum(encoded) == 38  # 9.5 s, one frame every 0.25 s, in 31 windows


def test_videos_shorter_than_a_window_and_broken_ones(classifier, world):
    short = make_video(world.folder / "short.mp4", 3, fps=10)
    spotter = Spotter(classifier, 2.0, 0.5, NO_THRESHOLD)
    assert len(list(spotter.windows(short))) == 1 and not spotter.broken
    (world.folder / "empty.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.mp4: the file is empty"):
        list(spotter.windows(world.folder / "empty.mp4"))
    with pytest.raises(UserError, match="must be positive"):
        Spotter(classifier, 2.0, 0.0, NO_THRESHOLD)


def test_the_threshold_divides_what_is_known_from_what_is_not():
    found = separate(np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0, 5.5]))
    assert 2.0 < found < 5.0 or 5.5 < found < 6.0
    assert separate(np.array([5.0, 6.0]), np.array([1.0, 2.0])) == 3.5
    assert separate(np.array([3.0, 4.0]), np.empty(0)) == 3.0
    assert separate(np.empty(0), np.array([1.0])) == NOTHING
    # Of pairs that are equally good on the worse side, the one with more right in all; the other order loses one.
    known, unknown = np.array([1.0, 3.0, 4.0, 5.0]), np.array([0.0, 2.0])
    assert separate(known, unknown) == 2.5


def test_what_a_threshold_does_is_measured_where_it_was_not_set():
    """Of noise the threshold that suits it best seems to divide; held against others it does not."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(60):
        known, unknown = rng.normal(size=8), rng.normal(size=8)
        found = measured(known, unknown)
        flattered = separate(known, unknown)
        shares.append((found.kept, found.refused, (known >= flattered).mean(), (unknown < flattered).mean()))
    kept, refused, own_kept, own_refused = np.mean(shares, axis=0)
    assert own_kept + own_refused > 1.1 > 1.05 > kept + refused
    apart = measured(np.array([5.0, 6.0, 7.0, np.nan]), np.array([1.0, 2.0, 1.5, 0.0]))
    assert (apart.kept, apart.refused) == (1.0, 1.0) and 2.0 < apart.nearness < 5.0
    assert measured(np.array([np.nan]), np.array([1.0])).nearness == NOTHING


@pytest.mark.parametrize("decides_by", ["few-shot", "both"])
def test_the_threshold_is_of_examples_left_out(world, decides_by):
    classifier = FewShotClassifier.load(world.model, decides_by=decides_by, device="cpu").support(world.examples)
    found = estimate_threshold(classifier)
    examples = classifier.labelled_examples
    left, without = examples.left_out(), examples.without_class()
    known, unknown = (examples.nearest(asked, examples.few_shot(asked)) for asked in (left, without))
    assert found == measured(known, unknown) and np.isfinite(found.nearness)
    assert "none of these" in found.describe()


def test_windows_below_the_threshold_have_no_label(classifier, long_video):
    everything = list(Spotter(classifier, 2.0, 0.5, NO_THRESHOLD).windows(long_video))
    middle = float(np.median([one.nearness for one in everything]))
    found = list(Spotter(classifier, 2.0, 0.5, Threshold(middle)).windows(long_video))
    assert [bool(one.label) for one in found] == [one.nearness >= middle for one in everything]
    assert {one.label for one in found} != {""}


def windows_of(labels, length=2.0, stride=1.0):
    return [
        Window(i * stride, i * stride + length, label, 0.5 + 0.01 * i, float(i), np.zeros(1, np.float32))
        for i, label in enumerate(labels)
    ]


@pytest.mark.parametrize("labels", [["a"], ["a", "a", "", "b", "b", "a"], ["", "", ""], ["a", "b", "a"]])
def test_stretches_cover_the_video_without_gaps(labels):
    windows = windows_of(labels)
    found = list(stretches(windows))
    assert [one.label for one in found] == [label for label, _ in itertools.groupby(labels)]
    assert found[0].start == 0 and found[-1].end == windows[-1].end
    assert all(one.end == after.start for one, after in itertools.pairwise(found))
    for window in windows:  # a window's middle lies in a stretch of its label
        middle = (window.start + window.end) / 2
        assert any(one.start <= middle <= one.end and one.label == window.label for one in found)


def test_subtitles_are_what_players_read(tmp_path):
    found = list(stretches(windows_of(["a <b> & c", "", "line\nbreak --> x"], 2.0, 1800.5)))
    write_subtitles(found, tmp_path / "x.srt")
    write_subtitles(found, tmp_path / "x.vtt")
    srt, vtt = (tmp_path / "x.srt").read_text(), (tmp_path / "x.vtt").read_text()
    assert srt.startswith("1\n00:00:00,000 --> 00:15:01,250\na <b> & c\n\n2\n00:45:01,750 --> 01:00:03,000\n")
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:15:01.250\na &lt;b&gt; &amp; c\n\n2\n")
    assert "line break --&gt; x" in vtt and srt.count("-->") == 3
    assert timestamp(59.9996, webvtt=True) == "00:01:00.000"


def test_the_curve_is_bounded():
    curve = Curve()
    windows = windows_of(["a"] * 30_000)
    assert sum(1 for _ in curve.watched(windows)) == 30_000
    assert 2000 < len(curve.points) <= Curve.MOST
    times = np.diff([time for time, _ in curve.points])
    assert np.allclose(times, times[0])


def test_the_command_writes_a_timeline(world, long_video, capsys):
    (world.folder / "empty.mp4").touch()
    videos = [str(long_video), str(world.folder / "empty.mp4")]
    arguments = ["--support", world.examples, "--model", world.model, "--device", "cpu", "--out", world.folder]
    assert main(["spot", *videos, *map(str, arguments), "--threshold=-1e9"]) == 3
    printed = capsys.readouterr()
    stem = world.folder / long_video.stem
    table, windows = pd.read_csv(f"{stem}.csv"), pd.read_csv(f"{stem}.windows.csv")
    assert table["start"].iloc[0] == 0 and table["end"].iloc[-1] == windows["end"].iloc[-1] == 9.5
    assert list(windows)[2:5] == ["label", "probability", "nearness"]
    assert len(printed.out.splitlines()) == len(table) == (world.folder / f"{stem}.srt").read_text().count("-->")
    assert "Windows of 2 s every 0.5 s, 8 frames each" in printed.err and "the file is empty" in printed.err
    assert (world.folder / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["spot", videos[0], videos[0], *map(str, arguments)]) == 1


BEFORE, AFTER = telling_picture(), 255 - telling_picture(number=6)


def timed(path, pictures, times):
    """Write a video of pictures that are shown at these times, in seconds."""
    codec = "libvpx" if path.suffix == ".webm" else "libx264"
    return encode(path, pictures, [round(1000 * time) for time in times], codec=codec)


def two_parts(path, times):
    """Write a video whose picture is another from six seconds after its first frame on."""
    return timed(path, [BEFORE if time - times[0] < 6 else AFTER for time in times], times)


CLOCKS = {
    "constant.mp4": np.arange(0, 12, 1 / 25),
    "variable.mp4": np.concatenate([np.arange(0, 6, 1 / 8), np.arange(6, 12, 1 / 30)]),
    "pauses.mkv": np.concatenate([np.arange(0, 1, 1 / 30), np.arange(1, 12, 1.0)]),  # as of a screen
    "late.mkv": 5 + np.arange(0, 12, 1 / 25),
    "browser.webm": np.sort(np.random.default_rng(0).choice(12_000, 300, replace=False)) / 1000,
    "late.ts": 1.4 + np.arange(0, 12, 1 / 25),  # a clock that starts anywhere
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_change_is_told_when_a_player_shows_it(world, name):
    times = CLOCKS[name]
    video = two_parts(world.folder / name, times)
    examples = {
        "before": [timed(world.folder / "before.mp4", [BEFORE] * 20, np.arange(0, 2, 0.1))],
        "after": [timed(world.folder / "after.mp4", [AFTER] * 20, np.arange(0, 2, 0.1))],
    }
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(examples)
    spotter = Spotter(classifier, 2.0, 0.5, NO_THRESHOLD)
    found = joined(stretches(spotter.windows(video)), 1.0)
    assert [one.label for one in found] == ["before", "after"]
    start = 0.0 if name.endswith(".ts") else times[0]
    change = start + times[np.argmax(times - times[0] >= 6)] - times[0]
    assert found[0].end == pytest.approx(change, abs=spotter.stride)
    assert found[0].start == pytest.approx(start, abs=0.05)
    assert found[-1].end == pytest.approx(start + times[-1] - times[0], abs=spotter.stride + np.diff(times).max())


def test_a_change_is_told_in_files_as_they_are_met(world, cases):
    """Of a constant rate, a variable one, a late start and a browser's recording: six seconds after the first frame."""
    pictures, times = [], []
    with av.open(str(cases / "constant_rate.mp4")) as container:
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="rgb24"))
            times.append(frame.time)
    parts = {"before": slice(0, 60), "after": slice(240, 300)}
    examples = {
        name: [timed(world.folder / f"{name}.mp4", pictures[part], times[part])] for name, part in parts.items()
    }
    classifier = FewShotClassifier("small-clip", str(world.backbone), device="cpu").support(examples)
    for name, change in (
        ("constant_rate.mp4", 6),
        ("variable_rate.mp4", 6),
        ("late_start.mp4", 11),
        ("browser.webm", 6),
    ):
        spotter = Spotter(classifier, 2.0, 0.5, NO_THRESHOLD)
        found = joined(stretches(spotter.windows(cases / name)), 1.0)
        assert [one.label for one in found] == ["before", "after"], name
        assert found[0].end == pytest.approx(change, abs=spotter.stride), name


def test_a_window_ends_with_the_video(classifier, world):
    short = make_video(world.folder / "half a second.mp4", 5, fps=10)
    [window] = Spotter(classifier, 2.0, 0.5, NO_THRESHOLD).windows(short)
    assert (window.start, window.end) == (0, pytest.approx(0.5, abs=0.01))
    write_subtitles(stretches([window]), world.folder / "half.srt")
    assert "00:00:00,000 --> 00:00:00,500" in (world.folder / "half.srt").read_text()


@pytest.mark.parametrize("count", [1, 3, 5, 7])
@pytest.mark.parametrize("windows", [1, 2, 4, 9])
def test_what_is_said_is_averaged_over_neighbours(classifier, world, count, windows):
    rng = np.random.default_rng(0)
    asked = [spot._Scored(float(i), i + 2.0, *rng.random((2, 3), np.float32)) for i in range(windows)]
    found = list(spot.smoothed(asked, count))
    assert [one.start for one in found] == [one.start for one in asked]
    for place, one in enumerate(found):
        around = asked[max(place - count // 2, 0) : place + count // 2 + 1]
        np.testing.assert_allclose(one.scores, np.mean([w.scores for w in around], axis=0), rtol=1e-6)
        np.testing.assert_allclose(one.near, np.mean([w.near for w in around], axis=0), rtol=1e-6)
    with pytest.raises(UserError, match="odd number"):
        Spotter(classifier, 2.0, 0.5, NO_THRESHOLD, smooth=2)


def test_short_stretches_go_to_their_neighbours():
    times = [(0, 3, "a"), (3, 3.5, "b"), (3.5, 6, "a"), (6, 6.4, ""), (6.4, 9, "c"), (9, 9.2, "a")]
    found = joined((Stretch(start, end, label, 0.5) for start, end, label in times), 1.0)
    assert [(one.start, one.end, one.label) for one in found] == [(0, 6.2, "a"), (6.2, 9.2, "c")]
    assert joined([Stretch(0, 0.1, "a", 1.0)], 1.0) == [Stretch(0, 0.1, "a", 1.0)] and joined([], 1.0) == []
    assert len(joined((Stretch(*one, 0.5) for one in times), 0.0)) == len(times)


HOUR = """
import resource, sys
import torch
from fsar import FewShotClassifier
from fsar.predict.spot import Spotter
from fsar.predict.threshold import Threshold
torch.set_num_threads(1)
classifier = FewShotClassifier.load(sys.argv[1], device="cpu").support(sys.argv[2])
spotter = Spotter(classifier, 32.0, 8.0, Threshold(0.0))
for video in sys.argv[3:]:
    windows = sum(1 for _ in spotter.windows(video))
    print(windows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_minutes(world):
    minutes = make_video(world.folder / "minutes.mp4", 4 * 240, fps=4, size="32x32")
    hour = make_video(world.folder / "hour.mp4", 4 * 3600, fps=4, size="32x32", options=("-preset", "ultrafast"))
    command = [sys.executable, "-c", HOUR, *map(str, (world.model, world.examples, minutes, hour))]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (few, before), (many, after) = (map(int, line.split()) for line in run.stdout.splitlines())
    assert few == 27 and many == 447  # a window every 8 s
    # All frames of the hour, decoded, would be 110 MB.
    assert after - before < 20_000, f"{before} kB after four minutes, {after} kB after an hour"
