"""Three sub-actions of each of the demo's classes: beginning, middle and end.

`python -m fsar.sources.demo.descriptions` prints them as CSV: configs/demo_descriptions.csv. Their
words are those of the stills' captions, the only ones a small CLIP has learnt, except OTHER_WORDS.
"""

import csv
import sys
from collections.abc import Iterator

from fsar.sources.demo.actions import ACTIONS, class_name
from fsar.sources.demo.shapes import SHAPES

# Beginning, middle and end. In reversed pairs one action begins where the other ends.
STAGES: dict[str, tuple[str, str, str]] = {
    "moving right": ("{shape} left", "{shape} moving right", "{shape} right"),
    "moving left": ("{shape} right", "{shape} moving left", "{shape} left"),
    "falling": ("{shape} top", "{shape} falling", "{shape} bottom"),
    "rising": ("{shape} bottom", "{shape} rising", "{shape} top"),
    "growing": ("small {shape}", "{shape} growing", "large {shape}"),
    "shrinking": ("large {shape}", "{shape} shrinking", "small {shape}"),
    "appearing": ("no {shape}", "{shape} appearing", "a {shape}"),
    "vanishing": ("a {shape}", "{shape} vanishing", "no {shape}"),
    "swinging": ("{shape} moving right", "{shape} moving left", "{shape} swinging"),
    "blinking": ("{shape} vanishing", "{shape} appearing", "{shape} blinking"),
}
# Words that captions do not have.
OTHER_WORDS = frozenset({"top", "bottom", "small", "large", "no"})


def descriptions() -> Iterator[tuple[str, str]]:
    """Yield class and description, three of each class in the order of time."""
    for shape in SHAPES:
        for action in ACTIONS:
            for stage in STAGES[action]:
                yield class_name(shape, action), stage.format(shape=shape)


def main() -> None:
    """Print the descriptions as the CSV that the key text.descriptions takes."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([("class", "description"), *descriptions()])


if __name__ == "__main__":
    main()
