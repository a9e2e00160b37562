"""Smaller layers made of larger ones, as TS-FSAR's side network (AAAI 2026) starts from CLIP's blocks.

Matrices are reduced to their principal components, vectors by interpolation. Everything is computed on the CPU, so that
a training starts from the same weights wherever it runs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.methods.blocks.attention import Attention
from fsar.methods.blocks.vision_transformer import Block
from fsar.methods.tsfsar.side_network import SideBlock


def principal_scores(matrix: Tensor, components: int) -> Tensor:
    """Return the scores of the rows of a matrix on its first principal axes, (n, m) → (n, components), 64 bits.

    Axes are of the rows minus their mean. The largest entry of an axis is positive: without that an axis could as well
    point the other way.
    """
    numbers = matrix.cpu().double()
    centred = numbers - numbers.mean(dim=0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[:components]  # (components, m)
    largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
    return centred @ (axes * largest.sign()).T


def reduced(matrix: Tensor, rows: int, columns: int) -> Tensor:
    """Return a smaller matrix: the shorter side by principal components, of the longer one what comes first."""
    if rows >= columns:
        return principal_scores(matrix, columns)[:rows]
    return reduced(matrix.T, columns, rows).T


def resized(vector: Tensor, size: int) -> Tensor:
    """Return a vector of another size, by cubic interpolation of its entries."""
    column = vector.cpu().view(1, 1, -1, 1)
    return F.interpolate(column, size=(size, 1), mode="bicubic").flatten()


@torch.no_grad()
def fill_linear(layer: nn.Linear, weight: Tensor, bias: Tensor | None) -> None:
    """Make a linear layer of a larger one's weights; it stays as it was drawn where the other is not larger."""
    rows, columns = layer.weight.shape
    if rows > weight.shape[0] or columns > weight.shape[1]:
        return
    layer.weight.copy_(reduced(weight, rows, columns))
    if bias is not None and layer.bias is not None:
        layer.bias.copy_(resized(bias, rows))


@torch.no_grad()
def fill_norm(norm: nn.LayerNorm, larger: nn.Module) -> None:
    """Make a norm of a larger one."""
    given = dict(larger.named_parameters())
    for name, parameter in norm.named_parameters():
        if name in given:
            parameter.copy_(resized(given[name], len(parameter)))


def fill_attention(attention: Attention, block: Block) -> None:
    """Make attention of that of a transformer's block."""
    holder, name = block.projections
    weights = getattr(holder, name).chunk(3)
    bias = getattr(holder, name.replace("weight", "bias"))
    biases = (None, None, None) if bias is None else bias.chunk(3)
    parts = (attention.query, attention.key, attention.value)
    for part, own_weight, own_bias in zip(parts, weights, biases, strict=True):
        fill_linear(part, own_weight, own_bias)
    fill_linear(attention.output, block.output.weight, block.output.bias)


def fill_block(side: SideBlock, block: Block) -> None:
    """Make a block of a transformer's."""
    fill_attention(side.attention, block)
    fill_norm(side.norm_1, block.norm_1)
    fill_norm(side.norm_2, block.norm_2)
    layers = [layer for layer in block.mlp.modules() if isinstance(layer, nn.Linear)]
    for own, larger in ((side.expand, layers[0]), (side.contract, layers[-1])):
        fill_linear(own, larger.weight, larger.bias)
