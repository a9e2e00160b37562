"""HyRSM, hybrid relation guided set matching (Wang et al., CVPR 2022), as its public code computes it.

The frames of a video see one another (intra-relation). Then, for each query anew, the videos of the episode do
(inter-relation): what a support video is compared as depends on the query, and on the other classes.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.bi_mhm import bi_mhm
from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.blocks.positions import Positions
from fsar.methods.blocks.temporal_transformer import TemporalAttention
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.hyrsm.record import HyrsmConfig
from fsar.methods.needs import Inputs, Tensors

TINY = 1e-12  # for the norms of frames without any feature


class InterRelation(nn.Module):
    """Attention among the items of an episode and one query: x ← relu(LN(Attention(x) + x)), without order.

    Queries do not see one another: each has the items for itself. What is linear in a video is computed once per video
    by `represent`, the output layer of the attention included; (B, Q, S+1, D) tensors are left to `forward`.

    Args:
        width: D.
        settings: heads and dropout.
    """

    def __init__(self, width: int, settings: HyrsmConfig):
        super().__init__()
        self.heads = settings.heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.attention_dropout = nn.Dropout(settings.relation_dropout)
        self.output_dropout = nn.Dropout(settings.relation_output_dropout)
        for projection in (self.query, self.key, self.value):
            nn.init.normal_(projection.weight, std=math.sqrt(2 / (width + width / self.heads)))
        nn.init.xavier_normal_(self.output.weight)

    def represent(self, tokens: Tensor) -> Tensors:
        """Return what `forward` is given of each video's token, (V, D) → (V, …) each; all of it linear.

        `value` is (V, heads, D): what the output layer makes of each head's value. Their weighted sum is the same as
        the output of the weighted sum of values.
        """
        value = self.value(tokens).unflatten(-1, (self.heads, -1))  # (V, heads, D / heads)
        output = self.output.weight.unflatten(1, (self.heads, -1))  # (D, heads, D / heads)
        return {
            "token": tokens,
            "query": self.query(tokens),
            "key": self.key(tokens),
            "value": torch.einsum("vhi,ohi->vho", value, output),
        }

    def forward(self, items: Tensors, queries: Tensors) -> Tensor:
        """Relate the items with each query: (B, S, …), (B, Q, …) → (B, Q, S+1, D), the query's token last."""
        asks, keys = (
            joined(items[name], queries[name]).unflatten(-1, (self.heads, -1)) for name in ("query", "key")
        )  # (B, Q, S+1, heads, D / heads)
        scale = math.sqrt(asks.shape[-1])
        attention = torch.einsum("bqihd,bqjhd->bqihj", asks, keys).div(scale).softmax(dim=-1)
        attention = self.attention_dropout(attention)  # (B, Q, S+1, heads, S+1)
        found = torch.einsum("bqihj,bjhd->bqid", attention[..., :-1], items["value"])
        found = found + torch.einsum("bqih,bqhd->bqid", attention[..., -1], queries["value"])
        tokens = joined(items["token"], queries["token"])
        return F.relu(self.norm(self.output_dropout(found + self.output.bias) + tokens))


def joined(items: Tensor, queries: Tensor) -> Tensor:
    """Put each query behind the items of its episode: (B, S, D), (B, Q, D) → (B, Q, S+1, D)."""
    repeated = items.unsqueeze(1).expand(-1, queries.shape[1], -1, -1)
    return torch.cat([repeated, queries.unsqueeze(2)], dim=2)


class Related(NamedTuple):
    """The frames of an episode as each query has them.

    Those of the items, (B, Q, S, T, D), are never made: each is a frame of its video plus what the query adds to all
    frames of the video, and its products with others are sums of products with the two.

    Attributes:
        items: (B, S, T, D) the items' frames, the same for all queries.
        added: (B, Q, S, D) what each query adds to them.
        queries: (B, Q, T, D) the query's own frames, complete.
    """

    items: Tensor
    added: Tensor
    queries: Tensor

    def cosines(self) -> Tensor:
        """Return the cosine of every frame of an item with every frame of the query: (B, Q, S, T, T)."""
        products = torch.einsum("bstd,bqud->bqstu", self.items, self.queries)
        products = products + torch.einsum("bqsd,bqud->bqsu", self.added, self.queries).unsqueeze(3)
        squares = self.items.square().sum(dim=-1).unsqueeze(1) + 2 * self._mixed() + self._added_squares()
        norms = squares.clamp(min=TINY).sqrt().unsqueeze(-1) * self.queries.norm(dim=-1)[:, :, None, None]
        return products / norms.clamp(min=TINY)

    def cosines_of_items(self) -> Tensor:
        """Return the cosine of every two frames of an item: (B, Q, S, T, T)."""
        mixed = self._mixed()
        products = (self.items @ self.items.transpose(-1, -2)).unsqueeze(1) + mixed.unsqueeze(-1) + mixed.unsqueeze(-2)
        return normalised(products + self._added_squares().unsqueeze(-1))

    def cosines_of_queries(self) -> Tensor:
        """Return the cosine of every two frames of the query: (B, Q, T, T)."""
        return normalised(self.queries @ self.queries.transpose(-1, -2))

    def _mixed(self) -> Tensor:
        return torch.einsum("bstd,bqsd->bqst", self.items, self.added)

    def _added_squares(self) -> Tensor:
        return self.added.square().sum(dim=-1, keepdim=True)  # (B, Q, S, 1)


