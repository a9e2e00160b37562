"""Which stream of a file is its video, and files that are none: of odd names, out of reach, or that name others."""

import errno
import os
import socket
import subprocess

import numpy as np
import pandas as pd
import pytest

from fsar.config import FramesConfig
from fsar.videos.decode import decode
from fsar.videos.decoders.source import open_video
from fsar.videos.frame import Flaws, VideoError
from tests.helpers.videos import FFMPEG, make_video
from tests.videos.test_decoders import OTHERS, decoded, needs_decord
from tests.videos.test_videos import build_store

SMALL, LARGE = "testsrc2=size=64x48:rate=25:duration=1", "mandelbrot=size=128x96:rate=25"
ALL = ["pyav", *OTHERS]


def ffmpeg(*arguments):
    subprocess.run([FFMPEG, "-v", "error", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def two_streams(path, *options):
    """Make a file of a small video and of a larger one."""
    sources = ("-f", "lavfi", "-i", SMALL, "-f", "lavfi", "-i", LARGE, "-t", 1, "-map", 0, "-map", 1)
    ffmpeg(*sources, "-pix_fmt", "yuv420p", "-c:v", "libx264", *options, path)
    return path


@pytest.fixture(scope="module")
def cover(tmp_path_factory):
    path = tmp_path_factory.mktemp("cover") / "cover.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=640x480", "-frames:v", 1, path)
    return path


def size(path, decoder="pyav"):
    facts = decoded(path, decoder)[0][0].facts
    return facts.width, facts.height


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize(
    ("name", "first", "second", "expected"),
    [
        ("first.mkv", "default", "0", (64, 48)),
        ("second.mkv", "0", "default", (128, 96)),
        ("both.mkv", "default", "default", (128, 96)),
        ("none.mkv", "0", "0", (128, 96)),
        ("first.mp4", "default", "0", (64, 48)),
        ("second.mp4", "0", "default", (128, 96)),
    ],
)
def test_the_default_stream_and_then_the_larger(tmp_path, name, first, second, expected, decoder):
    path = two_streams(tmp_path / name, "-disposition:v:0", first, "-disposition:v:1", second)
    try:
        assert size(path, decoder) == expected
    except VideoError as error:
        assert decoder == "decord" and "cannot be told which" in str(error)
        return
    ours, others = decoded(path)[0], decoded(path, decoder)[0]
    assert max(np.abs(a.planes[0].astype(int) - b.planes[0]).mean() for a, b in zip(ours, others, strict=True)) < 2


def test_several_programs_of_a_transport_stream(tmp_path):
    programs = ("-program", "program_num=1:st=0", "-program", "program_num=2:st=1")
    path = two_streams(tmp_path / "a.ts", *programs)
    assert size(path) == size(path, "ffmpeg") == (128, 96)
    other = tmp_path / "b.ts"
    ffmpeg("-i", path, "-itsoffset", 1000, "-i", path, "-map", "0:0", "-map", "1:1", "-c", "copy", *programs, other)
    for decoder in ("pyav", "ffmpeg"):  # a program has a clock of its own
        assert decoded(other, decoder)[0][0].time < 1 and size(other, decoder) == (128, 96)


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
def test_the_same_sizes_the_earlier(tmp_path, decoder):
    sources = ("-f", "lavfi", "-i", SMALL, "-f", "lavfi", "-i", "color=black:size=64x48:rate=25:duration=1")
    ffmpeg(*sources, "-map", 0, "-map", 1, "-c:v", "libx264", "-disposition:v", "default", tmp_path / "a.mkv")
    assert decoded(tmp_path / "a.mkv", decoder)[0][0].planes[0].std() > 20


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("name", ["after.mp4", "before.mp4", "attached.mkv"])
def test_a_cover_is_not_the_video(tmp_path, cover, name, decoder):
    video, picture = ("-f", "lavfi", "-i", SMALL), ("-i", cover)
    if name == "after.mp4":
        ffmpeg(*video, *picture, "-map", 0, "-map", 1, "-c:v:0", "libx264", "-c:v:1", "copy",
               "-disposition:v:1", "attached_pic", tmp_path / name)  # fmt: skip
    elif name == "before.mp4":
        ffmpeg(*picture, *video, "-map", 0, "-map", 1, "-c:v:0", "copy", "-c:v:1", "libx264",
               "-disposition:v:0", "attached_pic", tmp_path / name)  # fmt: skip
    else:
        ffmpeg(*video, "-attach", cover, "-metadata:s:t", "mimetype=image/jpeg", "-c:v", "libx264", tmp_path / name)
    frames, flaws = decoded(tmp_path / name, decoder)
    assert len(frames) == 25 and frames[0].facts.fps == 25 and flaws == Flaws()
    assert (frames[0].facts.width, frames[0].facts.height) == (64, 48)
    alike = zip(frames, decoded(tmp_path / name)[0], strict=True)
    assert max(np.abs(a.planes[0].astype(int) - b.planes[0]).mean() for a, b in alike) < 2


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a"])
def test_a_cover_alone_is_no_video(tmp_path, cover, name, decoder):
    sound = ("-f", "lavfi", "-i", "sine=duration=1")
    cover_and_sound = ("-i", cover, *sound, "-map", 0, "-map", 1, "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg(*cover_and_sound, tmp_path / name)
    with pytest.raises(VideoError, match="it has no video, only a cover picture"):
        decoded(tmp_path / name, decoder)


def test_a_stream_that_begins_in_the_middle(tmp_path):
    """Which PyAV stumbles over."""
    one = make_video(tmp_path / "one.ts", 25, fps=25, options=("-c:v", "libx264"))
    both = tmp_path / "both.ts"
    sources = ("-f", "lavfi", "-i", SMALL, "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "libx264")
    ffmpeg(*sources, "-streamid", "0:256", "-streamid", "1:300", both)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() * 40 + both.read_bytes())
    frames, flaws = decoded(joined)
    assert len(frames) == 41 * 25 and flaws.lost == 0
    assert len(decoded(joined, "ffmpeg")[0]) == len(frames)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("names") / "a.mp4", 5)


NAMES = [
    b"caf\xe9 \xff.mp4",
    b"\x80",
    "größe “1” %03d.mp4".encode(),
    b"a\nb.mp4",
    b"-y",
    b"file:http:x.mp4",
    b"'; ls.mp4",
]


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("name", NAMES)
def test_any_name(tmp_path, video, name, decoder):
    path = tmp_path / os.fsdecode(name)
    os.link(video, path)
    try:
        frames, flaws = decoded(path, decoder)
    except VideoError as error:
        assert decoder == "decord" and "not UTF-8" in str(error) and name in NAMES[:2]
    else:
        assert len(frames) == 5 and flaws == Flaws()


@pytest.mark.parametrize("decoder", ALL)
def test_what_cannot_be_reached_is_a_failure_with_its_reason(tmp_path, decoder, monkeypatch):
    """Whatever the file system says, it is a row of the index; no other file is the worse for it."""
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "dangling.mp4").symlink_to("gone")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the address of a socket is short
        server.bind("socket.mp4")
    make_video(tmp_path / "good.mp4", 5)
    names = [
        "loop.mp4",
        "dangling.mp4",
        "folder.mp4",
        "pipe.mp4",
        "socket.mp4",
        "good.mp4/a.mp4",
        "x" * 300,
        "a\0b.mp4",
    ]
    reasons = {}
    for name in names:
        with pytest.raises(VideoError) as error:
            decoded(f"{tmp_path}/{name}", decoder)
        reasons[name] = str(error.value)
        assert reasons[name] and str(tmp_path) not in reasons[name]
    assert "symbolic links" in reasons["loop.mp4"] and "name too long" in reasons["x" * 300].lower()
    assert "folder" in reasons["folder.mp4"] and "not a regular file" in reasons["pipe.mp4"]
    if decoder == "pyav":
        build_store(tmp_path, [*names[:-1], "good.mp4"], FramesConfig(size=32, shards=2))
        index = pd.read_parquet(tmp_path / "index.parquet").set_index("video_id")
        assert list(index["status"]) == ["failed"] * 7 + ["ok"]
        assert all(index.loc[name, "error"] == reasons[name] for name in names[:-1])


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.ESTALE, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP, errno.EPERM]
)
def test_whatever_the_system_says(video, number, monkeypatch):
    def fails(self, **_):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr("pathlib.Path.stat", fails)
    with pytest.raises(VideoError, match=os.strerror(number)) as error:
        next(decode(video, 32, 60))
    assert str(video) not in str(error.value)


LISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{other}\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile a.ts\n",
    "concat absolute.mp4": "ffconcat version 1.0\nfile '{other}'\n",
    "concat over http.mp4": "ffconcat version 1.0\nfile http://127.0.0.1:9/a.ts\n",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'profiles="urn:mpeg:dash:profile:isoff-main:2011" mediaPresentationDuration="PT1S"><Period>'
    '<AdaptationSet contentType="video"><Representation id="0" codecs="avc1.64000a" bandwidth="1000">'
    "<BaseURL>a.ts</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "image%d.jpg": "",
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("decoder", ALL)
def test_no_file_leads_to_another(tmp_path, name, decoder):
    other = make_video(tmp_path / "a.ts", 5, options=("-c:v", "libx264"))
    (tmp_path / name).write_text(LISTS[name].format(other=other) or "none")
    ffmpeg("-i", other, "-frames:v", 2, tmp_path / "image%d.png")
    for number in (1, 2):
        (tmp_path / f"image{number}.png").rename(tmp_path / f"image{number}.jpg")
    with pytest.raises(VideoError):
        decoded(tmp_path / name, decoder)
    with pytest.raises(VideoError):
        open_video(tmp_path / name)


@needs_decord
def test_decord_is_not_asked_for_what_it_would_read_otherwise(cases):
    with pytest.raises(VideoError, match="only a cover picture"):
        decoded(cases / "cover_art.mp4", "decord")


@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
def test_the_cases(cases, decoder):
    assert size(cases / "two_streams.mp4", decoder) == (128, 96)
    with pytest.raises(VideoError, match="only a cover picture"):
        decoded(cases / "cover_art.mp4", decoder)
