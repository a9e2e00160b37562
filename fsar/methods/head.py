"""What every head is: the stages a video and an episode go through, and the losses of a training episode.

Shapes: episodes at once B, way N, shot K, queries Q of the whole episode, videos V, frames T, feature width D, training
classes C.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.backbone import Backbone
from fsar.methods.by_name import the_class
from fsar.methods.needs import Inputs, Needs, Tensors
from fsar.methods.record import LEARNS_UNKNOWN, Components
from fsar.methods.settings import HeadSettings

# Among the scores of an episode: how sure a head is that a query is of one of the classes, (B, Q, 1). No loss is of it.
KNOWN = "known"

FIVE_WAY = 25  # pairs of a query and a class in an episode of five classes, with a query of each


@dataclass(frozen=True)
class TrainingEpisode:
    """An episode to train on: the N·K support videos class by class, then the Q queries class by class.

    Attributes:
        way, shot: N and K.
        stored: of each video, as `Head.store` returns it: (V, …) each.
        classes: (N,) numbers of the episode's classes among the training classes.
        text: (C, D) text features of all training classes, (C, S, D) for a head that looks at each of a class's S
            texts; (C, 0) where there are none. Of a text encoder that is trained, those of other classes than the
            episode's are left out (NaN) unless the head's losses look at them (`Head.looks_at_all_texts`).
        pixels: (V, T, 3, H, W) normalised, for a head that asks for them.
        unknown: of each unknown query, as `Head.store` returns it, (U, …) each: of none of the episode's classes, and
            not among the V videos. None where a model does not learn from any.
    """

    way: int
    shot: int
    stored: Tensors
    classes: Tensor
    text: Tensor
    pixels: Tensor | None = None
    unknown: Tensors | None = None

    @property
    def supports(self) -> int:
        """How many support videos there are, N·K."""
        return self.way * self.shot

    @property
    def labels(self) -> Tensor:
        """The class of each query within the episode, (Q,)."""
        queries = len(next(iter(self.stored.values()))) - self.supports
        return torch.arange(self.way, device=self.classes.device).repeat_interleave(queries // self.way)

    @property
    def video_classes(self) -> Tensor:
        """The class of every video among the training classes, (V,): support first."""
        return torch.cat([self.classes.repeat_interleave(self.shot), self.classes[self.labels]])

    def split(self, videos: Tensors) -> tuple[Tensors, Tensors]:
        """Split something of all videos, (V, …) each, into that of the support and that of the queries."""
        support = {name: each[: self.supports] for name, each in videos.items()}
        return support, {name: each[self.supports :] for name, each in videos.items()}


class Head(nn.Module):
    """Turns what the backbone gives of videos into the logits of episodes.

    A video goes through `store` and `video_stage` once, whatever the episodes; an episode through `episode_stage`. The
    base class leaves videos as they are, for heads that do without one of the stages.

    Args:
        inputs: what it is given.
        settings: its own section of the config.

    Attributes:
        needs: what it asks of the backbone; of the kind that its settings name.
        looks_at_all_texts: its losses look at the texts of all training classes, and not of the episode's alone.
        averages_shots: of a class `episode_stage` is given the mean of its K support videos, not each of them.
        shots_apart: names of what it is given of each support video all the same.
        classes_apart: the score of a class does not depend on which other classes there are.
        queries_apart: the scores of a query do not depend on which other queries there are.
        queries_together: it can only be asked all queries of an episode at once.
        episodes_at_once: test episodes of five classes compared in one call; bounds memory.
        text_weight: β, of the class names where a method decides by text and videos both; tests set it where
            validation classes choose it.
        unknown_weight: of what it learns from unknown queries, if it does; as published where it is None.
        loss_over_queries: whether the loss of an episode is the mean or the sum of its queries' losses.
        for_training: what only the losses look at (classifiers, decoders); not among the weights of a trained model.

    Raises:
        UserError: videos have fewer frames than it needs.
    """

    needs: Needs
    looks_at_all_texts: bool = False
    averages_shots: bool = True
    shots_apart: Collection[str] = ()
    classes_apart: bool = True
    queries_apart: bool = True
    queries_together: bool = False
    episodes_at_once: int = 250
    text_weight: float = 0.9
    unknown_weight: float | None = None
    loss_over_queries: Literal["mean", "sum"] = "mean"
    for_training: nn.ModuleDict

    def __init__(self, inputs: Inputs, settings: Any):
        super().__init__()
        self.inputs, self.settings = inputs, settings
        self.needs = Needs(settings.needs)
        self.for_training = nn.ModuleDict()
        needed, why = settings.least_frames
        if inputs.frames < needed:
            raise UserError(f"The method {why}, so sampling.frames must be at least {needed}, and not {inputs.frames}")

    @property
    def name(self) -> str:
        """The folder that it is of."""
        return self.settings.folder

    @property
    def loss_names(self) -> tuple[str, ...]:
        """The terms that `losses` returns, the first of them that of the few-shot logits."""
        return tuple(self.loss_weights())

    def initialise(self, backbone: Backbone) -> None:
        """Draw what weights before training need of the pretrained backbone; nothing, unless a head says otherwise."""

    # A video by itself.

    def store(self, features: Tensors) -> Tensors:
        """Return what is kept of each video for the tests, (V, …) each, of what the backbone gives (`Head.needs`).

        Frame features are kept as they are, so that they need not be encoded again where only the head is another. A
        head of maps or tokens keeps what it makes of them, since they are too large to be kept.
        """
        return features

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return what episodes compare of each query video, (V, …) each. Nothing here depends on another video."""
        return stored

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return what episodes compare of each support video, (V, …) each; as of a query, unless a head says otherwise.

        Args:
            stored: what is kept of each video.
            text: (V, D) text features of each video's class.
            shot: K, of the episodes.
        """
        return self.video_stage(stored)

    def class_stage(self, stored: Tensors, text: Tensor) -> Tensors:
        """Return what is compared of each query video with the text of a class, whatever the other classes.

        Episodes find the values of their own classes beside what `video_stage` returns, (B, Q, N, …) each.

        Args:
            stored: what is kept of each video, (V, …) each.
            text: (C, D) text features of classes.

        Returns:
            (V, C, …) each; nothing, unless a head says otherwise.
        """
        return {}

    def makes_prototypes(self, shot: int) -> bool:
        """Tell whether tests of episodes of K shots take the support through `prototypes`, and not `support_stage`."""
        return False

    def prototypes(self, stored: Tensors, text: Tensor, sets: Tensor) -> Tensors:
        """Return what `episode_stage` is given of one class of many episodes, in place of the mean of `support_stage`.

        Args:
            stored: what is kept of videos of the class, (V, …) each.
            text: (D,) text feature of the class.
            sets: (n, K) which videos are the support in each episode.

        Returns:
            (n, …) each.
        """
        raise NotImplementedError

    def support_like_queries(self, shot: int) -> bool:
        """Tell whether both stages are the same in episodes of K shots: then they are computed and kept once."""
        return type(self).support_stage is Head.support_stage

    # An episode.

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Return what of an episode's support depends on the support alone, once for all its queries; as it is given,
        unless a head says otherwise. Arguments as those of `episode_stage`, which is given what this returns.
        """
        return support

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the scores of an episode by name, (B, Q, N) each; larger is more alike.

        Args:
            support: of `support_stage`, (B, N, K, …) each; (B, N, 1, …), the mean over the shots, if the head
                `averages_shots`.
            queries: of `video_stage`, (B, Q, …) each, and of `class_stage`, (B, Q, N, …) each.
            text: (B, N, D) text features of the episode's classes.
        """
        raise NotImplementedError

    def score_weights(self) -> Mapping[str, float]:
        """Return the weight of each score in the decision; those not named have weight 0."""
        return {"few_shot": 1.0}

    def decide(self, scores: Tensors) -> Tensor:
        """Return the logits that an episode's queries are decided by: the weighted sum of scores, (B, Q, N)."""
        return torch.stack([weight * scores[name] for name, weight in self.score_weights().items()]).sum(dim=0)

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return frame features by which single videos are compared, outside of episodes: (V, T, D).

        Args:
            stored: what is kept of each video.
            text: (V, D) text features of each video's class, of support videos.
        """
        return stored["frames"]

    def text_scale(self) -> Tensor | None:
        """Return the trained scale of similarities with class names, where there is one."""
        return None

    def at_once(self, way: int) -> int:
        """Return how many test episodes of a way are compared in one call: in each all classes with all queries."""
        return max(1, self.episodes_at_once * FIVE_WAY // max(way**2, FIVE_WAY))

    def queries_at_once(self, way: int) -> int:
        """Return how many queries of a single test episode are compared in one call."""
        return max(1, self.episodes_at_once * FIVE_WAY // way)

    # Training.

    def merge(self, support: Tensors) -> Tensors:
        """Average the shots of (…, N, K, …) support videos where the head does: → (…, N, 1, …)."""
        return {
            name: videos.mean(dim=2, keepdim=True) if self.averages(name) else videos
            for name, videos in support.items()
        }

    def averages(self, name: str) -> bool:
        """Tell whether `episode_stage` is given the mean of a class's support videos of what has this name."""
        return self.averages_shots and name not in self.shots_apart

    def staged(self, episode: TrainingEpisode) -> tuple[Tensors, Tensors, Tensor]:
        """Return what `episode_stage` is given of a training episode, with B = 1: support, queries, text."""
        shots, asked = episode.split(episode.stored)
        text = episode.text[episode.classes]  # (N, D)
        support = self.support_stage(shots, text.repeat_interleave(episode.shot, dim=0), episode.shot)
        queries = self.video_stage(asked) | self.class_stage(asked, text)
        arranged = self.arranged(episode, support, queries)
        return self.support_together(arranged[0], text.unsqueeze(0)), arranged[1], text.unsqueeze(0)

    def arranged(self, episode: TrainingEpisode, support: Tensors, queries: Tensors) -> tuple[Tensors, Tensors]:
        """Arrange what is compared of a training episode's videos, (N·K, …) and (Q, …), as `episode_stage` takes it."""
        by_class = {name: videos.unflatten(0, (1, episode.way, episode.shot)) for name, videos in support.items()}
        return self.merge(by_class), {name: videos.unsqueeze(0) for name, videos in queries.items()}

    def few_shot_logits(self, support: Tensor, queries: Tensor, text: Tensor) -> Tensor:
        """Return the logits of one episode from what the backbone gives: (N, K, T, …), (Q, T, …), (N, D) → (Q, N).

        Only of a head that asks for one thing: frames, frames before the projection, or maps.
        """
        way, shot = support.shape[:2]
        stored = self.store({self.needs.kind: torch.cat([support.flatten(0, 1), queries])})
        episode = TrainingEpisode(way, shot, stored, torch.arange(way, device=text.device), text)
        return self.decide(self.episode_stage(*self.staged(episode)))[0]

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits of an episode's queries, (Q, N), and losses by name: here one of each score."""
        scores = self.episode_stage(*self.staged(episode))
        judged = (name for name in scores if name != KNOWN)
        return self.decide(scores)[0], {name: self.query_loss(scores[name][0], episode.labels) for name in judged}

    def loss_weights(self) -> Mapping[str, float]:
        """Return the weight of each loss in the total, by its name."""
        return self.score_weights()

    def loss_weights_at(self, shot: int) -> Mapping[str, float]:
        """Return the weights of the losses in episodes of K shots; the same at each, unless a head says otherwise."""
        return self.loss_weights()

    def learning_rate_factors(self) -> Sequence[tuple[nn.Module, float]]:
        """Return parts of the head with a learning rate of their own, as a factor of the head's."""
        return ()

    def query_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of queries, (Q, N) and (Q,) → a scalar, their mean or their sum."""
        return F.cross_entropy(logits, labels, reduction=self.loss_over_queries)


def build_head(components: Components, inputs: Inputs, settings: HeadSettings) -> Head:
    """Build the head of a model: of its folder's `head.py`.

    It is imported by name, so that a trained model depends on the code of its own head and of no other.

    Raises:
        UserError: the settings do not fit what it is given, or there is no such head.
    """
    own = the_class(components.head, "head", Head)
    if components.unknown:
        own = import_module(LEARNS_UNKNOWN).learning(own, settings, components.unknown)
    return own(inputs, settings)
