"""The cosine similarity of CLIP-FSAR."""

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
