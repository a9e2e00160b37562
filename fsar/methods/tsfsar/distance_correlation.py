"""α-distances of a frame's channels, by which TS-FSAR describes frames (AAAI 2026), as its public code computes them.

Shapes: frames F, patches P, width d, numbers of a description R = d(d+1)/2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Added to squared distances: the gradient of a power below 1 is infinite at zero.
LEAST_SQUARE = 1e-5


def weighted_patches(tokens: Tensor) -> Tensor:
    """Return the patches of frames, each times its cosine with the class token: (F, 1 + P, d) → (F, P, d)."""
    class_tokens, patches = tokens[:, :1], tokens[:, 1:]
    return F.cosine_similarity(class_tokens, patches, dim=-1).unsqueeze(-1) * patches


def distance_matrices(patches: Tensor, alpha: float) -> Tensor:
    """Return how far the channels of each frame are from one another, (F, P, d) → (F, d, d).

    Rows and columns have mean 0 (double centring).

    Args:
        patches: a channel is what all patches of the frame have of it.
        alpha: the exponent of squared distances; 0.5 would give the distances themselves.
    """
    products = patches.transpose(1, 2) @ patches / (2 * patches.shape[1])  # (F, d, d)
    lengths = products.diagonal(dim1=1, dim2=2)  # (F, d)
    squares = lengths.unsqueeze(1) + lengths.unsqueeze(2) - 2 * products
    distances = (squares.clamp(min=0) + LEAST_SQUARE).pow(alpha)
    rows, columns = distances.mean(dim=2, keepdim=True), distances.mean(dim=1, keepdim=True)
    return distances - rows - columns + distances.mean(dim=(1, 2), keepdim=True)


def upper_triangles(matrices: Tensor) -> Tensor:
    """Return the upper triangle of each matrix, with its diagonal, row by row: (F, d, d) → (F, R)."""
    width = matrices.shape[-1]
    rows, columns = torch.triu_indices(width, width, device=matrices.device)
    return matrices.flatten(1).index_select(1, rows * width + columns)


def descriptions(tokens: Tensor, alpha: float) -> Tensor:
    """Return the description of each frame, (F, 1 + P, d) tokens with the class token first → (F, R)."""
    return upper_triangles(distance_matrices(weighted_patches(tokens), alpha))
