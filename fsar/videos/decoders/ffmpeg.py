"""The ffmpeg program through a pipe: the independent check of the other decoders.

It decodes, turns, scales and converts by itself, all in one sequential pass; only its text output is read here. It says
less than FFmpeg's libraries do: the frame rate to two decimals, and of a file that ends too early nothing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import ffmpeg
import imageio_ffmpeg

from fsar.videos.decoders.program import Program, running
from fsar.videos.frame import Flaws, Frame, VideoError, VideoFacts
from fsar.videos.scale import Scaler


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    The program scales, and always antialiases.
    """
    with running(_command(path, scaler.size), timeout) as program:
        facts = None
        position = -1
        for position, planes in enumerate(program.pictures(scaler.size)):
            facts = facts or _facts(program)
            yield Frame(facts, position, position / facts.fps if facts.fps else 0.0, planes)
        status = program.ended()
        if flaws := _flaws(program, position + 1, status):
            yield flaws


def _command(path: Path, size: int) -> list[str]:
    scale = f"scale={size}:{size}:flags=bilinear:out_color_matrix=bt601:out_range=full"
    # A file that is damaged throughout is decoded to its end, too.
    source = ffmpeg.input(f"file:{path}", threads=1, max_error_rate=1)["v:0"]
    stream = ffmpeg.output(
        source, "pipe:", vf=scale, fps_mode="passthrough", format="rawvideo", pix_fmt="yuvj420p", threads=1
    ).global_args("-nostdin", "-hide_banner", "-loglevel", "repeat+level+verbose", "-filter_threads", "1")
    return [str(argument) for argument in stream.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())]


def _facts(program: Program) -> VideoFacts:
    """Read the facts of the video from what the program says of its input, which it has when it writes a picture."""
    fps, width, height, turned = 0.0, 0, 0, False
    for line in program.said():
        if line.startswith("[info] Output #"):
            break
        if re.match(r"\[info\]\s+Stream #0:\d+.*: Video: ", line) and not width:
            size = re.search(r", (\d+)x(\d+)", line)
            rate = re.search(r", ([\d.]+k?) fps", line) or re.search(r", ([\d.]+k?) tbr", line)
            width, height = map(int, size.groups()) if size else (0, 0)
            fps = float(rate[1].replace("k", "e3")) if rate else 0.0
        if found := re.match(r"\[info\]\s+display ?matrix: rotation of (-?[\d.]+) degrees", line, re.I):
            turned = round(float(found[1]) / 90) % 2 == 1
    return VideoFacts(fps, *((height, width) if turned else (width, height)))


def _flaws(program: Program, decoded: int, status: int) -> Flaws | None:
    packets = refused = damaged = 0
    reason = ""
    for line in program.said():
        damaged += "corrupt decoded frame" in line
        if found := re.search(r"\(video\): (\d+) packets read .*; (\d+) decode errors", line):
            packets, refused = map(int, found.groups())
        if (found := re.search(r"\[(?:error|fatal)\] (.+)", line)) and not line.startswith("[rawvideo @"):
            reason = reason or found[1]
    if "matches no streams" in reason:
        raise VideoError("it has no video stream")
    lost = damaged + (max(packets - decoded, refused) if refused else 0)
    if not decoded:
        return Flaws(reason=reason)
    return Flaws(lost=lost or 1, reason=reason or "damaged") if lost or status else None
