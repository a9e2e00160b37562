"""Features that depend on the other videos of a call, in two stages: what a video gives alone, once, then the rest.

Both need a backbone with adapters that look across videos, which is a visual transformer. Autocast, gradients and the
mode of the layers are the caller's.

Shapes: calls B, videos of a call V, frames T, tokens of a frame L, token width W, joint space D.
"""

from torch import Tensor

from fsar.model.backbone import Backbone


def tokens_alone(backbone: Backbone, videos: Tensor) -> Tensor:
    """Return the tokens before the first block in which videos look at one another.

    Args:
        backbone: with the adapters.
        videos: (V, T, H, W, 3) RGB bytes.

    Returns:
        (V, T, L, W).
    """
    transformer, adapters = backbone.transformer, backbone.adapters
    assert adapters is not None
    tokens = transformer.through(transformer.embed(backbone.normalise(videos)), 0, adapters.whole_from)
    return tokens.unflatten(0, videos.shape[:2])


def frames_together(backbone: Backbone, tokens: Tensor) -> Tensor:
    """Return the frame features of several calls at once, as `Backbone.give` has them of each call by itself.

    Args:
        backbone: with the adapters.
        tokens: (B, V, T, L, W) of `tokens_alone`; the V videos of a call look at one another.

    Returns:
        (B, V, T, D) float32.
    """
    transformer, adapters = backbone.transformer, backbone.adapters
    assert adapters is not None
    adapters.group = tokens.shape[1]
    try:
        last = transformer.through(tokens.flatten(0, 2), adapters.whole_from)
    finally:
        adapters.group = None
    return transformer.frames(last).float().unflatten(0, tokens.shape[:3])
