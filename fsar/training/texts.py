"""Text features of the training and validation classes: encoded once, or anew if the text encoder is trained."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fsar.config import TextConfig
from fsar.model.few_shot import FewShotModel
from fsar.model.finite import check_finite
from fsar.model.text import ClassTokens, class_tokens, encode_class_tokens, looks_of, no_text


class EpisodeTexts:
    """Gives a model the texts of its training classes, and validation those of the validation classes.

    Args:
        model: on its device; it gets the texts of the training classes.
        config: how class names become text.
        train, val: names of the training and of the validation classes.

    Raises:
        UserError: the text encoder cannot be used, a class lacks a description that the method needs, or a text
            feature is not finite.
    """

    def __init__(self, model: FewShotModel, config: TextConfig, train: Sequence[str], val: Sequence[str]):
        self.model, self.config, self.val = model, config, val
        self.trained, self.looks = model.components.text_trained, looks_of(model.components)
        if not model.components.reads_text:
            device = model.backbone.mean.device
            model.set_training_text(no_text(train, device))
            self.val_text = no_text(val, device)
            return
        own, self.val_tokens = (class_tokens(model.backbone, names, self.config, self.looks) for names in (train, val))
        if self.trained:
            model.set_training_tokens(own, self.config)
        else:
            model.set_training_text(self._encoded(own, train))
            self.val_text = self._encoded(self.val_tokens, val)

    def of_validation(self) -> Tensor:
        """Return the text features of the validation classes with the current weights: (C, D), or (C, S, D) of each
        text."""
        return self._encoded(self.val_tokens, self.val) if self.trained else self.val_text

    @torch.no_grad()
    def _encoded(self, texts: ClassTokens, names: Sequence[str]) -> Tensor:
        backbone = self.model.backbone
        encoded = encode_class_tokens(backbone, texts, self.config, self.looks)
        check_finite(encoded, f"{backbone.subject}, reading class names,", names)
        return encoded
