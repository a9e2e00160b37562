"""`fsar check`: how good a support set is."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsar.cli.options import add_classifier, classifier, say, writable

if TYPE_CHECKING:
    from fsar.predict.check import Check


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "check",
        help="say how good examples are",
        description="Leave each example out in turn and label it by the others: accuracy, confused classes, clips that "
        "look mislabelled, and what more examples would bring.",
    )
    add_classifier(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found as one object")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the clips that look mislabelled")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the support set and print what was found."""
    from fsar.errors import UserError
    from fsar.files import atomic
    from fsar.predict.check import check_support

    if options.names:
        raise UserError("Names alone cannot be checked: give --support, examples whose class is known")
    writable(options.csv, options.json)
    loaded = classifier(options)
    found = check_support(loaded)
    print(report(found, loaded.class_names))
    if loaded.unreadable:
        say(f"{len(loaded.unreadable)} examples cannot be read and are left out")
    if options.csv:
        with atomic(options.csv) as temporary:
            found.suspects.to_csv(temporary, index=False)
    if options.json:
        with atomic(options.json) as temporary:
            temporary.write_text(json.dumps(as_object(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def as_object(found: "Check") -> dict[str, Any]:
    """Return what was found as JSON can say it: shares from 0 to 1, null for what is not known."""
    values = {
        "tested": found.tested,
        "accuracy": found.accuracy,
        "interval": list(found.interval),
        "strangers_auroc": found.strangers[0],
        "strangers_interval": found.strangers[1],
        "confused": found.confused.to_dict("records"),
        "suspects": found.suspects.to_dict("records"),
        "curve": found.curve.to_dict("records"),
    }
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _strangers(found: "Check") -> str:
    """Say how well clips of other classes would be refused."""
    auroc, half = (100 * value for value in found.strangers)
    if math.isnan(auroc):
        return "How well strangers would be refused cannot be said: it takes two classes, and two examples of one."
    return (
        f"Strangers, each class in turn being one to the others: their AUROC is {auroc:.1f} ± {half:.1f} % "
        "(50: not told apart; 100: all can be refused)."
    )


def report(found: "Check", class_names: list[str]) -> str:
    """Say what was found, in plain text."""
    from fsar.predict.calibrate import ENOUGH

    if not found.tested:
        return "Every class has a single example: none can be left out. Add a second one to each class."
    low, high = found.interval
    lines = [
        f"Accuracy with each example left out: {100 * found.accuracy:.1f} % of {found.tested} "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %; chance {100 / len(class_names):.1f} %)",
        "",
        "Confused:" if len(found.confused) else "No class is confused with another.",
    ]
    for true, taken_for, clips in found.confused.itertuples(index=False):
        lines.append(f"  {true} taken for {taken_for}: {clips} {'clip' if clips == 1 else 'clips'}")
    if not found.judged:
        needed = f"it takes {ENOUGH + 1} examples, two of each class, and a method that labels better than by chance"
        lines += ["", f"Which clips look mislabelled cannot be said: {needed}."]
    else:
        lines += ["", "Clips that look mislabelled:" if len(found.suspects) else "No clip looks mislabelled."]
    for path, name, label, p_name, p_label in found.suspects.itertuples(index=False):
        lines.append(f"  {path}: {name} {100 * p_name:.1f} %, but {label} {100 * p_label:.1f} %")
    lines += ["", _strangers(found)]
    if len(found.curve):
        lines += ["", "Accuracy by examples per class:"]
        for row in found.curve.itertuples(index=False):
            lines.append(f"  {row.shots}: {100 * row.accuracy:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f} %)")
    gain, half = (100 * value for value in found.gain)
    if len(found.curve) > 1:
        lines.append(
            f"The last example of each class added {gain:+.1f} ± {half:.1f} points: "
            + ("one more may add about as much, or less." if gain > half else "too little to say that more would help.")
        )
    return "\n".join(lines)
