"""Texts of classes: how a class's name becomes what the text encoder reads."""

from collections.abc import Iterable


def class_texts(class_names: Iterable[str], template: str) -> list[str]:
    """Return the text of each class.

    Args:
        class_names: as the manifest has them.
        template: with {class_name} in it, such as `a photo of {class_name}`.
    """
    return [template.format(class_name=name) for name in class_names]
