"""When frames are shown: clocks of files, their jumps, rates, and what the frame store keeps of it."""

import itertools
import subprocess
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pandas as pd
import pytest

from fsar.config import FramesConfig
from fsar.videos.decode import decode
from fsar.videos.decoders.clock import Clock
from fsar.videos.frame import Flaws
from fsar.videos.rates import usual_step, varies
from tests.helpers.videos import FFMPEG, encode, make_video, telling_picture
from tests.videos.test_decoders import decoded, needs_decord, report
from tests.videos.test_videos import build_store

PICTURES = [telling_picture(64, 64, number) for number in range(60)]
STEADY = np.arange(60) * 40  # milliseconds
UNEVEN = np.cumsum([0, *np.random.default_rng(0).integers(20, 70, 59)])
PAUSE = STEADY + 60_000 * (np.arange(60) >= 30)
CODECS = {"mp4": "libx264", "mov": "mpeg4", "mkv": "libx264", "webm": "libvpx", "ts": "libx264", "flv": "libx264"}
ALL = ["pyav", "ffmpeg", pytest.param("decord", marks=needs_decord)]


def ffmpeg(*arguments):
    subprocess.run([FFMPEG, "-v", "error", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def times(path, decoder="pyav"):
    return np.array([frame.time for frame in decoded(path, decoder)[0]])


@pytest.fixture(scope="module")
def with_sound(tmp_path_factory):
    """Two seconds of video, at 25 frames per second, and eight of sound."""
    path = tmp_path_factory.mktemp("sound") / "a.mp4"
    video, audio = "testsrc2=size=64x48:rate=25:duration=2", "sine=duration=8"
    ffmpeg("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", audio, "-c:v", "libx264", "-g", 25, path)
    return path


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("ending", CODECS)
@pytest.mark.parametrize("stamps", [STEADY, UNEVEN], ids=["steady", "uneven"])
def test_times_are_those_that_were_encoded(tmp_path, ending, stamps, decoder):
    """Healthy videos of constant and of variable rate; nothing is lost, nothing is to be said."""
    path = encode(tmp_path / f"a.{ending}", PICTURES, stamps.tolist(), codec=CODECS[ending])
    frames, flaws = decoded(path, decoder)
    shown = np.array([frame.time for frame in frames])
    np.testing.assert_allclose(shown, (stamps - stamps[0]) / 1000, atol=0.0011)
    assert flaws == Flaws() and 0 < frames[0].facts.fps < 60
    assert varies(shown, frames[0].facts.tick) == (stamps is UNEVEN)


@needs_decord
@pytest.mark.parametrize("stamps", [STEADY, UNEVEN], ids=["steady", "uneven"])
def test_times_by_decord(tmp_path, stamps):
    path = encode(tmp_path / "a.mp4", PICTURES, stamps.tolist())
    np.testing.assert_array_equal(times(path, "decord"), times(path))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "flv"])
def test_a_picture_shown_for_a_minute_is_no_loss(tmp_path, ending):
    path = encode(tmp_path / f"a.{ending}", PICTURES, PAUSE.tolist(), codec=CODECS[ending])
    frames, flaws = decoded(path)
    assert flaws == Flaws() and len(frames) == 60
    assert frames[30].time - frames[29].time == pytest.approx(60.04, abs=0.002)
    assert frames[-1].time == pytest.approx(62.36, abs=0.002)


@pytest.mark.parametrize(("ending", "options"), [("ts", ()), ("mp4", ("-movflags", "frag_keyframe+empty_moov"))])
def test_packets_cut_from_the_middle_are_lost(tmp_path, ending, options):
    """Three seconds of a constant rate."""
    whole, cut = make_video(tmp_path / "whole.mp4", 90, options=("-c:v", "libx264", "-g", "10")), tmp_path / "cut.ts"
    ffmpeg(
        "-i", whole, "-c", "copy", "-bsf:v", "noise=drop='between(n,30,59)'", *options, cut.with_suffix(f".{ending}")
    )
    frames, flaws = decoded(cut.with_suffix(f".{ending}"))
    if ending == "mp4":  # whose muxer lets the last packet before last longer
        assert len(frames) == 60 and flaws.lost in (0, 29, 30)
    else:
        assert len(frames) == 60 and flaws.lost == 30 and "packets are missing for 30 frames" in flaws.reason
    assert frames[30].time - frames[29].time == pytest.approx(3.1)


@pytest.mark.parametrize("ending", ["mkv", "mov", "ts", "flv"])
def test_longer_sound_is_no_loss(tmp_path, with_sound, ending):
    path = tmp_path / f"a.{ending}"
    ffmpeg("-i", with_sound, "-c", "copy", path)
    frames, flaws = decoded(path)
    assert len(frames) == 50 and flaws == Flaws()


