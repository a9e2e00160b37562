"""Whether a method can be told how much what moves counts; known before a model is built."""

from typing import Literal

from fsar.errors import UserError
from fsar.methods.blocks.record import MotionConfig

Motion = float | Literal["auto"] | None


def check_motion(motion: Motion, settings: object, method: str) -> None:
    """Check a share that is asked for; None leaves the model's own.

    Args:
        motion: the share, or auto.
        settings: of the method's head.
        method: its name.

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
