"""Which files are videos: every format that FFmpeg opens, whatever it is called, and nothing else."""

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fsar.sources.is_video import is_video
from fsar.sources.walk import videos_below
from tests.helpers.videos import FFMPEG, make_video

STILL = ("-frames:v", "1")
# Format by its suffix: how the ffmpeg program makes it.
VIDEOS = {
    ".mp4": (),
    ".MTS": ("-f", "mpegts", "-mpegts_m2ts_mode", "1"),
    ".m2ts": ("-f", "mpegts"),
    ".ts": (),
    ".mpg": (),
    ".vob": (),
    ".wmv": (),
    ".flv": (),
    ".3gp": ("-c:v", "mpeg4"),
    ".gif": ("-pix_fmt", "pal8"),
    ".apng": ("-pix_fmt", "rgb24"),
    ".ogv": ("-c:v", "libtheora"),
    ".mjpeg": ("-pix_fmt", "yuvj420p"),
    ".y4m": (),
    ".mkv": (),
    ".avi": (),
    ".nut": ("-c:v", "mpeg4"),
    ".ivf": ("-c:v", "libvpx-vp9", "-deadline", "realtime"),
    ".swf": ("-c:v", "flv"),
}
PICTURES = (".jpg", ".png", ".gif", ".bmp", ".webp", ".tiff", ".apng")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    for suffix, options in VIDEOS.items():
        make_video(folder / f"video{suffix}", 12, fps=25, options=options)
    return folder


@pytest.mark.parametrize("suffix", VIDEOS)
@pytest.mark.parametrize("named", ["{}", "without suffix", "wrong.dat", "wrong.txt", "wrong.jpg", "UPPER.{}"])
def test_a_video_is_one_whatever_it_is_called(world, tmp_path, suffix, named):
    name = named.format(suffix.upper() if named.startswith("UPPER") else f"video{suffix}")
    (tmp_path / name).write_bytes((world / f"video{suffix}").read_bytes())
    assert is_video(str(tmp_path / name))


@pytest.mark.parametrize("suffix", PICTURES)
def test_a_picture_is_none(tmp_path, suffix):
    picture = make_video(tmp_path / f"picture{suffix}", 1, pixels="rgb24" if suffix == ".apng" else "yuvj420p")
    assert not is_video(str(picture))
    assert not is_video(str(picture.rename(tmp_path / "without suffix")))


def test_a_photo_with_previews_is_none(tmp_path):
    """Photos of some cameras are several pictures one after the other."""
    picture = make_video(tmp_path / "picture.jpg", 1, pixels="yuvj420p").read_bytes()
    (tmp_path / "photo.mpo").write_bytes(3 * picture)
    assert not is_video(str(tmp_path / "photo.mpo"))


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".flac"])
def test_music_with_a_cover_is_none(tmp_path, suffix):
    cover = make_video(tmp_path / "cover.jpg", 1, pixels="yuvj420p")
    music = ["-f", "lavfi", "-i", "sine=duration=1", "-i", str(cover), "-map", "0", "-map", "1", "-c:v", "copy"]
    path = tmp_path / f"music{suffix}"
    subprocess.run([FFMPEG, "-v", "error", *music, "-disposition:v", "attached_pic", str(path)], check=True)
    assert not is_video(str(path))
    assert not is_video(str(path.rename(tmp_path / "without suffix")))


def test_a_video_behind_a_picture_is_one(world, tmp_path):
    cover = make_video(tmp_path / "cover.jpg", 1, pixels="yuvj420p")
    both = ["-i", str(cover), "-i", str(world / "video.mp4"), "-map", "0", "-map", "1", "-c", "copy", "-f", "matroska"]
    subprocess.run([FFMPEG, "-v", "error", *both, str(tmp_path / "both.dat")], check=True)
    assert is_video(str(tmp_path / "both.dat"))


def test_what_else_lies_beside_clips_is_none(world, tmp_path):
    names = {
        "a.txt": "text\n",
        "code.ts": "export const a: number = 3;\n",
        "code.mts": "export {};\n",
        "a.csv": "path,class\na.mp4,run\n",
        "a.json": "{}",
        "a.srt": "1\n00:00:01,000 --> 00:00:02,000\nhello\n",
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{world}/video.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{world}/video.mp4'\n",
        "long.txt": "größe " * 5000,
        "ansi": "\x1b[31mred\x1b[0m " * 100,
    }
    for name, text in names.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("größe\n".encode("latin-1") * 100)
    playlist = (tmp_path / "list.m3u8").read_text() + "# größe\n"
    (tmp_path / "latin.m3u8").write_bytes(playlist.encode("latin-1"))
    (tmp_path / "wide.txt").write_bytes("text\n".encode("utf-16"))
    (tmp_path / "empty").touch()
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + bytes(500))
    (tmp_path / "noise.bin").write_bytes(np.random.default_rng(0).bytes(100_000))
    (tmp_path / "zeros.bin").write_bytes(bytes(100_000))
    np.save(tmp_path / "array.npy", np.zeros((100, 100)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(world / "video.mp4")
    found, walk = videos_below(tmp_path)
    assert found == []
    assert f"{len(list(tmp_path.iterdir()))} that are no videos" in str(walk.left_out)


def test_bytes_that_could_be_a_stream_without_a_container_need_its_suffix(tmp_path):
    stream = make_video(tmp_path / "video.h264", 12)
    assert is_video(str(stream))
    assert not is_video(str(stream.rename(tmp_path / "program.bin")))


@pytest.mark.parametrize("name", ["broken.mp4", "BROKEN.AVI", "broken.MTS", "broken.ts", "broken.y4m"])
def test_a_broken_video_is_one_by_its_suffix(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x47\x00\xff\xfe" * 10)
    assert is_video(str(tmp_path / name))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        is_video(str(tmp_path / "gone"))
    (tmp_path / "\udcff").write_bytes(make_video(tmp_path / "video.mp4").read_bytes())
    assert is_video(str(tmp_path / "\udcff"))
