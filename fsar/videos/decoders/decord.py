"""decord, by random access: the frames that the public implementation gets, wrong ones included.

That implementation asks for eight frames at increasing positions, for each clip again. For each frame decord jumps to
the last key frame before it and decodes on from there; that jump is what goes wrong. Here each group of pictures is
entered by a jump and read to its end. This gives the same frames as random access to each position, in the time of two
passes. (One difference: after the last frame of a group, decord itself reads on into the next without a jump.) One more
pass, by PyAV and in order, shows which frames are wrong.

decord runs in its own process, which starts at `main`, because only ending a process stops decord if it hangs.
It writes the planes of all frames to its standard output, and at the end the number of wrong frames, or an error, to
its standard error.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np
from numpy.typing import NDArray

from fsar.videos.colours import take_known_colours
from fsar.videos.decoders.first_picture import FirstPicture, first_picture, stamps_of_packets
from fsar.videos.decoders.losses import Losses
from fsar.videos.decoders.program import running
from fsar.videos.decoders.pyav import sequential
from fsar.videos.decoders.source import open_video, video_stream
from fsar.videos.frame import Flaws, Frame, VideoError
from fsar.videos.orientation import UPRIGHT, Orientation, Orientations
from fsar.videos.progressive import Progressive
from fsar.videos.scale import Scaler

CHECKOUT = Path(__file__).parents[3]
VERDICT = "verdict: "  # begins the last line of the other process
# Turns that decord can do, in MP4 and MOV alone. Quarter turns work for square videos only; else decord itself fails.
TURNS = (Orientation(True, False, True), Orientation(False, True, True), Orientation(True, True, False))
# Two frames are compared by their brightness at this size, in pixels. …
SIDE = 32
# … They differ if its mean difference is above this, in levels of 256; for the same frame it is 0.
DIFFERENT = 0.05


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    Their number is what decord states, which can be one too many.

    Raises:
        VideoError: also if the video is damaged anywhere (how far decord gets then depends on its threads, and differs
            from run to run), and if decord cannot do what the file asks for (`refuse`).
    """
    first = first_picture(path, timeout)
    refuse(path, first)
    clock, stamps = first.clock, iter(stamps_of_packets(path))
    # decord would take a relative name with a colon for an address.
    command = [sys.executable, "-m", __name__, str(path.absolute()), str(scaler.size), str(scaler.antialias)]
    search = os.pathsep.join(filter(None, [str(CHECKOUT), os.getenv("PYTHONPATH")]))
    with running(command, timeout, {**os.environ, "PYTHONPATH": search}) as program:
        for position, planes in enumerate(program.pictures(scaler.size)):
            stamp, duration = next(stamps, (None, 0))
            shown = clock.time(stamp, duration)
            yield Frame(first.facts, position, shown, planes, duration=clock.seconds(duration))
        status = program.ended()
        if status:
            how = f"was ended by signal {-status}" if status < 0 else f"failed: {''.join(deque(program.said(), 1))}"
            raise VideoError(f"decord {how}")
        verdict = json.loads(next(line for line in program.said() if line.startswith(VERDICT)).removeprefix(VERDICT))
        if verdict["error"]:
            raise VideoError(verdict["error"])
        if verdict["wrong"] or first.notes or clock.notes:
            yield Flaws(wrong=verdict["wrong"], notes=(*first.notes, *clock.notes))


def refuse(path: Path, first: FirstPicture) -> None:
    """Refuse a video that decord would not read as players show it.

    Raises:
        VideoError: saying what decord cannot do.
    """
    if not first.alone:
        raise VideoError("decord cannot be told which of its video streams to read; choose pyav or ffmpeg")
    turned = first.orientation in TURNS and first.format.startswith("mov")
    if first.oblique or not (turned or first.orientation == UPRIGHT):
        raise VideoError("decord cannot turn or mirror it as its metadata ask; choose pyav or ffmpeg")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise VideoError("decord opens no file whose name is not UTF-8; choose pyav or ffmpeg") from None


def main(path: str, scaler: Scaler) -> None:
    """Run decord in the other process, and write what `frames` reads."""
    small = Scaler(SIDE)
    seen: list[NDArray[np.int16]] = []  # (SIDE, SIDE) each
    try:
        for picture in random_access(path):
            for plane in scaler.planes(picture):
                sys.stdout.buffer.write(plane.tobytes())
            seen.append(small.planes(picture)[0].astype(np.int16))
        verdict: dict[str, Any] = {"wrong": wrong_frames(seen, path), "error": ""}
    except decord.DECORDError as error:  # its message begins with places in decord's code and ends with the cause
        reason = str(error).strip().rsplit(": ", 1)[-1].replace(f"[{path}]", "").strip()
        verdict = {"wrong": 0, "error": f"decord: {reason}"}
    except RuntimeError:
        verdict = {"wrong": 0, "error": "decord cannot open it"}
    sys.stdout.flush()
    print(f"\n{VERDICT}{json.dumps(verdict)}", file=sys.stderr, flush=True)
    os._exit(0)  # without waiting for decord's threads, which may be deadlocked


def random_access(path: str) -> Iterator[av.VideoFrame]:
    """Yield, for each position, the RGB picture that decord gives for it."""
    # Two readers take alternate groups of pictures, so each must jump to the next one.
    readers = [decord.VideoReader(path, num_threads=1) for _ in range(2)]
    length = len(readers[0])
    starts = [0, *(int(key) for key in readers[0].get_key_indices() if key > 0)]
    for group, (start, end) in enumerate(zip(starts, [*starts[1:], length], strict=True)):
        for position in range(start, end):
            pixels = readers[group % 2].get_batch([position]).asnumpy()[0]  # (height, width, 3)
            yield av.VideoFrame.from_ndarray(pixels, format="rgb24")


def wrong_frames(seen: list[NDArray[np.int16]], path: str) -> int:
    """Count the wrong frames: those that resemble another frame of the video more than the one of their position.

    Args:
        seen: the brightness of each frame, (SIDE, SIDE).
        path: the video, whose frames are decoded in order.
    """
    small, whole, orientations = Scaler(SIDE), Progressive(), Orientations()
    with open_video(Path(path)) as container:
        stream = video_stream(container)
        pictures = []
        for picture in sequential(container, stream, Losses(container, stream)):
            if picture is None:
                continue
            orientation = orientations.of(picture)
            take_known_colours(picture)
            # Through RGB, as with decord, so that the same frame gives the same pixels.
            pixels = whole(picture).reformat(format="rgb24")
            pictures.append(small.planes(pixels, orientation)[0].astype(np.int16))
    truth = np.stack(pictures)  # (frames, SIDE, SIDE)
    wrong = 0
    for position, frame in enumerate(seen):
        if position < len(truth) and np.abs(truth[position] - frame).mean() <= DIFFERENT:
            continue
        distances = np.abs(truth - frame).mean((1, 2))
        own = distances[position] if position < len(truth) else np.inf
        wrong += bool(own - distances.min() > DIFFERENT)
    return wrong


if __name__ == "__main__":
    main(sys.argv[1], Scaler(int(sys.argv[2]), antialias=sys.argv[3] == "True"))
