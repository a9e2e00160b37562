"""The cosine similarity of CLIP-FSAR, and the frame distances that the matching metrics start from."""

from torch import Tensor

# Added to the product of the norms, as in the public implementation of CLIP-FSAR: it changes the third decimal of a
# similarity between features of norm ~1, so it is part of the method and not a guard against division by zero.
NORM_EPSILON = 0.01


def cosine_similarity(x: Tensor, y: Tensor) -> Tensor:
    """Return x·y / (|x||y| + 0.01) for every pair of rows.

    Args:
        x: (..., n, D) features, not normalised.
        y: (..., m, D) features, not normalised; the leading dimensions broadcast with those of x.

    Returns:
        (..., n, m) similarities in (-1, 1).
    """
    products = x @ y.transpose(-1, -2)
    norms = x.norm(dim=-1).unsqueeze(-1) * y.norm(dim=-1).unsqueeze(-2)
    return products / (norms + NORM_EPSILON)


def frame_similarities(queries: Tensor, prototypes: Tensor) -> Tensor:
    """Return the cosine of every frame of every query with every frame of every prototype.

    Args:
        queries: (..., Q, T, D) frame features.
        prototypes: (..., N, S, D) frame features.

    Returns:
        (..., Q, N, T, S) similarities in (-1, 1).
    """
    frames, prototype_frames = queries.shape[-2], prototypes.shape[-2]
    # All frames of all queries against all frames of all prototypes in one product: (..., Q·T, N·S).
    similarities = cosine_similarity(queries.flatten(-3, -2), prototypes.flatten(-3, -2))
    similarities = similarities.unflatten(-1, (-1, prototype_frames)).unflatten(-3, (-1, frames))
    return similarities.transpose(-3, -2)


def frame_distances(queries: Tensor, prototypes: Tensor) -> Tensor:
    """Return D = 1 − cos of what `frame_similarities` takes, in (0, 2): (..., Q, N, T, S) (CLIP-FSAR, Eq. 5)."""
    return 1 - frame_similarities(queries, prototypes)
