"""The patches of the prototypes of many episodes, as EMP-Net fuses them with text: place by place.

With several shots a prototype m is the mean of K support videos, and its T frames at each of P places go through a
layer of attention with the class's text t. Few videos of a class make many prototypes. A layer norm is linear but for
its scale and shift, LN(x) = L(x) / σ(x) + β, so these are linear in m, and made once per video and averaged:

    q = W_q L(m + t),   k = W_k L(m),   v = W_v L(m),   E (m + t), E the first product of the feed-forward part,

as are the products of q and t's own key, those of W_q β and k (W_k β adds the same to all that a frame sees, and
changes nothing), and the covariance of m and t, with which var(m + t) = var m + 2 cov + var t. var m is the mean of the
products of all pairs of the K videos. What is left for a prototype and a place is small: the products of T frames, a
softmax, and one matrix, E times the attention's output projection. What comes after that is linear again, and done for
the mean over places.

Places come first, and of each the prototypes: what the videos of a class have there stays in the processor's cache.

Shapes: videos of a class U, prototypes n, frames T, places P, width D, attention heads h of width w, hidden width F.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from fsar.methods.empnet.reasoning import ReasoningLayer

# What is averaged of one place of so many prototypes stays in the cache: 7 MB at the published width.
AT_ONCE = 256


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
    place_of, shape = OnePlace(layer, text), (len(sets), patches.shape[1])
    pairs = (sets.unsqueeze(2) * len(patches) + sets.unsqueeze(1)).flatten(1)  # (n, K²)
    found = text.new_zeros(*shape, layer.value.out_features)
    of_text = text.new_zeros(*shape, layer.heads)
    hidden = text.new_zeros(*shape, layer.expand.out_features)
    for place in range(patches.shape[2]):
        of_videos, products = place_of.videos(patches[:, :, place].to(text.device))
        for start in range(0, len(sets), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            means = [mean_of(each, sets[part]) for each in of_videos]
            own = place_of.prototypes(means, mean_of(products, pairs[part]).unsqueeze(-1))
            for total, each in zip((found, of_text, hidden), own, strict=True):
                total[part] += each
    places = patches.shape[2]
    asking = mean_of(patches.mean(dim=2).to(text.device), sets) + text
    found = found + place_of.value_of(of_text)
    asking = asking + layer.output(found / places + place_of.shift_value)
    return asking + layer.contract(hidden / places)  # type: ignore[no-any-return]


def mean_of(rows: Tensor, sets: Tensor) -> Tensor:
    """Return the mean of sets of rows: (U, …), (n, K) → (n, …)."""
    return F.embedding_bag(sets, rows.flatten(1), mode="mean").unflatten(1, rows.shape[1:])


class OnePlace:
    """What a layer makes of the frames of one place.

    Args:
        layer, text: as of `fused_means`.
    """

    def __init__(self, layer: ReasoningLayer, text: Tensor):
        self.layer, self.norm = layer, layer.norm
        self.text = text - text.mean()
        self.variance_of_text = self.text.square().mean()
        scaled = self.text * self.norm.weight
        length = (self.variance_of_text + self.norm.eps).rsqrt()
        self.query, self.key, self.value = layer.query(scaled), layer.key(scaled) * length, layer.value(scaled) * length
        self.shift_query, self.shift_value = layer.query(self.norm.bias), layer.value(self.norm.bias)
        self.by_both = self._products(self.shift_query, self.key)  # (h,)
        self.begin = layer.expand(text + layer.output(self.shift_value))
        self.expand_output = (layer.expand.weight @ layer.output.weight).T  # (h·w, F)
        by_head = self.expand_output.unflatten(0, (layer.heads, -1))
        self.expand_text = (self.value.view(layer.heads, 1, -1) @ by_head).squeeze(1)  # (h, F)

    def value_of(self, weights: Tensor) -> Tensor:
        """Return what frames find in the text: (n, T, h) weights → (n, T, h·w)."""
        return (weights.unsqueeze(-1) * self.value.view(self.layer.heads, -1)).flatten(-2)

    def videos(self, frames: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return what is averaged over videos, and the products of pairs of videos, (U², T).

        Args:
            frames: (U, T, D) of a place.

        Returns:
            q, k and v, (U, h, T, w) each; E (m + t), (U, T, F); the products with t's key, and those with the shift,
            (U, h, T) each; and the covariance, (U, T).
        """
        layer, width = self.layer, frames.shape[-1]
        centred = frames - frames.mean(dim=-1, keepdim=True)
        scaled = centred * self.norm.weight
        query, key = layer.query(scaled) + self.query, layer.key(scaled)
        by_head = (self._by_head(each).contiguous() for each in (query, key, layer.value(scaled)))
        expanded = F.linear(frames, layer.expand.weight) + self.begin
        by_key, by_shift = (self._products(*each).mT for each in ((query, self.key), (key, self.shift_query)))
        in_time = centred.transpose(0, 1)
        products = (in_time @ in_time.mT / width).permute(1, 2, 0).flatten(0, 1)
        return (*by_head, expanded, by_key, by_shift, centred @ self.text / width), products

    def prototypes(self, means: Sequence[Tensor], variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is added up over places.

        Args:
            means: of what `videos` returns.
            variance: (n, T, 1) of the prototypes.

        Returns:
            what frames find in frames, (n, T, h·w), the weight they give the text, (n, T, h), and what is hidden in the
            feed-forward part, (n, T, F).
        """
        query, key, value, expanded, by_key, by_shift, covariance = means
        eps, frames = self.norm.eps, variance.shape[1]
        seen = (variance + eps).rsqrt().unsqueeze(1)  # (n, 1, T, 1), 1 / σ
        asking = (variance + 2 * covariance.unsqueeze(-1) + self.variance_of_text + eps).rsqrt().unsqueeze(1)
        by_frames = (query @ key.mT * asking + by_shift.unsqueeze(2)) * seen.mT  # (n, h, T, T)
        by_text = by_key.unsqueeze(-1) * asking + self.by_both.view(-1, 1, 1)  # (n, h, T, 1)
        weights = (torch.cat([by_frames, by_text], dim=-1) * query.shape[-1] ** -0.5).softmax(dim=-1)
        found = ((weights[..., :frames] * seen.mT) @ value).transpose(1, 2).flatten(-2)
        of_text = weights[..., frames].transpose(1, 2)  # (n, T, h)
        flat = torch.addmm(expanded.flatten(0, 1), of_text.flatten(0, 1), self.expand_text)
        hidden = torch.addmm(flat, found.flatten(0, 1), self.expand_output).view_as(expanded)
        return found, of_text, F.gelu(hidden)

    def _by_head(self, each: Tensor) -> Tensor:
        return each.unflatten(-1, (self.layer.heads, -1)).transpose(1, 2)

    def _products(self, one: Tensor, other: Tensor) -> Tensor:
        return (one * other).unflatten(-1, (self.layer.heads, -1)).sum(dim=-1)
