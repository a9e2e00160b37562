"""Text features of classes: each class's texts, encoded and averaged."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.config import TextConfig
from fsar.model.backbone import Backbone
from fsar.model.class_texts import class_texts


def encode_classes(backbone: Backbone, class_names: Sequence[str], config: TextConfig) -> Tensor:
    """Return the text features of classes, on the backbone's device.

    Args:
        backbone: with a text encoder.
        class_names: as the manifest has them.
        config: how a name becomes texts, and these one feature.

    Returns:
        (C, D) float32 features; of one text as the encoder gives them, of several their mean.

    Raises:
        UserError: the text encoder cannot be used, or a class has no description.
    """
    texts = class_texts(class_names, config)
    encoded = backbone.encode_text([text for own in texts for text in own])  # those of all classes, one after another
    if config.average == "normalised":
        encoded = F.normalize(encoded, dim=-1)
    return torch.stack([own.mean(dim=0) for own in encoded.split([len(own) for own in texts])])


def no_text(class_names: Sequence[str], device: torch.device | None = None) -> Tensor:
    """Return text features without columns, (C, 0), for models that look at no text."""
    return torch.empty(len(class_names), 0, device=device)