def test_an_empty_packet_does_not_end_decoding(tmp_path):
    """As NUT can have them: a picture that stays."""
    whole = encode(tmp_path / "whole.mp4", PICTURES, STEADY.tolist(), codec="mpeg4")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "a.nut"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None:
                copy = av.Packet(b"") if number == 10 else packet
                copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
                copy.stream = stream
                target.mux(copy)
    for decoder in ("pyav", "ffmpeg"):
        frames, flaws = decoded(tmp_path / "a.nut", decoder)
        assert len(frames) == 59 and flaws == Flaws()


def test_a_clock_out_of_order_never_goes_back():
    """By less than some frames it stays; by more it began anew, and goes on one frame later."""
    container = SimpleNamespace(format=SimpleNamespace(name="mpegts", flags=0), start_time=1_000_000)
    container.streams = SimpleNamespace(video=[None])
    clock = Clock(container, SimpleNamespace(time_base=Fraction(1, 100), start_time=100), 25)
    stamps = [100, 104, 112, 108, None, 116, 20, 24, None, 1500]
    expected = [0, 0.04, 0.12, 0.12, 0.16, 0.16, 0.2, 0.24, 0.28, 0.32]
    np.testing.assert_allclose([clock.time(stamp) for stamp in stamps], expected, atol=1e-9)
    assert [note.split(" after ")[1] for note in clock.notes] == ["frame 5", "frame 8"]


def test_which_pauses_are_losses(tmp_path):
    """In a transport stream, which says nothing of pauses: longer ones than a second, of a rate that is constant."""
    behind = np.arange(60) >= 30
    for name, stamps, lost in (
        ("short.ts", STEADY + 900 * behind, 0),
        ("long.ts", STEADY + 3000 * behind, 75),
        ("uneven.ts", UNEVEN + 3000 * behind, 0),
        ("jump.ts", STEADY + 20_000 * behind, 0),
    ):
        frames, flaws = decoded(encode(tmp_path / name, PICTURES, stamps.tolist()))
        assert len(frames) == 60 and flaws.lost == lost
        assert flaws.notes == (("the clock jumps by 20 s after frame 29",) if name == "jump.ts" else ())


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts"])
def test_a_video_that_begins_late(tmp_path, with_sound, ending, decoder):
    """With the sound the presentation begins, also where the clock of the format begins anywhere."""
    late = tmp_path / f"late.{ending}"
    ffmpeg("-itsoffset", 3, "-i", with_sound, "-i", with_sound, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    np.testing.assert_allclose(times(late, decoder), 3 + np.arange(50) / 25, atol=0.03)  # sound is coded in pieces


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("a.ts", ("-output_ts_offset", 5000), 0),
        ("a.mpg", ("-c:v", "mpeg2video", "-output_ts_offset", 700), 0),
        ("a.flv", ("-output_ts_offset", 30), 0),
        ("live.webm", ("-c:v", "libvpx", "-deadline", "realtime", "-live", 1, "-output_ts_offset", 3600), 0),
        ("live.mp4", ("-movflags", "frag_keyframe+empty_moov", "-output_ts_offset", 90), 0),
        ("a.mp4", ("-output_ts_offset", 5), 5),  # an empty edit: nothing is shown for five seconds
        ("a.mkv", ("-output_ts_offset", 5), 5),
    ],
)
def test_where_the_presentation_begins(tmp_path, name, options, first, decoder):
    video = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=1", "-c:v", "libx264")
    ffmpeg(*video, *options, tmp_path / name)
    np.testing.assert_allclose(times(tmp_path / name, decoder), first + np.arange(25) / 25, atol=0.002)


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("ending", ["ts", "mpg"])
def test_a_clock_that_begins_anew_goes_on(tmp_path, ending, decoder):
    codec = "libx264" if ending == "ts" else "mpeg2video"
    part = make_video(tmp_path / f"part.{ending}", 50, fps=25, options=("-c:v", codec, "-b:v", "300k"))
    joined = tmp_path / f"joined.{ending}"
    joined.write_bytes(part.read_bytes() * 2)
    frames, flaws = decoded(joined, decoder)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(100) / 25, atol=1e-6)
    assert flaws.lost == 0 and len(flaws.notes) == 1
    if ending == "ts":  # the last picture of the other gets its time from what follows
        assert flaws.notes == ("the clock jumps by -2 s after frame 49",)
    joined.write_bytes(part.read_bytes() * 6)
    frames, flaws = decoded(joined, decoder)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(300) / 25, atol=1e-6)
    assert flaws.lost == 0 and len(flaws.notes) == 4 and flaws.notes[-1] == "the clock jumps 2 times more"


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
@pytest.mark.parametrize("offset", [95442, 95440])
def test_a_counter_that_overflows_goes_on(tmp_path, offset, decoder):
    """33 bits of 90,000 a second are 95,443.7 s."""
    path = make_video(tmp_path / "a.ts", 100, fps=25, options=("-c:v", "libx264", "-output_ts_offset", str(offset)))
    frames, flaws = decoded(path, decoder)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(100) / 25, atol=1e-6)
    assert flaws.lost == 0


