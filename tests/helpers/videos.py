"""Videos for the tests: good ones, and every kind of broken one."""

import struct
import subprocess
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
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
    # One thread: encoders cut pictures into as many slices as there are cores, and the file would differ by machine.
    subprocess.run([*arguments, "-threads", "1", *options, str(path)], check=True, stdin=subprocess.DEVNULL)
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


def with_matrix(path: Path, matrix: Sequence[int], name: str = "") -> Path:
    """Return a copy of an MP4 or MOV of one track with another display matrix: (a, b, c, d), in 1 / 65536."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    place = header + (56 if data[header + 4] else 44)  # behind dates and a duration of 4 or 8 bytes each
    a, b, c, d = matrix
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    copy = path.with_name(name or f"matrix {a} {b} {c} {d}{path.suffix}")
    copy.write_bytes(data)
    return copy


def encode(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    stamps: Sequence[int],
    *,
    unit: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    matrix: int = 2,
    full: bool = False,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode RGB pictures, (H, W, 3), that are shown at these times, in units; each until the next begins.

    Args:
        matrix: number of the colours' matrix, as the file declares it; the pixels are those of BT.601 all the same.
        full: whether brightness has the full range, 0 to 255.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base = pixels, unit
        stream.codec_context.time_base = unit
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1
        for picture, stamp in zip(pictures, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=5, dst_color_range=2 if full else 1)
            frame.pts, frame.time_base, frame.colorspace = stamp, unit, matrix
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def telling_picture(height: int = 48, width: int = 80, number: int = 0) -> NDArray[np.uint8]:
    """Return an RGB picture, smooth and different in each corner, so that turned ones differ; brighter by number."""
    down, across = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [0.8 * down + 0.1, 0.7 * across * down + 0.1, 0.6 * across + 0.1 + number % 7 / 30]
    return np.rint(255 * np.stack(planes, axis=-1)).clip(0, 255).astype(np.uint8)
