"""Text features of classes: each class's texts, encoded and averaged."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.config import TextConfig
from fsar.errors import UserError
from fsar.methods import Components
from fsar.model.backbone import Backbone
from fsar.model.class_texts import class_texts
from fsar.model.finite import check_finite
from fsar.model.words import encode_words

# How a head is given the texts of a class: their mean, each of them, or the tokens of the first.
Looks = Literal["mean", "each", "tokens"]


def looks_of(components: Components) -> Looks:
    """Return how a model's head is given the texts of a class."""
    looks = components.each_text
    return looks if looks == "tokens" else ("each" if looks else "mean")


def can_read(backbone: Backbone, looks: Looks) -> bool:
    """Tell whether a backbone has a text encoder for what a head looks at."""
    return backbone.has_text or (looks == "tokens" and backbone.words is not None)


class ClassTokens(NamedTuple):
    """The texts of classes as the text encoder reads them.

    Attributes:
        tokens: (n, context length), the texts of each class one after another.
        counts: how many texts each class has.
    """

    tokens: Tensor
    counts: list[int]

    def of_classes(self, classes: Sequence[int]) -> "ClassTokens":
        """Return those of some classes, in their order."""
        parts = self.tokens.split(self.counts)
        return ClassTokens(torch.cat([parts[number] for number in classes]), [self.counts[n] for n in classes])


def class_tokens(
    backbone: Backbone, class_names: Sequence[str], config: TextConfig, looks: Looks = "mean"
) -> ClassTokens:
    """Return the tokens of classes' texts.

    Args:
        backbone: with a text encoder.
        class_names: as the manifest has them.
        config: how a name becomes texts.
        looks: how the head looks at them: at each text of a class, and then all must have as many; at the tokens of
            the first, and then the others are left out.

    Raises:
        UserError: the text encoder cannot be used, a class has no description, or another number of texts.
    """
    texts = class_texts(class_names, config)
    if looks == "tokens":
        texts = [own[:1] for own in texts]
        if backbone.words is not None:
            return ClassTokens(backbone.words.tokens([text for own in texts for text in own]), [1] * len(texts))
    counts = [len(own) for own in texts]
    if looks == "each" and len(set(counts)) > 1:
        fewest, most = min(counts), max(counts)
        raise UserError(
            f"The class {class_names[counts.index(fewest)]!r} has {fewest} texts and "
            f"{class_names[counts.index(most)]!r} has {most}: this method looks at each text, so all classes need as "
            f"many (key text.descriptions, {config.descriptions or 'templates'})"
        )
    return ClassTokens(backbone.tokens([text for own in texts for text in own]), counts)


def encode_class_tokens(backbone: Backbone, texts: ClassTokens, config: TextConfig, looks: Looks = "mean") -> Tensor:
    """Return the text features of classes; with gradients, where the text encoder is trained.

    Returns:
        (C, D) float32 features; of one text as the encoder gives them, of several their mean. Or (C, S, D), each;
        or (C, L, D), the tokens of one text, zero after its end.
    """
    if looks == "tokens":
        return encode_words(backbone, texts.tokens)
    encoded = backbone.encode_tokens(texts.tokens)
    if config.average == "normalised":
        encoded = F.normalize(encoded, dim=-1)
    own = encoded.split(texts.counts)
    return torch.stack([features if looks == "each" else features.mean(dim=0) for features in own])


@torch.no_grad()
def encode_classes(backbone: Backbone, class_names: Sequence[str], config: TextConfig, looks: Looks = "mean") -> Tensor:
    """Return the text features of classes, on the backbone's device: `class_tokens`, then `encode_class_tokens`.

    Raises:
        UserError: as `class_tokens`, or a feature is not finite.
    """
    encoded = encode_class_tokens(backbone, class_tokens(backbone, class_names, config, looks), config, looks)
    check_finite(encoded, f"{backbone.subject}, reading class names,", class_names)
    return encoded


def no_text(class_names: Sequence[str], device: torch.device | None = None) -> Tensor:
    """Return text features without columns, (C, 0), for models that look at no text."""
    return torch.empty(len(class_names), 0, device=device)
