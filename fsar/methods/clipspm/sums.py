"""A layer of attention among tokens that are sums of the same few parts, as most of CLIP-SPM's are.

A prototype is a sum of support videos and of a query, p = (Σ s + a) / count. It is another one for each query that is
asked alone, but its parts are not. A layer norm is linear but for its scale and shift:

    LN(x) = L(x) / σ(x) + β,    L(x) = γ ∘ (x − mean of x)

So queries q = W_q L(x), keys k = W_k L(x) and values after the output projection of their head, u_h = O_h W_v,h L(x),
are linear in x. They are computed once for each part; those of tokens X = C·parts, with coefficients C, are C times
those of parts. With the table G of all q·k of parts, the attention of token i is, up to what is the same for all j,

    softmax_j( ((C G Cᵀ)_ij / σ_i + W_q β · (C k)_j) / σ_j / √width )

and what it finds is the sum of u_h over parts, weighted by (attention / σ_j)·C, and the constant O W_v β + bias.

The feed-forward part ends with a product, so that means over tokens are taken before it.

Shapes: batches B (of any dimensions), tokens M, parts P, width D, attention heads h of width w.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.methods.blocks.temporal_transformer import TemporalAttention, TemporalLayer
from fsar.methods.needs import Tensors


class Parts(NamedTuple):
    """What tokens are sums of, and what a layer makes of each.

    Attributes:
        tokens: (B, P, D).
        queries, keys: (B, h, P, w).
        values: (B, h, P, D), after the output projection.
    """

    tokens: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor


def parts_of(layer: TemporalAttention, tokens: Tensor) -> Parts:
    """Return what a layer makes of parts, (B, P, D)."""
    centred = (tokens - tokens.mean(dim=-1, keepdim=True)) * layer.norm.weight
    queries, keys, values = (
        projection(centred).unflatten(-1, (layer.heads, -1)).transpose(-3, -2)
        for projection in (layer.query, layer.key, layer.value)
    )
    output = layer.output.weight.unflatten(1, (layer.heads, -1)).permute(1, 2, 0)  # (h, w, D)
    # As a product with leading dimensions, values @ output would copy the weights for each of them.
    return Parts(tokens, queries, keys, torch.einsum("...hpw,hwd->...hpd", values, output))


class Table(NamedTuple):
    """Parts that see one another.

    Attributes:
        parts: in their order.
        products: (B, h, P, P) of keys and queries.
        shifts: (B, h, P) of the query that the norm's shift makes, and keys.
    """

    parts: tuple[Parts, ...]
    products: Tensor
    shifts: Tensor


def table_of(layer: TemporalAttention, parts: Parts) -> Table:
    """Let parts see one another."""
    shift = layer.query(layer.norm.bias).unflatten(0, (layer.heads, 1, -1))  # (h, 1, w)
    return Table((parts,), parts.keys @ parts.queries.mT, (parts.keys * shift).sum(dim=-1))


def named(parts: Parts, prefix: str) -> Tensors:
    """Return parts by names that begin with a prefix."""
    return {prefix + name: each for name, each in parts._asdict().items()}


def parts_named(tensors: Tensors, prefix: str) -> Parts:
    """Return parts of what `named` returned."""
    return Parts(*(tensors[prefix + name] for name in Parts._fields))


def joined(one: Table, other: Table) -> Table:
    """Let the parts of two tables see one another."""
    (a,), (b,) = one.parts, other.parts
    rows = [
        torch.cat([one.products, a.keys @ b.queries.mT], dim=-1),
        torch.cat([b.keys @ a.queries.mT, other.products], dim=-1),
    ]
    return Table((a, b), torch.cat(rows, dim=-2), torch.cat([one.shifts, other.shifts], dim=-1))


def attended(layer: TemporalAttention, table: Table, sums: Tensor) -> Tensor:
    """Return what a layer without dropout makes of tokens before its feed-forward part, (B, M, D).

    Args:
        layer: of the table.
        table: of the tokens' parts.
        sums: (M, P) coefficients C.
    """
    tokens = sums @ torch.cat([part.tokens for part in table.parts], dim=-2)  # (B, M, D)
    length = torch.linalg.vector_norm(tokens - tokens.mean(dim=-1, keepdim=True), dim=-1)
    scale = (length.square() / tokens.shape[-1] + layer.norm.eps).rsqrt().unsqueeze(-2)  # (B, 1, M), 1 / σ
    width = table.parts[0].queries.shape[-1]
    # What is multiplied by one matrix stands left of it: the other way PyTorch multiplies each batch by itself.
    products = (table.products @ sums.T).mT @ sums.T  # (B, h, M, M), of queries and keys
    logits = products * scale.unsqueeze(-1) + (table.shifts @ sums.T).unsqueeze(-2)
    seen = (logits * (scale.unsqueeze(-2) * width**-0.5)).softmax(dim=-1)  # (B, h, M, M)
    weights = ((seen * scale.unsqueeze(-2)) @ sums).transpose(-3, -2)  # (B, M, h, P)
    found, start = tokens + layer.output(layer.value(layer.norm.bias)), 0
    for part in table.parts:
        count = part.tokens.shape[-2]
        found = found + weights[..., start : start + count].flatten(-2) @ part.values.flatten(-3, -2)
        start += count
    return found


def fed_means(layer: TemporalLayer, tokens: Tensor, groups: Tensor) -> Tensor:
    """Return means of what the feed-forward part of a layer without dropout makes of tokens.

    Args:
        layer: a layer.
        tokens: (B, M, D).
        groups: (G, M), the share of each token in each mean; those of a mean add up to 1.

    Returns:
        (B, G, D).
    """
    hidden = F.gelu(layer.expand(tokens))
    return layer.contract(groups @ hidden) + groups @ tokens  # type: ignore[no-any-return]
