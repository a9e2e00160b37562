"""Actions of the shapes, and the classes of the demo benchmark: a shape and an action.

Actions come in pairs. Four of the five pairs are one movement played forwards and backwards: such classes share
every frame and differ only in the order.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fsar.benchmarks.splits import SPLITS
from fsar.config import Counts
from fsar.config.source import DEMO_ACTIONS, DEMO_SHAPES
from fsar.sources.demo.shapes import SHAPES, Pose

# An action changes a resting pose, given the progress from 0 to 1.
Action = Callable[[Pose, float], Pose]


def _move_right(rest: Pose, progress: float) -> Pose:
    return replace(rest, x=rest.x - 0.65 + 1.3 * progress)


def _fall(rest: Pose, progress: float) -> Pose:
    return replace(rest, y=rest.y - 0.6 + 1.2 * progress)


def _grow(rest: Pose, progress: float) -> Pose:
    return replace(rest, radius=rest.radius * (0.4 + 1.2 * progress))


def _appear(rest: Pose, progress: float) -> Pose:
    return replace(rest, opacity=rest.opacity * progress)


def _swing(rest: Pose, progress: float) -> Pose:
    return replace(rest, x=rest.x + 0.5 * float(np.sin(4 * np.pi * progress)))


def _blink(rest: Pose, progress: float) -> Pose:
    return replace(rest, opacity=rest.opacity * float(np.cos(6 * np.pi * progress) > 0))


def _backwards(action: Action) -> Action:
    return lambda rest, progress: action(rest, 1 - progress)


ACTION_PAIRS: list[dict[str, Action]] = [
    {"moving right": _move_right, "moving left": _backwards(_move_right)},
    {"falling": _fall, "rising": _backwards(_fall)},
    {"growing": _grow, "shrinking": _backwards(_grow)},
    {"appearing": _appear, "vanishing": _backwards(_appear)},
    {"swinging": _swing, "blinking": _blink},
]
ACTIONS: dict[str, Action] = {name: action for pair in ACTION_PAIRS for name, action in pair.items()}
assert (tuple(SHAPES), len(ACTIONS)) == (DEMO_SHAPES, DEMO_ACTIONS)


def split_classes(
    counts: Counts, seed: int, deal: int, shapes: Sequence[str] = DEMO_SHAPES
) -> dict[str, list[tuple[str, str]]]:
    """Divide the classes among the splits, both actions of a pair together, so that order matters in every split.

    Args:
        counts: classes per split; as many at most in all as there are.
        seed, deal: decide the class partition.
        shapes: that act, each in ten classes.

    Returns:
        For each split, disjoint (shape, action) pairs.

    Raises:
        ValueError: more classes than there are.
    """
    wanted = sum(getattr(counts, split) for split in SPLITS)
    if wanted > (there := len(shapes) * len(ACTIONS)):
        raise ValueError(f"{wanted} classes, but there are {there} combinations of shape and action")
    pairs = [(shape, pair) for shape in shapes for pair in ACTION_PAIRS]
    order = np.random.default_rng([seed, 1, deal]).permutation(len(pairs))
    classes = [(pairs[i][0], action) for i in order for action in pairs[i][1]]
    dealt: dict[str, list[tuple[str, str]]] = {}
    for split in reversed(SPLITS):  # test first: its classes do not depend on the size of the others
        count = getattr(counts, split)
        dealt[split], classes = classes[:count], classes[count:]
    return dealt


def class_name(shape: str, action: str) -> str:
    """Name a class as it is written in prompts."""
    return f"{shape} {action}"