def test_a_bare_stream_has_the_times_of_its_rate(tmp_path):
    path = make_video(tmp_path / "a.h264", 20, fps=10, options=("-c:v", "libx264"))
    for decoder in ("pyav", "ffmpeg"):
        np.testing.assert_allclose(times(path, decoder), np.arange(20) / 10)
    assert decoded(path)[0][0].facts.fps == 10


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "mjpeg"])
@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
def test_avi_counts_from_the_first_picture(tmp_path, codec, decoder):
    """Its packets have an order and no times; with B-frames FFmpeg guesses wrong ones."""
    path = make_video(tmp_path / "a.avi", 20, fps=10, options=("-c:v", codec, "-bf", "2" if codec != "mjpeg" else "0"))
    np.testing.assert_allclose(times(path, decoder), np.arange(20) / 10)
    uneven = ("-vf", "setpts='(N+floor(N/3)*4)/(10*TB)'", "-fps_mode", "vfr", "-c:v", "mjpeg")
    held = make_video(tmp_path / "held.avi", 24, fps=10, options=uneven)
    frames, flaws = decoded(held, decoder)
    order = np.arange(24)
    np.testing.assert_allclose([frame.time for frame in frames], (order + order // 3 * 4) / 10)
    assert flaws == Flaws()


def test_the_usual_step_is_not_that_of_a_pause():
    assert usual_step(np.array([0.0, 0.1, 0.2, 60.0, 60.1])) == pytest.approx(0.1)
    assert usual_step(np.array([3.0])) == 0.0


def test_rates_are_no_ticks(tmp_path):
    """Measured where the container states none, as a browser's recordings do not."""
    path = encode(tmp_path / "a.ts", PICTURES, UNEVEN.tolist())
    expected = 60 / (UNEVEN[-1] / 1000 + usual_step(UNEVEN / 1000))
    assert decoded(path)[0][0].facts.fps == pytest.approx(expected, rel=0.02)
    one = encode(tmp_path / "one.mp4", PICTURES[:1], [0], unit=Fraction(1, 90000))
    assert decoded(one)[0][0].facts.fps < 1000


@pytest.mark.parametrize("tick", [1e-9, 1e-3, 1 / 600, 1 / 90000])
@pytest.mark.parametrize("rate", [10, 24000 / 1001, 25, 30000 / 1001, 59.94])
def test_what_varies(tick, rate):
    """A constant rate stays one whatever clock it is rounded to; a picture left out makes it vary."""
    steady = np.arange(200) / rate
    for rounded in (np.round(steady / tick) * tick, np.floor(steady / tick) * tick + 5):
        assert not varies(rounded, tick)
        assert varies(np.delete(rounded, 100), tick)
    assert varies(steady + np.random.default_rng(0).uniform(0, 0.02, 200), tick)
    assert varies(steady + 0.002 * (np.arange(200) % 3 == 1), 1e-9)
    assert not varies(steady[:2], tick) and not varies(steady[:1], tick)


def test_a_clock_of_whole_frames_rounds_nothing():
    assert not varies(np.arange(20) / 25, 1 / 25)
    assert varies(np.delete(np.arange(20), 7) / 25, 1 / 25)


def test_what_the_store_keeps(tmp_path, with_sound):
    encode(tmp_path / "steady.mp4", PICTURES, STEADY.tolist())
    encode(tmp_path / "uneven.mkv", PICTURES, UNEVEN.tolist())
    late = tmp_path / "late.mp4"
    ffmpeg("-itsoffset", 3, "-i", with_sound, "-i", with_sound, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    part = make_video(tmp_path / "part.ts", 50, fps=25, options=("-c:v", "libx264"))
    jumps = tmp_path / "jumps.ts"
    jumps.write_bytes(part.read_bytes() * 2)
    held = tmp_path / "held.mp4"
    longer = "setts=duration='if(eq(N,19),DURATION*40,DURATION)'"
    plain = make_video(tmp_path / "plain.mp4", 20, options=("-c:v", "libx264", "-bf", "0"))
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", longer, held)
    names = ["steady.mp4", "uneven.mkv", "late.mp4", "jumps.ts", "held.mp4", "gone.mp4"]
    store = build_store(tmp_path, names, FramesConfig(size=32, shards=2, keep=10))
    index = pd.read_parquet(tmp_path / "index.parquet").set_index("video_id")
    expected = {"steady.mp4": (0, 2.4), "uneven.mkv": (0, None), "late.mp4": (3, 2), "jumps.ts": (0, 4)}
    for name, (start, duration) in (expected | {"held.mp4": (0, 5.9)}).items():
        assert index.loc[name, "start"] == pytest.approx(start, abs=0.002)
        assert duration is None or index.loc[name, "duration"] == pytest.approx(duration, abs=0.002)
    assert list(index["variable_rate"]) == [name == "uneven.mkv" for name in names]
    assert index.loc["jumps.ts", "notes"] == "the clock jumps by -2 s after frame 49"
    assert (index["notes"].drop("jumps.ts") == "").all() and (index["lost_frames"] == 0).all()
    for number, name in enumerate(names[:-1]):
        shown = [part.time for part in decode(tmp_path / name, 32, 600) if not isinstance(part, Flaws)]
        kept = ((np.arange(10) + 0.5) * len(shown) / 10).astype(int)
        np.testing.assert_array_equal(store.times(number), np.array(shown)[kept])
        assert store.varies(number) == (name == "uneven.mkv")
    page, _ = report(tmp_path)
    assert "The frame rate varies in 1 of 5 videos." in page
    assert "the clock jumps by -2 s after frame 49" in page


def test_the_report_counts_notes_of_a_kind(tmp_path):
    names = []
    for frames in (30, 50):
        part = make_video(tmp_path / f"{frames}.ts", frames, fps=25, options=("-c:v", "libx264"))
        (tmp_path / f"jumps {frames}.ts").write_bytes(part.read_bytes() * 2)
        names.append(f"jumps {frames}.ts")
    build_store(tmp_path, names, FramesConfig(size=32, shards=1))
    page, _ = report(tmp_path)
    assert page.count("the clock jumps by") == 1 and '<td class="number">2</td>' in page


@pytest.mark.parametrize("decoder", ALL)
def test_the_cases(cases, decoder):
    def shown(name):
        return times(cases / name, decoder)

    np.testing.assert_allclose(shown("constant_rate.mp4"), np.arange(360) / 30)
    np.testing.assert_allclose(shown("late_start.mp4"), 5 + np.arange(360) / 30)
    assert len(shown("variable_rate.mp4")) == 240 and shown("variable_rate.mp4")[-1] == pytest.approx(359 / 30)
    if decoder != "decord":  # which gives up on them
        browser = decoded(cases / "browser.webm", decoder)[0]
        assert browser[-1].time == pytest.approx(11.7, abs=0.01) and 30 < browser[0].facts.fps < 31
        frames, flaws = decoded(cases / "clock_jump.ts", decoder)
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(100) / 25)
        assert flaws.lost == 0 and len(flaws.notes) == 1 and "after frame 49" in flaws.notes[0]
    frames, flaws = decoded(cases / "long_audio.mkv", decoder)
    assert len(frames) == 50 and flaws == Flaws()


def test_times_never_decrease_in_damaged_files(tmp_path):
    """Bytes turned at random, in containers whose timestamps stand among the pictures."""
    rng = np.random.default_rng(0)
    for ending, codec in (("ts", "libx264"), ("mkv", "libx264"), ("flv", "libx264"), ("mpg", "mpeg2video")):
        good = make_video(tmp_path / f"good.{ending}", 60, fps=25, options=("-c:v", codec, "-b:v", "300k"))
        for _ in range(4):
            data = bytearray(good.read_bytes())
            for place in rng.integers(len(data) // 5, len(data), 30):
                data[place] ^= 255
            bad = tmp_path / f"bad.{ending}"
            bad.write_bytes(data)
            for decoder in ("pyav", "ffmpeg"):
                shown = times(bad, decoder)
                assert (np.diff(shown) >= 0).all() and shown[0] >= 0


def test_real_clips_have_the_times_of_their_packets(real_clips):
    paths = sorted(path for path in real_clips.glob("*/*") if path.suffix in (".avi", ".mp4"))
    for path in itertools.chain(paths, sorted((real_clips / "ssv2_sample" / "videos").glob("*.webm"))[:3]):
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
            stamps = sorted(packet.dts if path.suffix == ".avi" else packet.pts for packet in packets)
            expected = np.array([float(stamp * stream.time_base) for stamp in stamps])
        shown = times(path)
        np.testing.assert_allclose(shown, expected[: len(shown)], atol=1e-9)
        assert len(expected) - len(shown) in (0, 1)  # packed B-frames have a packet more
