"""The decoders beside PyAV, and damaged videos."""

import importlib.util
import itertools
import json
import resource
import subprocess
import sys
from types import SimpleNamespace

import av
import numpy as np
import pandas as pd
import pytest

from fsar.config import FramesConfig, load
from fsar.config.check import check_decoders
from fsar.errors import UserError
from fsar.results.data_report import write_data_report
from fsar.videos.decode import decode
from fsar.videos.decoders.program import running
from fsar.videos.frame import Flaws, Frame, VideoError
from fsar.videos.store_read import _open_shard
from tests.helpers.videos import FFMPEG, make_broken_videos, make_video, turn
from tests.videos.test_videos import assert_same_frames, build_store, frames_of

needs_decord = pytest.mark.skipif(importlib.util.find_spec("decord") is None, reason="decord is not installed")
OTHERS = ["ffmpeg", pytest.param("decord", marks=needs_decord)]
# decord gives RGB, which is converted back: rounded twice.
BY_RGB = 2.0
# Kinds of files: name, and options of the encoder. The index of an MP4 comes first, as in those made for the web.
KINDS = {
    "h264.mp4": ("-c:v", "libx264", "-g", "15", "-movflags", "+faststart"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-bf", "2"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
}


def decoded(path, decoder="pyav", size=32):
    """Return the frames of a video and its flaws."""
    parts = list(decode(path, size, 600, decoder))
    frames = [part for part in parts if isinstance(part, Frame)]
    flaws = [part for part in parts if isinstance(part, Flaws)]
    assert parts == frames + flaws and len(flaws) <= 1
    return frames, flaws[0] if flaws else Flaws()


@pytest.mark.parametrize("decoder", OTHERS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h264.mp4", ("-c:v", "libx264", "-g", "7")),
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime")),
        ('it\'s (50%) & "größe"; $HOME!.mp4', ("-c:v", "libx264")),
        ("-i.mp4", ("-vf", "setpts='(N+floor(N/3)*4)/(10*TB)'", "-fps_mode", "vfr", "-c:v", "libx264")),
    ],
)
def test_the_same_frames_by_each(tmp_path, decoder, name, options):
    path = make_video(tmp_path / name, 17, fps=12, size="61x47", pixels="yuv444p", options=options)
    ours, own_flaws = decoded(path)
    others, flaws = decoded(path, decoder)
    assert (
        own_flaws == flaws == Flaws()
        and [frame.time for frame in ours] == [frame.time for frame in others]
        and [frame.position for frame in others] == list(range(17))
    )
    assert (others[0].facts.width, others[0].facts.height) == (61, 47)
    assert others[0].facts.fps == pytest.approx(ours[0].facts.fps, abs=0.01)
    assert_same_frames(frames_of(path, 31, decoder), frames_of(path, 31), mean=BY_RGB)


@pytest.mark.parametrize("decoder", OTHERS)
def test_each_tells_why(tmp_path, decoder):
    for name, reason in make_broken_videos(tmp_path / "broken").items():
        with pytest.raises(VideoError) as error:
            decoded(tmp_path / "broken" / name, decoder)
        assert str(error.value) and str(tmp_path) not in str(error.value), name
        assert reason in str(error.value) or decoder == "decord", name
    with pytest.raises(VideoError, match="took longer than 0 s"):
        list(decode(make_video(tmp_path / "slow.mp4"), 32, 0, decoder))


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    """By a timer, which here goes off when the program has written a picture, however long it took to start."""
    alarms = []

    class Alarm:
        """Goes off when it is told to."""

        def __init__(self, seconds, act):
            alarms.append(act)

        def start(self):
            pass

        cancel = start

    monkeypatch.setattr("fsar.videos.decoders.program.Timer", Alarm)
    script = "import sys, time; sys.stdout.buffer.write(bytes(24)); sys.stdout.flush(); time.sleep(600)"
    with running([sys.executable, "-c", script], 500) as program:
        pictures = program.pictures(4)
        assert [plane.shape for plane in next(pictures)] == [(4, 4), (2, 2), (2, 2)]
        monkeypatch.setattr("fsar.videos.decoders.program.time", SimpleNamespace(monotonic=lambda: float("inf")))
        alarms[0]()
        with pytest.raises(VideoError, match="took longer than 500 s, at frame 1"):
            next(pictures)
        assert program.ended() < 0


