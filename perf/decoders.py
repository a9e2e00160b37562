"""The decoders side by side: frames, wrong frames and processor time per video.

Time is that of this process and of those it starts, of the faster of two rounds; frames are resized to 256 × 256 and
not stored. A frame is wrong if it is not that of its position in one pass in order (`frames.decoder: decord`).
"""

import argparse
import resource
from collections.abc import Sequence
from pathlib import Path

from fsar.videos.decode import decode
from fsar.videos.frame import Flaws
from perf.command import reader
from perf.worlds import clips_in

DECODERS = ("pyav", "ffmpeg", "decord")
ROUNDS = 2


def seconds_used() -> float:
    """Return the processor time of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(videos: list[Path], decoder: str) -> tuple[int, int, float]:
    """Return the frames of the videos, how many of them are wrong, and the seconds for one video."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        started, frames, wrong = seconds_used(), 0, 0
        for video in videos:
            for part in decode(video, 256, 600, decoder):
                frames += not isinstance(part, Flaws)
                wrong += part.wrong if isinstance(part, Flaws) else 0
        fastest = min(fastest, (seconds_used() - started) / len(videos))
    return frames, wrong, fastest


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("decoders", __doc__)
    whole.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="with videos")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each folder and decoder."""
    print("| clips | decoder | frames | wrong | s per video |")
    print("|---|---|---|---|---|")
    for folder in parser().parse_args(arguments).folders:
        videos = clips_in(folder)
        for decoder in DECODERS:
            list(decode(videos[0], 256, 600, decoder))  # what is loaded once is not the matter here
            frames, wrong, seconds = measure(videos, decoder)
            print(f"| {folder.name} ({len(videos)}) | {decoder} | {frames} | {wrong} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
