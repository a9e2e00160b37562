"""How much what moves counts in labels of a user's own clips: a share that is given, or that the examples tell."""

from typing import Literal

from fsar.errors import UserError
from fsar.methods.blocks.record import MotionConfig
from fsar.methods.head import Head
from fsar.predict.calibrate import ENOUGH
from fsar.predict.leave_out import LabelledExamples

Motion = float | Literal["auto"] | None
SHARES = (0.0, 0.25, 0.5, 0.75)  # of which the examples choose one


def check_motion(motion: Motion, settings: object, method: str) -> None:
    """Check a share that is asked for; None leaves the model's own.

    Raises:
        UserError: it is no share, or the method's weights are made for one share or compare something else.
    """
    if motion is None:
        return
    if motion != "auto" and not (isinstance(motion, int | float) and 0 <= motion <= 1):
        raise UserError(f"motion is {motion!r}; it can be auto, or a share from 0 to 1")
    if not (isinstance(settings, MotionConfig) and settings.any_share):
        raise UserError(
            f"The method {method!r} cannot be told how much what moves counts (--motion): it does not match the frames "
            "of a clip one by one, or its weights are made for one share. Leave out --motion, or take a method such as "
            "clip-freeze, otam or clip-fsar"
        )


def set_share(head: Head, share: float) -> None:
    """Let what moves count for this share of the cosine of two frames, whatever the head's settings say."""
    head.settings = head.settings.model_copy(update={"motion_share": share})


def told_by(examples: LabelledExamples | None, own: float) -> float:
    """Return the share with which examples label one another best, each left out in turn; the smallest of equals.

    Args:
        examples: ready to be compared; their head is left with the share that is returned.
        own: the model's, which stays where there are too few examples: fewer than `ENOUGH`, or one alone of a class.
    """
    if examples is None or len(examples.labels) < ENOUGH or not examples.several.all():
        return own
    left_out = examples.left_out()
    labels = examples.labels[[one.number for one in left_out]]

    def accuracy(share: float) -> float:
        set_share(examples.decision.head, share)
        logits = examples.decided(left_out, examples.few_shot(left_out))
        return float((logits.argmax(dim=1).numpy() == labels).mean())

    best = max(SHARES, key=accuracy)  # of equals the first
    set_share(examples.decision.head, best)
    return best