def test_a_program_is_ended_in_time():
    """The timer goes off before the program can start, or after: it is ended, and nobody waits for its ten minutes."""
    with running([sys.executable, "-c", "import time; time.sleep(600)"], 0.01) as program:
        with pytest.raises(VideoError, match=r"took longer than 0\.01 s, at frame 0"):
            next(program.pictures(4))
        assert program.ended() < 0


@needs_decord
def test_decord_decodes_as_the_public_implementation_does(tmp_path):
    """Frame by frame what sparse batches give, with the wrong frames of B-frames in AVI, which are counted."""
    import decord

    path = make_video(tmp_path / "mpeg4.avi", 40, options=KINDS["mpeg4.avi"])
    ours, flaws = decoded(path, "decord")
    assert len(ours) == 40 and flaws.lost == 0 and flaws.wrong >= 20
    keys = decord.VideoReader(str(path)).get_key_indices()
    rng = np.random.default_rng(0)
    for _ in range(4):
        positions = np.arange(8) * 5 + rng.integers(5, size=8)
        positions -= np.isin(positions + 1, keys)  # after the last frame of a group it reads on, without a jump
        batch = decord.VideoReader(str(path)).get_batch(positions).asnumpy()  # (8, height, width, 3)
        stored = [ours[position].planes[0].mean() for position in positions]
        np.testing.assert_allclose(stored, brightness(batch), atol=0.2)
    again, _ = decoded(path, "decord")
    for frame, other in zip(ours, again, strict=True):
        assert all(map(np.array_equal, frame.planes, other.planes))


def brightness(batch):
    """Return the mean of Y (BT.601, full range) of RGB frames."""
    return batch.mean((1, 2)) @ np.array([0.299, 0.587, 0.114])


@pytest.mark.parametrize("degrees", [90, 180])
def test_what_metadata_turn(tmp_path, degrees):
    """The ffmpeg program turns as PyAV does; decord fails at a quarter."""
    turned = turn(make_video(tmp_path / "plain.mp4", 4, size="80x48"), degrees)
    ours, _ = decoded(turned)
    assert decoded(turned, "ffmpeg")[0][0].facts == ours[0].facts
    assert_same_frames(frames_of(turned, 48, "ffmpeg"), frames_of(turned, 48), mean=2.0)
    if importlib.util.find_spec("decord") is None:
        return
    if degrees == 90:
        with pytest.raises(VideoError, match="decord: The size must exactly match"):
            decoded(turned, "decord")
    else:
        assert decoded(turned, "decord")[1] == Flaws()
        assert_same_frames(frames_of(turned, 48, "decord"), frames_of(turned, 48), mean=BY_RGB)


@pytest.mark.parametrize("decoder", ["pyav", *OTHERS])
def test_what_an_edit_list_cuts_away(tmp_path, decoder):
    """Frames that a cut without encoding leaves in the file, to decode others from, are shown by decord alone."""
    cut = tmp_path / "cut.mp4"
    source = make_video(tmp_path / "whole.mp4", 30, options=("-c:v", "libx264", "-g", "30"))
    subprocess.run([FFMPEG, "-v", "error", "-ss", "1", "-i", source, "-c", "copy", cut], check=True)
    frames, flaws = decoded(cut, decoder)
    assert len(frames) == (30 if decoder == "decord" else 20) and flaws.lost == 0


@needs_decord
def test_real_clips_by_each(real_clips):
    """decord is wrong in every clip of HMDB51, and in no other; where it is right, the frames are the same."""
    paths = sorted((real_clips / "hmdb51").iterdir())[-5:]  # of 48 to 89 frames
    paths += [*(real_clips / "ucf101").iterdir(), real_clips / "kinetics400" / "demo.mp4"]
    paths += sorted((real_clips / "ssv2_sample" / "videos").glob("*.webm"))[:2]
    for path in paths:
        truth = frames_of(path, 32)
        assert_same_frames(frames_of(path, 32, "ffmpeg"), truth)
        frames, flaws = decoded(path, "decord")
        if path.parent.name == "hmdb51":
            assert len(frames) == len(truth) + 1 and flaws.wrong > len(truth) / 2
        else:
            assert flaws == Flaws()
            random = np.stack([np.concatenate([p.ravel() for p in frame.planes]) for frame in frames])
            assert random.shape == truth.shape and np.abs(random - truth.astype(int)).mean((1,)).max() < 3


