"""`fsar spot`: what is shown when in long videos."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fsar.cli import options as shared
from fsar.files import readable

if TYPE_CHECKING:
    from fsar.predict.spot import Spotter


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "spot",
        help="find actions in long videos",
        description="Find which action is shown when in a long video, or none of them. Written for VIDEO.mp4 are "
        "VIDEO.csv (stretches of one action), VIDEO.windows.csv (every window), VIDEO.srt and VIDEO.vtt (subtitles), "
        "and VIDEO.png (the timeline).",
    )
    parser.add_argument("videos", nargs="+", type=Path)
    shared.add_classifier(parser)
    group = parser.add_argument_group("windows")
    group.add_argument("--window", type=float, default=2.0, help="length in seconds, about that of the examples (2)")
    group.add_argument("--stride", type=float, default=0.5, help="seconds from one window to the next (0.5)")
    group.add_argument(
        "--threshold", type=float, help="nearness below which it is none of the classes (default: estimated)"
    )
    group.add_argument(
        "--smooth",
        type=shared.positive,
        default=1,
        metavar="N",
        help="average what is said over N windows, an odd number (1)",
    )
    group.add_argument(
        "--shortest",
        type=float,
        metavar="SECONDS",
        help="stretches shorter than this go to their neighbours (default: half of the window)",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where to write (default: here)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Find the actions of each video; a video that cannot be read is told, and the others are done."""
    from fsar.errors import UserError
    from fsar.predict.own_threshold import estimate_threshold
    from fsar.predict.spot import Spotter
    from fsar.predict.threshold import Threshold

    shared.clips_beside_names(options.names, options.videos)
    stems = [video.stem for video in options.videos]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise UserError(
            f"Two videos are named {twice!r}, and so would be their results: give them one by one, with --out"
        )
    for video in options.videos:
        shared.writable(options.out / f"{video.stem}.csv")
    loaded = shared.classifier(options)
    threshold = estimate_threshold(loaded) if options.threshold is None else Threshold(options.threshold)
    if options.threshold is None:
        shared.say(threshold.describe())
    spotter = Spotter(loaded, options.window, options.stride, threshold, options.smooth)
    shared.say(f"Windows of {spotter.window:g} s every {spotter.stride:g} s, {spotter.frames} frames each")
    if not loaded.model.frames_apart:
        shared.say(
            "This method looks at windows as a whole: each is encoded by itself, and so its frames several times"
        )
    shortest = options.window / 2 if options.shortest is None else options.shortest
    unread = 0
    for video in options.videos:
        try:
            _spot(spotter, video, options.out / video.stem, shortest)
            problem = f"{readable(video)}: {spotter.broken}" if spotter.broken else ""
        except UserError as error:
            problem = str(error)
        if problem:
            shared.say(f"fsar: {problem}")
            unread += 1
    return shared.UNREAD if unread else 0


def _spot(spotter: "Spotter", video: Path, stem: Path, shortest: float) -> None:
    """Find the actions of one video and write its files, which are named after `stem`."""
    from fsar.files import atomic
    from fsar.job import progress
    from fsar.predict.timeline import Curve, joined, stretches, write_stretches, write_subtitles, written
    from fsar.predict.timeline_figure import draw_timeline

    loaded, curve = spotter.classifier, Curve()
    names, called = loaded.class_names, loaded.called
    with atomic(f"{stem}.windows.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        windows = written(
            progress(spotter.windows(video), readable(video.name), "window"), called, loaded.class_columns, file
        )
        found = joined(stretches(curve.watched(windows)), shortest)
    for one in found:
        if one.label:
            print(
                f"{readable(video)}: {one.start:.1f} to {one.end:.1f} s: {one.label} {shared.score(one.score, called)}"
            )
    write_stretches(found, Path(f"{stem}.csv"), called)
    for suffix in (".srt", ".vtt"):
        write_subtitles(found, Path(f"{stem}{suffix}"))
    draw_timeline(curve, found, names, spotter.threshold.nearness, Path(f"{stem}.png"))
    shared.say(f"Written: {readable(stem)}.csv, .windows.csv, .srt, .vtt, .png")
