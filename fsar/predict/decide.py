"""From what is kept of clips to logits, with any number of examples in each class, by every inductive method.

Shapes: classes N, examples K of a class, clips V, queries Q, frames T, joint space D, texts of a class S.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fsar.evaluation.episode_logits import DecidesBy
from fsar.methods.clip_fsar.decision import combined_logits, text_logits
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.methods.otam.record import OtamConfig
from fsar.model.finite import check_finite
from fsar.model.in_episode import InEpisode

# What is kept of a clip, beside what the head asks for, to be compared with texts: (T, D) frames in the joint space.
JOINT = "joint"


def rows(stored: Tensors, numbers: Sequence[int]) -> Tensors:
    """Return some of the clips, in this order: (V, …) each → (len(numbers), …) each."""
    chosen = torch.tensor(numbers, dtype=torch.long)
    return {name: each[chosen.to(each.device)] for name, each in stored.items()}


@dataclass(frozen=True)
class Group:
    """Classes that are compared with queries in one call.

    Attributes:
        places: where they stand among the classes of the support.
        merged: what queries are compared with, (1, n, K, …) each; (1, n, 1, …) where shots are averaged.
        text: (n, D) or (n, S, D) of the classes.
    """

    places: list[int]
    merged: Tensors
    text: Tensor


@dataclass(frozen=True)
class Support:
    """The examples of some classes, ready to be compared with.

    Attributes:
        classes: their numbers.
        groups: together all classes.
    """

    classes: list[int]
    groups: list[Group]


class Decision:
    """How labels are decided.

    Args:
        head: as the model's tests have it, in evaluation mode.
        decides_by: the examples (few-shot), the class names (text), or both.
        text: (N, D) text features of the classes, (N, S, D) for a head that looks at each text; (N, 0) where no text is
            looked at.
        text_scale: CLIP's own scale of similarities with texts, where the head has trained none.
        subject: the model, for messages.
    """

    def __init__(self, head: Head, decides_by: DecidesBy, text: Tensor, text_scale: float = 1.0, subject: str = ""):
        self.across = head if isinstance(head, InEpisode) else None
        self.head = head.head if isinstance(head, InEpisode) else head
        self.decides_by, self.text, self.text_scale = decides_by, text, text_scale
        self.subject = subject or "The model"

    @property
    def classes_apart(self) -> bool:
        """Whether what a class says of a query does not depend on which other examples there are."""
        return self.head.classes_apart and self.across is None

    @torch.inference_mode()
    def queries(self, stored: Tensors) -> Tensors:
        """Return clips as queries have them: where videos look at one another, each by itself."""
        if self.across is None:
            return stored
        alone = [self.across.frames_of(rows(stored, [number])) for number in range(_count(stored))]
        return {"frames": torch.cat(alone)} if alone else {"frames": self.text.new_empty(0)}

    @torch.inference_mode()
    def support(
        self, stored: Tensors, members: Sequence[Sequence[int]], classes: Sequence[int] | None = None
    ) -> Support:
        """Make ready what queries are compared with.

        A method that compares classes with one another needs as many examples of each: where some have fewer, theirs
        are taken again in turn.

        Args:
            stored: what is kept of clips, (V, …) each.
            members: the numbers of each class's examples, at least one.
            classes: which classes they are of; all, in their order, without it.
        """
        classes = list(range(len(self.text)) if classes is None else classes)
        if self.decides_by == "text":
            return Support(classes, [])
        if self.across is not None:
            flat = sorted({number for own in members for number in own})
            stored = {"frames": self.across.frames_of(rows(stored, flat))}
            members = [[flat.index(number) for number in own] for own in members]
        if not self.head.classes_apart:
            most = max(map(len, members))
            members = [[own[place % len(own)] for place in range(most)] for own in members]
        merged = [self._merged(label, rows(stored, own)) for label, own in zip(classes, members, strict=True)]
        alike: dict[object, list[int]] = {}  # classes with other numbers of examples may be compared otherwise
        for place, one in enumerate(merged):
            alike.setdefault(tuple((name, part.shape) for name, part in one.items()), []).append(place)
        groups = []
        for places in alike.values():
            text = self.text[[classes[place] for place in places]]
            own = {name: torch.stack([merged[p][name] for p in places]).unsqueeze(0) for name in merged[places[0]]}
            groups.append(Group(places, self.head.support_together(own, text.unsqueeze(0)), text))
        return Support(classes, groups)

    def _merged(self, label: int, shots: Tensors) -> Tensors:
        """Return what queries are compared with of a class, of its examples, (K, …) each → (K or 1, …) each."""
        count = _count(shots)
        text = self.text[[label]].expand(count, *self.text.shape[1:])
        staged = self.head.support_stage(shots, text, count)
        merged = self.head.merge({name: videos[None, None] for name, videos in staged.items()})
        return {name: videos[0, 0] for name, videos in merged.items()}

    @torch.inference_mode()
    def few_shot(self, support: Support, queries: Tensors) -> Tensor:
        """Return the logits of the examples alone: of `queries`, (Q, …) each → (Q, len(support.classes))."""
        at_once = self.head.episodes_at_once if self.head.queries_apart else 1
        parts = [
            self._compare(support, {name: each[start : start + at_once] for name, each in queries.items()})
            for start in range(0, _count(queries), at_once)
        ]
        if not parts:
            return self.text.new_empty(0, len(support.classes))
        return torch.cat(parts)

    def _compare(self, support: Support, queries: Tensors) -> Tensor:
        staged = {name: each.unsqueeze(0) for name, each in self.head.video_stage(queries).items()}
        logits = torch.empty(_count(queries), len(support.classes), device=self.text.device)
        for group in support.groups:
            by_class = {name: each.unsqueeze(0) for name, each in self.head.class_stage(queries, group.text).items()}
            scores = self.head.episode_stage(group.merged, staged | by_class, group.text.unsqueeze(0))
            logits[:, group.places] = self.head.decide(scores)[0]
        check_finite(logits, f"{self.subject}, comparing clips,")
        return logits

    @torch.inference_mode()
    def by_text(self, queries: Tensors, classes: Sequence[int] | None = None) -> Tensor:
        """Return the logits of the class names alone, (Q, N), as the workflow's tests have them."""
        text = self.text if classes is None else self.text[list(classes)]
        mean = text.mean(dim=1) if text.dim() == 3 else text
        return text_logits(self.joint(queries), mean, self.head.text_scale())

    def joint(self, queries: Tensors) -> Tensor:
        """Return the frames in the joint space, (Q, T, D)."""
        return queries[JOINT] if JOINT in queries else queries["frames"]

    @torch.inference_mode()
    def combine(self, few_shot: Tensor | None, queries: Tensors, classes: Sequence[int] | None = None) -> Tensor:
        """Put the logits of the examples, (Q, n), and those of the class names together as `decides_by` says."""
        if self.decides_by == "few-shot":
            assert few_shot is not None
            return few_shot
        text = self.by_text(queries, classes)
        if few_shot is None:
            return text
        frames = self.joint(queries).shape[1]
        return combined_logits(few_shot, text * self._missing_scale(), self.head.text_weight, self._per_frame(frames))

    @torch.inference_mode()
    def nearness(self, few_shot: Tensor | None, queries: Tensors, classes: Sequence[int] | None = None) -> Tensor:
        """Return how near each class is, before classes are held against one another: (Q, n).

        What `combine` returns says which class is nearest, not how near: the combined logits of a clip add up to one
        probability, whatever it shows. Arguments as those of `combine`.
        """
        if self.decides_by != "both":
            return self.combine(few_shot, queries, classes)
        assert few_shot is not None
        frames, weight = self._per_frame(self.joint(queries).shape[1]), self.head.text_weight
        return weight * self.by_text(queries, classes) * self._missing_scale() + (1 - weight) * few_shot / frames

    def scaled(self, logits: Tensor) -> Tensor:
        """Return logits whose softmax are the scores of classes: (Q, N) → (Q, N).

        Logits are taken as training took them. Class names without a trained scale have CLIP's own: their plain cosines
        differ by hundredths, and would give every class the same score.
        """
        return logits * (self._missing_scale() if self.decides_by == "text" else 1.0)

    def _missing_scale(self) -> float:
        return self.text_scale if self.head.text_scale() is None else 1.0

    def _per_frame(self, frames: int) -> int:
        """Return what logits of the examples are divided by: distances of matched frames add up over T frames."""
        return frames if isinstance(self.head.settings, OtamConfig) else 1


def _count(stored: Tensors) -> int:
    return len(next(iter(stored.values())))
