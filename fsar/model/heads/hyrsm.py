"""HyRSM, hybrid relation guided set matching (Wang et al., CVPR 2022), as its public code computes it.

The frames of a video see one another (intra-relation). Then, for each query anew, the videos of the episode do
(inter-relation): what a support video is compared as depends on the query, and on the other classes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.config.heads import HyrsmConfig
from fsar.errors import UserError
from fsar.model.heads.head import Head, Inputs, Tensors, TrainingEpisode
from fsar.model.heads.positions import Positions
from fsar.model.matching.bi_mhm import bi_mhm
from fsar.model.temporal_transformer import TemporalAttention


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


class Hyrsm(Head):
    """The hybrid relation module and Bi-MHM with the plain cosine.

    The layer that fuses a frame with the token of its video is linear in their concatenation. So it is applied to the
    frame once per video, and to the token once per query, and the two are added.
    """

    classes_apart = False
    # One episode 5-way 5-shot with 25 queries has (25, 25, 8, 2048) related frames at RN50's width: 40 MB a copy.
    episodes_at_once = 8
    settings: HyrsmConfig

    def __init__(self, inputs: Inputs, settings: HyrsmConfig):
        super().__init__(inputs, settings)
        width = inputs.width
        if width % settings.heads:
            raise UserError(f"heads is {settings.heads}, which does not divide the backbone's width {width}")
        self.averages_shots = settings.items == "prototypes"
        self.positions = Positions(settings)
        self.intra_relation = TemporalAttention(width, settings.heads, settings.attention_dropout)
        self.inter_relation = InterRelation(width, settings)
        self.fusion = nn.Linear(2 * width, width)
        if inputs.classes:
            self.for_training["classifier"] = nn.Linear(width, inputs.classes)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The few-shot logits', and that of each frame's class among the training classes."""
        return ("few_shot", "classification")

    def frames(self, stored: Tensors) -> Tensor:
        """Let the frames of each video see one another: (V, T, D) → (V, T, D)."""
        encoded = self.positions(stored["frames"])
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

    def related(self, support: Tensors, queries: Tensors) -> tuple[Tensor, Tensor]:
        """Return the frames of all items, (B, Q, N·K, T, D), and of the query, (B, Q, T, D), as each query has them."""
        items = {name: videos.flatten(1, 2) for name, videos in support.items()}
        tokens = self.inter_relation(items, queries)  # (B, Q, N·K + 1, D)
        added = F.linear(tokens, self.fusion.weight[:, tokens.shape[-1] :]).unsqueeze(-2)
        return items["frames"].unsqueeze(1) + added[:, :, :-1], queries["frames"] + added[:, :, -1]

    def compare(self, items: Tensor, queries: Tensor, way: int) -> Tensors:
        """Return the scores of what `related` returned; the distances of a class's items are averaged."""
        cosines = cosine(items.flatten(2, 3), queries).unflatten(2, items.shape[2:4])  # (B, Q, N·K, T, T)
        return {"few_shot": -bi_mhm(1 - cosines).unflatten(2, (way, -1)).mean(dim=-1)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distance of every query to every class, (B, Q, N)."""
        return self.compare(*self.related(support, queries), way=support["frames"].shape[1])

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries and of the frames' classes."""
        frames = self.frames(episode.stored)  # (V, T, D)
        items, queries = self.related(*self.arranged(episode, *episode.split(self.represent(frames))))
        logits = self.decide(self.compare(items, queries, episode.way))[0]
        losses = {"few_shot": self.query_loss(logits, episode.labels), **self.related_losses(items, queries)}
        if self.for_training:
            classes = episode.video_classes.repeat_interleave(frames.shape[1])
            losses["classification"] = F.cross_entropy(self.for_training["classifier"](frames.flatten(0, 1)), classes)
        return logits, losses

    def related_losses(self, items: Tensor, queries: Tensor) -> Tensors:
        """Return losses of the frames that `related` returned: HyRSM has none."""
        return {}

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and λ."""
        return {"few_shot": 1.0, "classification": self.settings.classification_weight}


def cosine(x: Tensor, y: Tensor) -> Tensor:
    """Return x·y / (|x||y|) of every pair of rows: (..., n, D), (..., m, D) → (..., n, m)."""
    norms = x.norm(dim=-1).unsqueeze(-1) * y.norm(dim=-1).unsqueeze(-2)
    return x @ y.transpose(-1, -2) / norms.clamp(min=1e-8)


def build(inputs: Inputs, settings: HyrsmConfig) -> Head:
    """Build HyRSM."""
    return Hyrsm(inputs, settings)
