"""The patches of the prototypes of many episodes, as EMP-Net fuses them with text: place by place.

With several shots a prototype m is the mean of K support videos, and its T frames at each of P places go through a
layer of attention with the class's text t: frames m + t ask, and see the tokens m and t. Few videos of a class make
many prototypes. A layer norm is linear but for its scale and shift, LN(x) = L(x) / σ(x) + β, so these are linear, made
once per video and added up:

    q = W_q L(m + t),   of the tokens k = W_k L,   v = W_v L,   u = E O v for each head,   E (m + t)

with O the attention's output projection and E the first product of the feed-forward part; as are the products of W_q β
and k (W_k β adds the same to all that a frame sees, and changes nothing), and the covariance of m and t, with which
var(m + t) = var m + 2 cov + var t. var m is the sum of the products of all pairs of the K videos. What is left for a
prototype and a place is small: q·k, a softmax, and the sums of v and u by its weights. What comes after that is linear
again, and done for the mean over places.

Places come first, and of each the prototypes: what the videos of a class have there stays in the processor's cache.

Shapes: videos of a class U, prototypes n, frames T, tokens S = T + 1, the text last, places P, width D, attention heads
h of width w, hidden width F.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.methods.empnet.reasoning import ReasoningLayer

# What is added up of one place of so many prototypes stays in the cache: 3 MB at the published width.
AT_ONCE = 64
# Variances are few numbers of many pairs, so those of several places are added up together.
PLACES = 8


def fused_means(layer: ReasoningLayer, patches: Tensor, text: Tensor, sets: Tensor) -> Tensor:
    """Return the mean over places of the patches of prototypes, fused with the text of their class.

    Args:
        layer: without dropout.
        patches: (U, T, P, D) of videos of one class.
        text: (D,) of the class.
        sets: (n, K) which videos each prototype is the mean of.

    Returns:
        (n, T, D).
    """
    (frames, places), shots = patches.shape[1:3], sets.shape[1]
    pairs = (sets.unsqueeze(2) * len(patches) + sets.unsqueeze(1)).flatten(1)  # (n, K²)
    one_place = OnePlace(layer, text, shots)
    found = text.new_zeros(len(sets), layer.heads, frames, layer.value.out_features // layer.heads)
    hidden = text.new_zeros(len(sets), frames, layer.expand.out_features)
    for some in patches.split(PLACES, dim=2):
        shares = some.to(text.device).transpose(1, 2) / shots  # (U, places, T, D)
        scales = one_place.scales(shares, sets, pairs)
        for place in range(some.shape[2]):
            of_videos = one_place.videos(shares[:, place])
            for start in range(0, len(sets), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                sums = [sum_of(each, sets[part]) for each in of_videos]
                one_place.add(found[part], hidden[part], sums, *(each[part, place] for each in scales))
    asking = sum_of(patches.mean(dim=2).to(text.device) / shots, sets) + text
    asking = asking + layer.output(found.transpose(1, 2).flatten(-2) / places + one_place.shift_value)
    return asking + layer.contract(hidden / places)  # type: ignore[no-any-return]


def sum_of(rows: Tensor, sets: Tensor) -> Tensor:
    """Return the sums of sets of rows: (U, …), (n, K) → (n, …)."""
    return F.embedding_bag(sets, rows.flatten(1), mode="sum").unflatten(1, rows.shape[1:])


class OnePlace:
    """What a layer makes of the frames of one place, given the share of each video in a prototype: its Kth part.

    Args:
        layer, text: as of `fused_means`.
        shots: K.
    """

    def __init__(self, layer: ReasoningLayer, text: Tensor, shots: int):
        self.layer = layer
        self.text = text - text.mean()
        scaled = self.text * layer.norm.weight / shots
        self.query, self.key, self.value = (
            self._by_head(each(scaled)) for each in (layer.query, layer.key, layer.value)
        )
        self.shift_query, self.shift_value = layer.query(layer.norm.bias), layer.value(layer.norm.bias)
        self.begin = layer.expand(text + layer.output(self.shift_value)) / shots
        self.output = (layer.expand.weight @ layer.output.weight).T.unflatten(0, (layer.heads, -1))  # (h, w, F)

    def scales(self, shares: Tensor, sets: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 / σ of prototypes at some places: of the tokens, (n, places, S), and of m + t, (n, places, T).

        Args:
            shares: (U, places, T, D).
            sets, pairs: (n, K) and (n, K²), of videos and of their pairs.
        """
        centred, width = shares - shares.mean(dim=-1, keepdim=True), shares.shape[-1]
        of_videos = centred.permute(1, 2, 0, 3)  # (places, T, U, D)
        variance = sum_of((of_videos @ of_videos.mT).permute(2, 3, 0, 1).flatten(0, 1) / width, pairs)
        of_text = self.text.square().mean().expand_as(variance)
        asking = variance + 2 * sum_of(centred @ self.text / width, sets) + of_text
        tokens = torch.cat([variance, of_text[..., :1]], dim=-1)
        return (tokens + self.layer.norm.eps).rsqrt(), (asking + self.layer.norm.eps).rsqrt()

    def videos(self, shares: Tensor) -> tuple[Tensor, ...]:
        """Return what is added up over the videos of a prototype.

        Args:
            shares: (U, T, D), at a place.

        Returns:
            q, (U, h, T, w), k and v, (U, h, S, w), u, (U, h, S, F), E (m + t), (U, T, F), and the products of k and the
            shift, (U, h, S, 1).
        """
        layer = self.layer
        scaled = (shares - shares.mean(dim=-1, keepdim=True)) * layer.norm.weight
        query = (self._by_head(layer.query(scaled)) + self.query).contiguous()
        key, value = (
            torch.cat([self._by_head(projection(scaled)), of_text.expand(len(shares), -1, -1, -1)], dim=2)
            for projection, of_text in ((layer.key, self.key), (layer.value, self.value))
        )
        through = torch.einsum("uhsw,hwf->uhsf", value, self.output).contiguous()
        expanded = F.linear(shares, layer.expand.weight) + self.begin
        return query, key, value, through, expanded, key @ self.shift_query.view(layer.heads, -1, 1)

    def add(self, found: Tensor, hidden: Tensor, sums: Sequence[Tensor], seen: Tensor, asking: Tensor) -> None:
        """Add what prototypes have at a place.

        Args:
            found: (n, h, T, w), what frames find in tokens.
            hidden: (n, T, F), what is hidden in the feed-forward part.
            sums: over the videos of each prototype, of what `videos` returns.
            seen, asking: (n, S) and (n, T), of `scales`.
        """
        query, key, value, through, expanded, shift = sums
        seen = seen[..., None, None]
        logits = torch.addcmul(shift, key @ query.mT, asking[:, None, None])  # (n, h, S, T)
        # With tokens first: PyTorch sums over a dimension before a long one several times as fast.
        logits = logits.transpose(1, 2).contiguous() * (seen * query.shape[-1] ** -0.5)
        weights = (logits.softmax(dim=1) * seen).transpose(1, 2).contiguous()
        found.flatten(0, 1).baddbmm_(weights.flatten(0, 1).mT, value.flatten(0, 1))
        hidden += F.gelu(torch.baddbmm(expanded, weights.flatten(1, 2).mT, through.flatten(1, 2)))

    def _by_head(self, each: Tensor) -> Tensor:
        """Return (…, T, h·w) or (h·w,) as (…, h, T or 1, w)."""
        rows = each.unsqueeze(0) if each.dim() == 1 else each
        return rows.unflatten(-1, (self.layer.heads, -1)).transpose(-3, -2)
