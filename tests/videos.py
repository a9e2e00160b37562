"""Videos for the tests: good ones, and every kind of broken one."""

import subprocess
import zlib
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def make_video(
    path: Path,
    frames: int = 20,
    *,
    fps: int = 10,
    size: str = "64x48",
    pixels: str = "yuv420p",
    options: tuple[str, ...] = (),
) -> Path:
    """Encode a moving picture without hard edges, so that rounding stays small."""
    # Colours by the file's name: different videos, and the same ones in every run.
    colour = zlib.crc32(path.name.encode()) & 0xFFFFFF
    picture = f"c0=0x{colour:06x}:c1=0x{colour ^ 0xFFFFFF:06x}:nb_colors=2:x0=3:y0=3:x1=40:y1=30"
    source = ["-f", "lavfi", "-i", f"gradients=size={size}:rate={fps}:speed=0.1:{picture}"]
    arguments = [FFMPEG, "-v", "error", "-y", *source, "-frames:v", str(frames), "-pix_fmt", pixels]
    subprocess.run([*arguments, *options, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def turn(path: Path, degrees: int) -> Path:
    """Return a copy of a video whose metadata ask to turn it."""
    copy = path.with_name(f"turned {degrees} {path.name}")
    source = ["-display_rotation:v:0", str(degrees), "-i", str(path)]
    subprocess.run([FFMPEG, "-v", "error", *source, "-c", "copy", str(copy)], check=True, stdin=subprocess.DEVNULL)
    return copy


def ffmpeg_frames(path: Path, size: int, pixels: str = "yuvj420p") -> NDArray[np.uint8]:
    """Decode with the ffmpeg program, every frame once: a row of bytes for each, plane after plane, or RGB (rgb24)."""
    scale = f"scale={size}:{size}:flags=bilinear"
    if pixels == "yuvj420p":
        scale += ":out_color_matrix=bt601:out_range=full"
    arguments = [FFMPEG, "-v", "error", "-i", f"file:{path}", "-fps_mode", "passthrough", "-map", "0:v:0"]
    arguments += ["-vf", scale, "-f", "rawvideo", "-pix_fmt", pixels, "pipe:"]
    raw = subprocess.run(arguments, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    colours = 3 * size**2 if pixels == "rgb24" else size**2 + 2 * (-(-size // 2)) ** 2
    return np.frombuffer(raw, np.uint8).reshape(-1, colours)


def make_broken_videos(folder: Path) -> dict[str, str]:
    """Make one file of each broken kind; returns their names and a part of the error expected for each."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = make_video(folder / "whole.mp4")
    data = whole.read_bytes()
    whole.unlink()
    (folder / "truncated.mp4").write_bytes(data[: len(data) // 2])  # its index, at the end, is lost
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    (folder / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    audio = ["-f", "lavfi", "-i", "sine=duration=1", str(folder / "audio.m4a")]
    subprocess.run([FFMPEG, "-v", "error", "-y", *audio], check=True, stdin=subprocess.DEVNULL)
    header = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-frames:v", "0", "-pix_fmt", "yuv420p"]
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", *header, str(folder / "zero.avi")], check=False, stdin=subprocess.DEVNULL
    )
    if not (folder / "zero.avi").exists():
        (folder / "zero.avi").write_bytes(b"RIFF\x04\x00\x00\x00AVI ")
    (folder / "folder.mp4").mkdir()
    return {
        "truncated.mp4": "",
        "empty.mp4": "the file is empty",
        "text.mp4": "",
        "noise.avi": "",
        "audio.m4a": "it has no video stream",
        "zero.avi": "",
        "folder.mp4": "there is no such file",
        "missing.mp4": "there is no such file",
    }
