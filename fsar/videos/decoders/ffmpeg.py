"""The ffmpeg program through a pipe: the independent check of the other decoders.

It decodes, turns, scales and converts by itself, in one sequential pass. Its text output gives the time of each frame
and its errors. Which stream to read, and what it cannot find out itself, is passed to it from the file's header
and first picture. It does not notice a file that ends too early.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ffmpeg
import imageio_ffmpeg

from fsar.videos import colours
from fsar.videos.decoders.clock import by_order
from fsar.videos.decoders.first_picture import FirstPicture, first_picture, stamps_of_packets
from fsar.videos.decoders.program import Program, running
from fsar.videos.decoders.source import FORMATS, OPTIONS
from fsar.videos.frame import Flaws, Frame
from fsar.videos.scale import Scaler

MATRICES = {
    colours.RGB: "gbr",
    colours.BT709: "bt709",
    colours.UNKNOWN: "unknown",
    colours.FCC: "fcc",
    colours.SMPTE170M: "smpte170m",
    colours.SMPTE240M: "smpte240m",
    colours.BT2020: "bt2020nc",
}
NAME = "the video"  # stands for the file name
# The line that its filter `showinfo` prints for a frame.
SHOWN = re.compile(r"\bn: *\d+ pts: *(NOPTS|-?\d+) pts_time:\S+ +duration: *(\d+) ")


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    The program scales, and always antialiases.
    """
    first = first_picture(path, timeout)
    clock = first.clock
    ordered = by_order(first.format)
    by_packets = iter(stamps_of_packets(path)) if ordered else iter(())
    with running(_command(path, scaler.size, first), timeout) as program:
        position = -1
        said = _shown(program)
        for position, planes in enumerate(program.pictures(scaler.size)):
            stamp, duration = next(said, (None, 0))
            if ordered:
                stamp, duration = next(by_packets, (None, duration))
            yield Frame(first.facts, position, clock.time(stamp, duration), planes, duration=clock.seconds(duration))
        status = program.ended()
        flaws = _flaws(program, position + 1, status)
        if flaws.lost or flaws.reason or first.notes or clock.notes:
            yield replace(flaws, notes=(*first.notes, *clock.notes))


def _command(path: Path, size: int, first: FirstPicture) -> list[str]:
    # Its scaler knows fewer primaries and transfer curves than its decoders, and needs none.
    known = "setparams=color_primaries=unknown:color_trc=unknown"
    if first.matrix is not None:
        known += f":colorspace={MATRICES[first.matrix]}"
    scale = f"scale={size}:{size}:flags=bilinear:out_color_matrix=bt601:out_range=full"
    # Decode to the end, however much is damaged.
    how = {**OPTIONS, "threads": 1, "max_error_rate": 1}
    turns = []
    # Its own rotation would use any angle, and come before the colours are set, on which turning can depend.
    if first.oblique or first.odd_colours:
        how["noautorotate"] = None
        asked = zip(("transpose=cclock_flip", "vflip", "hflip"), first.orientation, strict=True)
        turns = [turn for turn, wanted in asked if wanted]
    filters = ",".join([known, *turns, "showinfo=checksum=0", scale])
    source = ffmpeg.input(NAME, **how)[str(first.stream)]
    raw = {"format": "rawvideo", "pix_fmt": "yuvj420p", "threads": 1, "map_metadata": -1}
    said = ("-nostdin", "-hide_banner", "-loglevel", "repeat+level+verbose")
    stream = ffmpeg.output(source, "pipe:", vf=filters, fps_mode="passthrough", **raw)
    stream = stream.global_args(*said, "-copyts", "-filter_threads", "1")
    command = [str(argument) for argument in stream.compile(cmd=imageio_ffmpeg.get_ffmpeg_exe())]
    command[command.index(NAME)] = f"file:{path}"  # set here: ffmpeg-python accepts UTF-8 names only
    return command


def _shown(program: Program) -> Iterator[tuple[int | None, int]]:
    """Yield (timestamp, duration) of each frame, which the program prints before it writes the picture."""
    for line in program.said():
        if found := SHOWN.search(line):
            yield None if found[1] == "NOPTS" else int(found[1]), int(found[2])


def _flaws(program: Program, decoded: int, status: int) -> Flaws:
    packets = refused = damaged = 0
    reason = ""
    for line in program.said():
        damaged += "corrupt decoded frame" in line
        if found := re.search(r"\(video\): (\d+) packets read .*; (\d+) decode errors", line):
            packets, refused = map(int, found.groups())
        if (found := re.search(r"\[(?:error|fatal)\] (.+)", line)) and not line.startswith("[rawvideo @"):
            reason = reason or found[1].replace(f" '{FORMATS}'", "")
    lost = damaged + (max(packets - decoded, refused) if refused else 0)
    if not decoded:
        return Flaws(reason=reason)
    return Flaws(lost=lost or 1, reason=reason or "damaged") if lost or status else Flaws()
