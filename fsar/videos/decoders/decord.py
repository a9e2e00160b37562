"""decord, by random access: the frames that the public implementation sees, its wrong ones included.

That implementation asks for eight frames at increasing positions, anew for each clip. To get to one, decord jumps to
the last key frame before it and decodes on from there; it is that jump which goes wrong. Here each group of pictures is
entered by a jump and read to its end, which gives for every position what random access gives there, in the time of two
passes. (One thing is left out: after the last frame of a group decord reads on into the next without a jump.) One more
pass, by PyAV and in order, shows which frames are wrong.

decord runs in a process of its own, which starts at `main`: nothing else ends it where it hangs. That process writes
the planes of all frames to its standard output, and to its standard error at last the number of wrong frames, or an
error.
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
VERDICT = "verdict: "  # begins the line that the other process writes at last
# What it turns, in MP4 and MOV alone; a quarter only if height and width are the same, else it fails by itself.
TURNS = (Orientation(True, False, True), Orientation(False, True, True), Orientation(True, True, False))
# Frames are told apart by their brightness at this size, in pixels, …
SIDE = 32
# … and are not the same if it differs by more than this on average, in levels of 256; the same frame differs by 0.
DIFFERENT = 0.05


def frames(path: Path, scaler: Scaler, timeout: float) -> Iterator[Frame | Flaws]:
    """Yield the frames and then the flaws, see `fsar.videos.decode.decode`.

    There are as many frames as decord says, which can be one more than there are.

    Raises:
        VideoError: also if the video is damaged anywhere (how far decord gets then depends on its threads, and differs
            from run to run), and if decord cannot do what the file asks for (`refuse`).
    """
    first = first_picture(path, timeout)
    refuse(path, first)
    clock, stamps = first.clock, iter(stamps_of_packets(path))
    # A relative name with a colon would be an address to decord.
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
    """Refuse a video that decord would read otherwise than it is meant to be shown.

    Raises:
        VideoError: saying what decord cannot do.
    """
    if not first.best:
        raise VideoError("decord reads another of its streams; choose pyav or ffmpeg")
    turned = first.orientation in TURNS and first.format.startswith("mov")
    if first.oblique or not (turned or first.orientation == UPRIGHT):
        raise VideoError("decord cannot turn or mirror it as its metadata ask; choose pyav or ffmpeg")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise VideoError("decord opens no file whose name is not UTF-8; choose pyav or ffmpeg") from None


def main(path: str, scaler: Scaler) -> None:
    """Write what `frames` reads."""
    small = Scaler(SIDE)
    seen: list[NDArray[np.int16]] = []  # (SIDE, SIDE) each
    try:
        for picture in random_access(path):
            for plane in scaler.planes(picture):
                sys.stdout.buffer.write(plane.tobytes())
            seen.append(small.planes(picture)[0].astype(np.int16))
        verdict: dict[str, Any] = {"wrong": wrong_frames(seen, path), "error": ""}
    except decord.DECORDError as error:  # times and places in decord's own code, and at last what it was
        reason = str(error).strip().rsplit(": ", 1)[-1].replace(f"[{path}]", "").strip()
        verdict = {"wrong": 0, "error": f"decord: {reason}"}
    except RuntimeError:
        verdict = {"wrong": 0, "error": "decord cannot open it"}
    sys.stdout.flush()
    print(f"\n{VERDICT}{json.dumps(verdict)}", file=sys.stderr, flush=True)
    os._exit(0)  # without waiting for decord's threads, which may still wait for each other


def random_access(path: str) -> Iterator[av.VideoFrame]:
    """Yield, for each position, the RGB picture that decord gives for it."""
    # Two readers take groups of pictures in turn, so each leaves out one before the next and has to jump.
    readers = [decord.VideoReader(path, num_threads=1) for _ in range(2)]
    length = len(readers[0])
    starts = [0, *(int(key) for key in readers[0].get_key_indices() if key > 0)]
    for group, (start, end) in enumerate(zip(starts, [*starts[1:], length], strict=True)):
        for position in range(start, end):
            pixels = readers[group % 2].get_batch([position]).asnumpy()[0]  # (height, width, 3)
            yield av.VideoFrame.from_ndarray(pixels, format="rgb24")


def wrong_frames(seen: list[NDArray[np.int16]], path: str) -> int:
    """Count the frames that are not those of their positions, because others of the video are more like them.

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
            # By way of RGB as decord's, so that the same frame gives the same pixels.
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
