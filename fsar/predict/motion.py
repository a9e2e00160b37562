"""How much what moves counts in labels of a user's own clips: a share that is given, or that the examples tell."""

from fsar.methods.head import Head
from fsar.predict.calibrate import ENOUGH
from fsar.predict.leave_out import LabelledExamples

SHARES = (0.0, 0.25, 0.5, 0.75)  # of which the examples choose one


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
