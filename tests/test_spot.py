"""Actions in long videos: windows, the threshold for none of them, the timeline and its subtitles."""

import itertools
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.predict import spot
from fsar.predict.frames import as_stored, decoded
from fsar.predict.spot import Spotter, Window
from fsar.predict.threshold import NOTHING, Threshold, estimate_threshold, separate
from fsar.predict.timeline import Curve, stretches, timestamp, write_subtitles
from tests.predicting import REPOSITORY, make_world
from tests.videos import make_video

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
        logits = classifier.logits(classifier.model.encode(clip).unsqueeze(0))[0]
        assert one.logit == pytest.approx(float(logits.max()), abs=1e-4)
        assert one.label == classifier.class_names[int(logits.argmax())]


def test_a_video_is_decoded_once_and_each_frame_encoded_once(classifier, long_video, monkeypatch):
    calls, encoded = [], []
    encode = classifier.model.encode
    monkeypatch.setattr(spot, "decoded", lambda *arguments: calls.append(1) or decoded(*arguments))
    monkeypatch.setattr(classifier.model, "encode", lambda frames: encoded.append(len(frames)) or encode(frames))
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


def test_the_threshold_divides_what_is_known_from_what_is_not(classifier):
    found = separate(np.array([5.0, 6.0, 7.0]), np.array([1.0, 2.0, 5.5]))
    assert 2.0 < found.logit < 5.0 or 5.5 < found.logit < 6.0
    assert min(found.kept, found.refused) == pytest.approx(2 / 3)
    apart = separate(np.array([5.0, 6.0]), np.array([1.0, 2.0]))
    assert (apart.logit, apart.kept, apart.refused) == (3.5, 1.0, 1.0)
    assert separate(np.array([3.0, 4.0]), np.empty(0)).logit == 3.0
    assert separate(np.empty(0), np.array([1.0])).logit == NOTHING

    estimated = estimate_threshold(classifier)
    left_out = classifier.decision.left_out(classifier.support_set.features, classifier.support_set.labels)
    known = left_out.max(dim=1).values.numpy()
    assert estimated.kept == pytest.approx((known >= estimated.logit).mean())
    assert "none of these" in estimated.describe()


def test_windows_below_the_threshold_have_no_label(classifier, long_video):
    everything = list(Spotter(classifier, 2.0, 0.5, NO_THRESHOLD).windows(long_video))
    middle = float(np.median([one.logit for one in everything]))
    found = list(Spotter(classifier, 2.0, 0.5, Threshold(middle)).windows(long_video))
    assert [bool(one.label) for one in found] == [one.logit >= middle for one in everything]
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
    videos = [str(long_video), str(world.folder / "empty.mp4")]
    arguments = ["--support", world.examples, "--model", world.model, "--device", "cpu", "--out", world.folder]
    assert main(["spot", *videos, *map(str, arguments), "--threshold=-1e9"]) == 3
    printed = capsys.readouterr()
    stem = world.folder / long_video.stem
    table, windows = pd.read_csv(f"{stem}.csv"), pd.read_csv(f"{stem}.windows.csv")
    assert table["start"].iloc[0] == 0 and table["end"].iloc[-1] == windows["end"].iloc[-1] == 9.5
    assert len(printed.out.splitlines()) == len(table) == (world.folder / f"{stem}.srt").read_text().count("-->")
    assert "Windows of 2 s every 0.5 s, 8 frames each" in printed.err and "the file is empty" in printed.err
    assert (world.folder / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["spot", videos[0], videos[0], *map(str, arguments)]) == 1


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