def damage(path, kind, seed=0):
    """Write a damaged copy of a video beside it, always the same: noise, flipped bytes, a hole, or an end cut off."""
    rng, data = np.random.default_rng(seed), bytearray(path.read_bytes())
    middle = int(len(data) * rng.uniform(0.4, 0.6))
    if kind == "noise":
        data[middle : middle + len(data) // 8] = rng.bytes(len(data) // 8)
    elif kind == "flips":
        for place in rng.integers(len(data) // 4, len(data), 20):
            data[place] ^= 255
    elif kind == "hole":
        del data[middle : middle + 300]
    else:
        del data[middle:]
    copy = path.with_name(f"{kind} {seed} {path.name}")
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_in_the_middle(tmp_path, kind):
    """Stored with the frames there are, or a row that says why not; a good video beside it is not touched by that."""
    good = make_video(tmp_path / f"good {kind}", 60, size="96x64", options=KINDS[kind])
    bad = damage(good, "noise")
    kept = rows(tmp_path, [good, bad], FramesConfig(size=32, shards=1))
    assert list(kept["status"]) == ["ok", "ok"] and list(kept["lost_frames"] > 0) == [False, True]
    assert 10 < kept["stored_frames"].iloc[1] < 60 and kept["error"].iloc[1]
    left_out = rows(tmp_path, [good, bad], FramesConfig(size=32, shards=1, damaged="leave-out"))
    assert list(left_out["status"]) == ["ok", "failed"]
    expected = f"{kept['lost_frames'].iloc[1]} frames are lost, {kept['source_frames'].iloc[1]} are not: "
    assert left_out["error"].iloc[1] == expected + kept["error"].iloc[1]
    # The ffmpeg program gives the same frames.
    by_program = rows(tmp_path, [bad], FramesConfig(size=32, shards=1, decoder="ffmpeg"))
    assert by_program["source_frames"].iloc[0] == kept["source_frames"].iloc[1]


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_that_is_missing_is_told(tmp_path, kind):
    # Pictures large enough that the cut falls among them, and not into what stands before them in the file.
    bad = damage(make_video(tmp_path / kind, 60, size="384x256", options=KINDS[kind]), "cut")
    row = rows(tmp_path, [bad], FramesConfig(size=32, shards=1)).iloc[0]
    assert 10 < row["stored_frames"] < 50 and abs(row["stored_frames"] + row["lost_frames"] - 60) <= 2


def test_a_last_frame_that_stays_is_no_loss(tmp_path):
    plain, held = make_video(tmp_path / "a.mp4", 20, options=("-c:v", "libx264", "-bf", "0")), tmp_path / "held.mp4"
    longer = "setts=duration='if(eq(N,19),DURATION*40,DURATION)'"
    subprocess.run([FFMPEG, "-v", "error", "-i", plain, "-c", "copy", "-bsf:v", longer, held], check=True)
    for path in (plain, held, make_video(tmp_path / "one.mp4", 1)):
        frames, flaws = decoded(path)
        assert len(frames) == (1 if path.name == "one.mp4" else 20) and flaws == Flaws()
    with av.open(str(held)) as container:
        assert container.duration == 59 * av.time_base // 10


def test_an_end_that_cannot_be_is_told(tmp_path):
    """A damaged header that declares an end in years."""
    path = make_video(tmp_path / "a.avi", 20, options=KINDS["mpeg4.avi"])
    data = bytearray(path.read_bytes())
    length = data.index(b"strh") + 8 + 32  # of the stream, in frames
    assert int.from_bytes(data[length : length + 4], "little") == 20
    data[length : length + 4] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(data)
    row = rows(tmp_path, [path], FramesConfig(size=32, shards=1)).iloc[0]
    assert row["status"] == "ok" and row["stored_frames"] == 20 and row["lost_frames"] > 10**9


def test_nothing_left_to_decode_is_a_failure(tmp_path):
    path = make_video(tmp_path / "a.mp4", 10, options=KINDS["h264.mp4"])
    data = bytearray(path.read_bytes())
    frames_begin = data.index(b"mdat") + 4
    data[frames_begin:] = bytes(len(data) - frames_begin)
    path.write_bytes(data)
    for damaged, decoder in itertools.product(("keep", "leave-out"), ("pyav", "ffmpeg")):
        row = rows(tmp_path, [path], FramesConfig(size=32, shards=1, damaged=damaged, decoder=decoder)).iloc[0]
        assert row["status"] == "failed" and row["error"] and row["lost_frames"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_damage_decoding_ends(tmp_path, kind):
    """Every damaged file gives frames or a reason, the same each time, in no more memory than a good one."""
    good = make_video(tmp_path / kind, 60, size="96x64", options=KINDS[kind])
    outcome(good)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = []
    for how, seed in itertools.product(("noise", "flips", "hole", "cut"), range(6)):
        bad = damage(good, how, seed)
        frames, error = outcome(bad)
        assert (0 < frames <= 61 and not error) or (frames == 0 and error)
        assert outcome(bad) == (frames, error)
        outcomes.append(frames)
    assert sum(frames > 0 for frames in outcomes) > len(outcomes) / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


@pytest.mark.parametrize("decoder", OTHERS)
def test_damaged_videos_by_the_others(tmp_path, decoder):
    for kind, options in KINDS.items():
        good = make_video(tmp_path / kind, 30, size="96x64", options=options)
        for how in ("noise", "cut"):
            bad = damage(good, how)
            frames, error = outcome(bad, decoder)
            assert frames or error
            if decoder == "ffmpeg":
                assert frames == outcome(bad)[0]


def outcome(path, decoder="pyav"):
    """Return the number of frames, and the error."""
    try:
        return len(decoded(path, decoder)[0]), ""
    except VideoError as error:
        return 0, str(error)


def rows(folder, paths, config):
    """Store videos, and return the rows of their index."""
    build_store(folder, [path.name for path in paths], config)
    return pd.read_parquet(folder / "index.parquet")


@needs_decord
def test_the_report_tells_wrong_and_lost_frames(tmp_path):
    wrong = make_video(tmp_path / "wrong.avi", 40, options=KINDS["mpeg4.avi"])
    right = make_video(tmp_path / "right.mp4", 20)
    lost = damage(make_video(tmp_path / "a.mp4", 60, options=KINDS["h264.mp4"]), "noise")
    index = rows(tmp_path, [wrong, right], FramesConfig(size=32, shards=1, decoder="decord"))
    number = index["wrong_frames"].iloc[0]
    page, counts = report(tmp_path)
    assert f"differs from one pass in order in 1 of 2 videos: {number} of 60 frames" in page
    assert (counts["with_wrong_frames"], counts["with_lost_frames"]) == (1, 0)
    _open_shard.cache_clear()  # another store in the same place
    index = rows(tmp_path, [lost, right], FramesConfig(size=32, shards=1))
    page, counts = report(tmp_path)
    assert f"Decoded by pyav. 1 of 2 videos are damaged: {index['lost_frames'].iloc[0]} frames are lost" in page
    assert "decord" not in page and index["error"].iloc[0] in page
    assert (counts["with_wrong_frames"], counts["with_lost_frames"]) == (0, 1)


def report(folder):
    """Write the report of a store, and return its page and its counts."""
    places = {name: folder / f"report.{name}" for name in ("page", "videos", "strips_of_classes", "counts")}
    write_data_report("own", folder / "manifest.parquet", folder / "index.parquet", None, 0, **places)
    return places["page"].read_text(), json.loads(places["counts"].read_text())


def test_decord_without_antialiasing(tmp_path):
    """Sharper where frames become smaller, as PyAV's are."""
    pytest.importorskip("decord")
    noise = ("-vf", "noise=c0s=30:c0_seed=1", "-c:v", "libx264", "-crf", "10")
    path = make_video(tmp_path / "noise.mp4", 3, size="320x240", options=noise)
    by = {
        (decoder, antialias): next(decode(path, 48, 600, decoder, antialias)).planes[0].astype(int)
        for decoder in ("pyav", "decord")
        for antialias in (True, False)
    }
    assert by["decord", False].std() > 1.2 * by["decord", True].std()
    for antialias in (True, False):
        assert np.abs(by["decord", antialias] - by["pyav", antialias]).mean() < BY_RGB


def test_decord_that_is_not_installed_is_told_before_any_job(monkeypatch):
    benchmarks = {"own": {"source": {"kind": "csv", "file": "own.csv"}, "frames": {"decoder": "decord"}}}
    values = {"run": {"benchmarks": ["own"], "backbones": ["b"]}, "benchmarks": benchmarks}
    config = load(values | {"backbones": {"b": {"model": "small-clip", "weights": "w.safetensors"}}})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"'own' is decord, which is not installed.*choose pyav or ffmpeg"):
        check_decoders(config)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    check_decoders(config)


@pytest.mark.parametrize("decoder, package", [("ffmpeg", "ffmpeg"), ("decord", "decord")])
def test_a_decoder_that_is_not_installed_is_told_where_clips_are_labelled(tmp_path, monkeypatch, decoder, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"fsar.videos.decoders.{decoder}", raising=False)
    with pytest.raises(UserError, match=f"The decoder {decoder} needs the package {package}.*pip install"):
        next(decode(make_video(tmp_path / "a.mp4", 3), 48, 600, decoder))
