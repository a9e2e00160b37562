"""The words of a text, where other methods look at one feature of all of it."""

from typing import Any

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.model.backbone import Backbone
from fsar.model.evaluating import evaluating


@torch.no_grad()
def encode_words(backbone: Backbone, tokens: Tensor) -> Tensor:
    """Encode each token of texts, (n, L) → (n, L, D) float32; zero after the end of a text.

    They are in the joint space, unless the backbone is given the words of another text encoder.

    Raises:
        UserError: the text encoder gives no features of single tokens in the joint space.
    """
    if backbone.words is not None:
        encoder, width = backbone.words, backbone.width
        words = encoder.words(tokens.cpu()).to(backbone.mean.device)
        if words.shape[-1] != width:
            raise UserError(
                f"The words of {encoder.name} have {words.shape[-1]} numbers, and the features of {backbone.name} have "
                f"{width}: name a text encoder of the same width (key backbones.….words)"
            )
        return words
    if own := getattr(backbone.encoders, "encode_words", None):
        with evaluating(backbone):
            projected: Tensor = own(tokens)
        return projected.float()
    text: Any = getattr(backbone.encoders, "text", backbone.encoders)  # of newer architectures of open_clip
    norm, projection = getattr(text, "ln_final", None), getattr(text, "text_projection", None)
    if norm is None:
        norm = getattr(getattr(text, "text_model", None), "final_layer_norm", None)  # of transformers
    if norm is None or projection is None:
        raise UserError(f"The text encoder of {backbone.name} gives no features of single words, which SAFSAR needs")
    found: list[Tensor] = []
    hook = norm.register_forward_hook(lambda module, given, normed: found.append(normed))
    try:
        backbone.encode_tokens(tokens)
    finally:
        hook.remove()
    words = torch.cat(found)
    projected = projection(words) if isinstance(projection, nn.Module) else words @ projection
    # The mark at the end of a text has the largest number in CLIP's vocabulary.
    places = torch.arange(tokens.shape[1], device=tokens.device)
    return projected.float() * (places <= tokens.argmax(dim=1, keepdim=True)).unsqueeze(-1)
