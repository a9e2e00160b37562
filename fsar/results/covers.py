"""What the intervals of a table are over, by their columns; the one place that knows."""

from typing import NamedTuple

# The interval over episodes, and what the names of all others begin with.
INTERVAL, OVER = "interval", "over_"
# In a heading, and what they cover. Others are called by their own names.
COVERS = {
    "interval": ("episodes", "other episodes of the same test videos, as papers print it"),
    "over_episodes": ("episodes", "other episodes of the same test videos"),
    "over_videos": ("test videos", "other test videos of the same classes, queries and supports"),
    "over_seeds": ("trainings", "other training runs"),
    "over_draws": ("draws of frames", "other draws of the test videos' frames"),
    "over_classes": ("classes", "other test classes"),
    "over_deals": ("class partitions", "other class partitions"),
}


class Covered(NamedTuple):
    """What an interval is over: as a heading has it, and in words."""

    heading: str
    words: str


def is_interval(column: str) -> bool:
    """Tell whether a column has half-widths of intervals."""
    return column == INTERVAL or column.startswith(OVER)


def covered(column: str) -> Covered:
    """Return what the interval of a column is over."""
    name = column.removeprefix(OVER).replace("_", " ")
    return Covered(*COVERS.get(column, (name, f"other {name}")))
