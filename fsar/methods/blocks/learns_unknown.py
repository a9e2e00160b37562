"""Heads that learn from unknown queries in training, whatever head it is: what is put before its class.

Each kind takes a head's class and returns one that has a further loss, `unknown`, in training episodes with unknown
queries. Parts and losses are in `fsar/methods/blocks/unknown.py`.

Shapes: as in `fsar/methods/head.py`, unknown queries U.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.record import TuplesConfig
from fsar.methods.blocks.tuples import TupleMatching
from fsar.methods.blocks.unknown import (
    Discriminator,
    TupleDiscriminator,
    discriminator_loss,
    eos_loss,
    with_garbage,
)
from fsar.methods.head import KNOWN, Head, TrainingEpisode
from fsar.methods.needs import Inputs, Tensors

# As published: of FR-Disc with one example, with more, and of tuples.
WEIGHT, WEIGHT_OF_SHOTS, WEIGHT_OF_TUPLES = 100.0, 1000.0, 10.0


class _Learns(Head if TYPE_CHECKING else object):  # type: ignore[misc]
    """What all kinds share: the weight of the loss, and unknown queries beside the known ones."""

    def loss_weights(self) -> Mapping[str, float]:
        """Return the weights of the head's losses, and that of unknown queries."""
        return {**super().loss_weights(), "unknown": self._weight(1)}

    def loss_weights_at(self, shot: int) -> Mapping[str, float]:
        """Return the weights of the losses in episodes of K shots."""
        return {**super().loss_weights_at(shot), "unknown": self._weight(shot)}

    def _weight(self, shot: int) -> float:
        return self.published_weight(shot) if self.unknown_weight is None else self.unknown_weight

    def published_weight(self, shot: int) -> float:
        """Return the weight that the public code has."""
        return 1.0

    def staged_with_unknown(self, episode: TrainingEpisode) -> tuple[Tensors, Tensors, Tensor]:
        """Return what `episode_stage` is given, with unknown queries after the known ones."""
        assert episode.unknown is not None, f"{self.name} learns from unknown queries, and this episode has none"
        both = {name: torch.cat([each, episode.unknown[name]]) for name, each in episode.stored.items()}
        return self.staged(replace(episode, stored=both, unknown=None))


class LearnsFlat(_Learns):
    """`eos`: answers to unknown queries are to be as flat as can be."""

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits of the known queries, and the head's losses with that of unknown ones."""
        logits, losses = super().losses(episode)
        scores = self.episode_stage(*self.staged_with_unknown(episode))
        return logits, {**losses, "unknown": eos_loss(self.decide(scores)[0, len(logits) :])}


