"""`fsar predict`: labels of clips."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fsar.cli import options as shared
from fsar.files import readable

if TYPE_CHECKING:
    from fsar.predict.classifier import Classifier
    from fsar.predict.prediction import Prediction

FALSE_ALARMS = 0.1  # of --unknown, where nobody says how many


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "predict", help="label clips by examples", description="Label clips by examples of each class."
    )
    parser.add_argument("clips", nargs="*", help="files, folders, or a CSV with the column path")
    shared.add_classifier(parser)
    parser.add_argument(
        "--unknown",
        type=shared.share,
        nargs="?",
        const=FALSE_ALARMS,
        metavar="RATE",
        help="label clips unknown that are not near enough to any class: by a threshold that refuses at most this "
        f"share of the clips of the classes, told by leaving examples out (default: {FALSE_ALARMS:g})",
    )
    group = parser.add_argument_group("results")
    group.add_argument("--top", type=shared.positive, default=1, metavar="N", help="print the N nearest classes")
    group.add_argument("--csv", type=Path, metavar="FILE", help="write a row per clip")
    group.add_argument("--json", type=Path, metavar="FILE", help="write an object per clip")
    group.add_argument("--html", type=Path, metavar="FILE", help="write a page with the clips' frames; opens offline")
    group.add_argument("--save", type=Path, metavar="FILE", help="save the support set (.safetensors), to use it again")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Label the clips; the result is the exit code."""
    from fsar.errors import UserError
    from fsar.predict.clips import list_clips
    from fsar.predict.own_threshold import estimate_threshold
    from fsar.predict.results import write_predictions

    shared.clips_beside_names(options.names, options.clips)
    if options.unknown is not None and options.names:
        raise UserError("Names alone tell no threshold for unknown clips: give --support, examples of each class")
    if not options.clips and not options.save:
        raise UserError("There is nothing to do: name clips to label, or a file to --save the support set to")
    clips = list_clips(options.clips)
    shared.writable(options.csv, options.html, options.json, options.save)
    loaded = shared.classifier(options)
    if options.save:
        loaded.save(options.save)
        shared.say(f"Support set: {options.save}")
    if options.unknown is not None:
        loaded.threshold = estimate_threshold(loaded, options.unknown)
        shared.say(loaded.threshold.describe())
    unread = write_predictions(
        loaded,
        clips,
        csv=options.csv,
        page=options.html,
        as_json=options.json,
        tell=lambda prediction: _line(prediction, loaded, options.top),
    )
    if unread:
        shared.say(f"{unread} of {len(clips)} clips cannot be read")
    return shared.UNREAD if unread else 0


def _line(prediction: "Prediction", classifier: "Classifier", top: int) -> str:
    path = readable(prediction.clip.path)
    if prediction.scores is None:
        return f"{path}: cannot be read ({prediction.reason})"
    order = (-prediction.scores).argsort(kind="stable")[:top]
    named = (
        f"{classifier.class_names[i]} {shared.score(float(prediction.scores[i]), classifier.called)}" for i in order
    )
    label = "" if prediction.label in classifier.class_names else f"{prediction.label}, nearest "
    return f"{path}: {label}{', '.join(named)}"