def normalised(products: Tensor) -> Tensor:
    """Return the cosines of vectors whose products with one another are given: (..., T, T) → (..., T, T)."""
    norms = products.diagonal(dim1=-2, dim2=-1).clamp(min=TINY).sqrt()
    return products / (norms.unsqueeze(-1) * norms.unsqueeze(-2))


class Hyrsm(Head):
    """The hybrid relation module and Bi-MHM with the plain cosine.

    The layer that fuses a frame with the token of its video is linear in their concatenation. So it is applied to the
    frame once per video, and to the token once per query, and the two are added.
    """

    classes_apart = False
    # An episode 5-way 5-shot with 25 queries has (25, 26, 2048) tokens at RN50's width where videos are related: 5 MB,
    # some copies at a time. Sixteen of them took 0.6 GB.
    episodes_at_once = 16
    settings: HyrsmConfig

    def __init__(self, inputs: Inputs, settings: HyrsmConfig):
        super().__init__(inputs, settings)
        width = width_beside_motion(inputs.width, settings.motion_share)
        if width % settings.heads:
            raise UserError(f"heads is {settings.heads}, which does not divide the backbone's width {width}")
        self.averages_shots = settings.items == "prototypes"
        self.positions = Positions(settings)
        self.intra_relation = TemporalAttention(width, settings.heads, settings.attention_dropout)
        self.inter_relation = InterRelation(width, settings)
        self.fusion = nn.Linear(2 * width, width)
        if inputs.classes:
            self.for_training["classifier"] = nn.Linear(width, inputs.classes)

    def frames(self, stored: Tensors) -> Tensor:
        """Let the frames of each video see one another: (V, T, D) → (V, T, D)."""
        encoded = self.positions(beside_motion(stored["frames"], self.settings.motion_share))
        return F.relu(self.intra_relation(encoded, outputs=encoded.shape[1]))

    def represent(self, frames: Tensor) -> Tensors:
        """Return what episodes need of each video's frames, (V, T, D) → (V, …) each; all of it linear."""
        weight = self.fusion.weight[:, : frames.shape[-1]]
        return {
            "frames": F.linear(frames, weight, self.fusion.bias),
            **self.inter_relation.represent(frames.mean(dim=1)),
        }

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the frames' part of the fusion, (V, T, D), and what the relation between videos needs of each."""
        return self.represent(self.frames(stored))

    def related(self, support: Tensors, queries: Tensors) -> Related:
        """Relate the support videos (or prototypes) of each episode and each of its queries."""
        items = {name: videos.flatten(1, 2) for name, videos in support.items()}
        tokens = self.inter_relation(items, queries)  # (B, Q, N·K + 1, D)
        added = F.linear(tokens, self.fusion.weight[:, tokens.shape[-1] :])
        return Related(items["frames"], added[:, :, :-1], queries["frames"] + added[:, :, -1:])

    def compare(self, related: Related, way: int) -> Tensors:
        """Return the scores of related frames, (B, Q, N); the distances of a class's items are averaged."""
        distances = bi_mhm(1 - related.cosines())  # (B, Q, N·K)
        return {"few_shot": -distances.unflatten(2, (way, -1)).mean(dim=-1)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distance of every query to every class, (B, Q, N)."""
        return self.compare(self.related(support, queries), way=support["frames"].shape[1])

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries and of the frames' classes."""
        frames = self.frames(episode.stored)  # (V, T, D)
        related = self.related(*self.arranged(episode, *episode.split(self.represent(frames))))
        logits = self.decide(self.compare(related, episode.way))[0]
        losses = {"few_shot": self.query_loss(logits, episode.labels), **self.related_losses(related)}
        if self.for_training:
            classes = episode.video_classes.repeat_interleave(frames.shape[1])
            losses["classification"] = F.cross_entropy(self.for_training["classifier"](frames.flatten(0, 1)), classes)
        return logits, losses

    def related_losses(self, related: Related) -> Tensors:
        """Return losses of related frames by themselves: HyRSM has none."""
        return {}

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and λ."""
        return {"few_shot": 1.0, "classification": self.settings.classification_weight}