class LearnsGarbage(_Learns):
    """`gc`: a learnt video is a class more, that of unknown queries, which count in the head's own loss."""

    def __init__(self, inputs: Inputs, settings: object):
        super().__init__(inputs, settings)
        if (
            self.needs.kind != "frames"
            or self.settings.compares_with_text
            or type(self).class_stage is not Head.class_stage
        ):
            raise UserError(
                f"A garbage class is a video of frames without a text, which the head {self.name} cannot use"
            )
        self.garbage = nn.Parameter(torch.randn(1, inputs.frames, inputs.width) * 0.02)

    def loss_weights(self) -> Mapping[str, float]:
        """Return the weights of the head's losses."""
        return super(_Learns, self).loss_weights()

    def loss_weights_at(self, shot: int) -> Mapping[str, float]:
        """Return the weights of the losses in episodes of K shots."""
        return super(_Learns, self).loss_weights_at(shot)

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Add the garbage class to an episode's, with as many examples as the others."""
        first = next(iter(support.values()))
        own = self.support_stage({"frames": self.garbage}, text.new_empty(1, text.shape[-1]), first.shape[2])
        joined = {
            name: torch.cat([each, own[name].expand(len(each), 1, each.shape[2], *each.shape[3:])], dim=1)
            for name, each in support.items()
        }
        return super().support_together(joined, text)

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode's own classes, and in tests how sure it is that none is the garbage class."""
        scores = super().episode_stage(support, queries, text)
        if self.training:
            return scores
        known = 1 - self.decide(scores).softmax(dim=-1)[..., -1:]
        return {name: each[..., :-1] for name, each in scores.items()} | {KNOWN: known}

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits of the known queries for their classes, and the losses."""
        scores = self.episode_stage(*self.staged_with_unknown(episode))
        logits, asked = self.decide(scores)[0], len(episode.labels)
        labels = with_garbage(episode.labels, len(logits) - asked, episode.way)
        return logits[:asked, :-1], {name: self.query_loss(each[0], labels) for name, each in scores.items()}


class _Discriminates(_Learns):
    """What both kinds of FR-Disc share: a part that tells by a query's residual from its class whether it is known.

    Attributes:
        discriminator: that part.
    """

    discriminator: nn.Module

    def residuals(self, support: Tensors, queries: Tensors, taken_for: Tensor) -> Tensor:
        """Return what queries have beyond the classes they are taken for, `taken_for` (B, Q): (B, Q, …)."""
        raise NotImplementedError

    def _known(self, support: Tensors, queries: Tensors, scores: Tensors) -> Tensor:
        """Return the logits of being known, (B, Q)."""
        residuals = self.residuals(support, queries, self.decide(scores).argmax(dim=-1))
        return cast(Tensor, self.discriminator(residuals.flatten(0, 1))).unflatten(0, residuals.shape[:2])

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the head's scores, and in tests how sure it is that each query is known."""
        scores = super().episode_stage(support, queries, text)
        if self.training:
            return scores
        return {**scores, KNOWN: self._known(support, queries, scores).sigmoid().unsqueeze(-1)}

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits of the known queries, and the head's losses with that of known against unknown."""
        logits, losses = super().losses(episode)
        staged = self.staged_with_unknown(episode)
        scores = self.episode_stage(*staged)
        decided = self.decide(scores)[0]
        labels = torch.cat([episode.labels, episode.labels.new_full((len(decided) - len(logits),), -1)])
        right = decided.argmax(dim=-1) == labels
        known = self._known(*staged[:2], scores)[0]
        return logits, {**losses, "unknown": discriminator_loss(known, labels, right)}


class DiscriminatesFrames(_Discriminates):
    """FR-Disc of frames: of the mean frame of a query and that of a class's examples."""

    def __init__(self, inputs: Inputs, settings: object):
        super().__init__(inputs, settings)
        width = 0
        if self.needs.kind == "frames":
            shown = self.video_stage({"frames": torch.zeros(1, inputs.frames, inputs.width)}).get("frames")
            width = 0 if shown is None or shown.dim() != 3 else shown.shape[-1]
        if not width:
            raise UserError(
                f"FR-Disc looks at frames or at tuples of frames, which the head {self.name} does not compare"
            )
        self.discriminator = Discriminator(width)

    def published_weight(self, shot: int) -> float:
        """Return the weight that the public code has."""
        return WEIGHT if shot == 1 else WEIGHT_OF_SHOTS

    def residuals(self, support: Tensors, queries: Tensors, taken_for: Tensor) -> Tensor:
        """Return (B, Q, D)."""
        prototypes = support["frames"].mean(dim=(2, 3))  # (B, N, D)
        own = prototypes.gather(1, taken_for.unsqueeze(-1).expand(-1, -1, prototypes.shape[-1]))
        return queries["frames"].mean(dim=2) - own


class DiscriminatesTuples(_Discriminates):
    """FR-Disc of tuples: of those of a query and what they find in a class. Of several cardinalities, the smallest."""

    matching: TupleMatching

    def __init__(self, inputs: Inputs, settings: TuplesConfig):
        super().__init__(inputs, settings)
        self.cardinality = str(min(settings.cardinalities))
        tuples = self.matching.relation(self.cardinality).made_of.shape[0]
        self.discriminator = TupleDiscriminator(settings.tuple_width, tuples)

    def published_weight(self, shot: int) -> float:
        """Return the weight that the public code has."""
        return WEIGHT_OF_TUPLES

    def residuals(self, support: Tensors, queries: Tensors, taken_for: Tensor) -> Tensor:
        """Return (B, Q, M, W)."""
        return self.matching.residuals(self.cardinality, support, queries, taken_for)


def learning(head: type[Head], settings: object, kind: str) -> type[Head]:
    """Return a head's class that learns from unknown queries: `eos`, `gc` or `discriminator`."""
    kinds: dict[str, type] = {"eos": LearnsFlat, "gc": LearnsGarbage}
    discriminates = DiscriminatesTuples if isinstance(settings, TuplesConfig) else DiscriminatesFrames
    return type(f"{head.__name__}{kind.title()}", (kinds.get(kind, discriminates), head), {})
