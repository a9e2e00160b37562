"""The logits of every stored episode, computed from stored features."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.kept_features import Features
from fsar.job import progress
from fsar.methods.clip_fsar.decision import combined_logits, text_logits
from fsar.methods.head import KNOWN, Head
from fsar.methods.needs import Tensors
from fsar.model.finite import check_finite

_NONE = np.empty((0, 0), np.int64)
# Videos per call of a stage; bounds memory.
BATCH = 250
# Prototypes made together and held: those of 10,000 five-way episodes, which for EMP-Net are 2.5 GB at 512 numbers.
PROTOTYPES = 50_000

# What a method decides by: the support videos, the class names, or both (`fsar.methods.Method`).
DecidesBy = Literal["few-shot", "text", "both"]


class Answers(NamedTuple):
    """What a method says of queries.

    Attributes:
        logits: (B, Q, N), by which it decides.
        few_shot: (B, Q, N) logits of the support alone; None where it decides by class names.
        text: (B, Q, N) logits of the class names alone; None where it decides by the support.
        known: (B, Q) how sure its head is that a query is of one of the classes; None where the head has not learnt it.
    """

    logits: Tensor
    few_shot: Tensor | None = None
    text: Tensor | None = None
    known: Tensor | None = None

    def joined(self, other: "Answers") -> "Answers":
        """Return what is said of these queries and then of others of the same episodes."""
        pairs = zip(self, other, strict=True)
        return Answers(*(None if a is None or b is None else torch.cat([a, b], dim=1) for a, b in pairs))  # type: ignore[arg-type]


@torch.inference_mode()
def episode_logits(
    head: Head,
    episodes: StoredEpisodes,
    features: Features,
    decides_by: DecidesBy = "few-shot",
    inductive: bool = True,
    subject: str = "",
) -> Iterator[Tensor]:
    """Compute the logits of every query, as `episode_answers` does; known queries alone.

    Yields:
        (B, N·Q, N) logits of the next B episodes; queries are ordered by class.
    """
    for answers in episode_answers(head, replace(episodes, unknown=_NONE), features, decides_by, inductive, subject):
        yield answers.logits


@torch.inference_mode()
def episode_answers(
    head: Head,
    episodes: StoredEpisodes,
    features: Features,
    decides_by: DecidesBy = "few-shot",
    inductive: bool = True,
    subject: str = "",
) -> Iterator[Answers]:
    """Compute what a method says of every query.

    What is said of a known query is the same to the last digit with and without unknown ones.

    Args:
        head: in evaluation mode, on the device of the tensors.
        episodes: E episodes of way N with K support videos and Q queries per class; K may be 0 if class names decide.
        features: of the videos and classes in them.
        decides_by: see `DecidesBy`.
        inductive: test one query at a time if the head lets queries see one another.
        subject: name of the model, for messages; by default the head's.

    Yields:
        what is said in the next B episodes: of the N·Q known queries by class, and then of the U unknown ones.

    Raises:
        UserError: a logit is NaN or infinite; no class is ever masked.
    """
    stored, text = features.stored, features.text
    support, queries, unknown, classes = _rows(episodes, features)
    few_shot = None if decides_by == "text" else FewShotLogits(head, stored, text, support, classes, inductive)

    def answers(part: slice, asked: Tensor) -> Answers:
        """Return what is said of (B, Q) rows."""
        by_support, known = few_shot(part, asked) if few_shot is not None else (None, None)  # (B, Q, N), (B, Q)
        by_text = None
        if decides_by != "few-shot":
            by_text = text_logits(stored["frames"][asked], text[classes[part]], head.text_scale())  # (B, Q, N)
        if by_support is None or by_text is None:
            logits = by_text if by_support is None else by_support
            assert logits is not None
        else:
            logits = combined_logits(by_support, by_text, head.text_weight, stored["frames"].shape[1])
        return Answers(logits, by_support, by_text, known)

    one_another = few_shot is not None and not (head.queries_apart or few_shot.alone)
    batch = head.at_once(queries.shape[1])
    for start in progress(range(0, len(queries), batch), "episodes", "batch"):
        part = slice(start, start + batch)
        asked = queries[part].flatten(1)  # (B, N·Q)
        found, own = answers(part, asked), episodes.queries[part].reshape(len(asked), -1)
        if unknown.shape[1]:
            further = _in_place_of_known(answers, part, asked, unknown[part]) if one_another else None
            found = found.joined(further or answers(part, unknown[part]))
            own = np.concatenate([own, episodes.unknown[part]], axis=1)
        check_finite(
            found.logits.flatten(0, 1),
            subject or f"The head {head.name}",
            (episodes.video_ids[row] for row in own.ravel()),
        )
        yield found


def _rows(episodes: StoredEpisodes, features: Features) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the rows of features: support (E, N, K), known queries (E, N, Q), unknown ones (E, U), classes (E, N)."""
    device = features.text.device
    videos = torch.tensor([features.videos[v] for v in episodes.video_ids], device=device)
    of_classes = torch.tensor([features.classes[c] for c in episodes.class_names], device=device)
    asked = (torch.from_numpy(own).to(device) for own in (episodes.support, episodes.queries, episodes.unknown))
    support, queries, unknown = (videos[own] for own in asked)
    return support, queries, unknown, of_classes[torch.from_numpy(episodes.classes).to(device)]


def _in_place_of_known(
    answers: Callable[[slice, Tensor], Answers], part: slice, asked: Tensor, unknown: Tensor
) -> Answers:
    """Ask each unknown query in place of one known query, where those of an episode see one another.

    So a head meets as many queries as without it.

    Args:
        answers: says of which episodes and (B, N·Q) rows.
        part: the episodes.
        asked: (B, N·Q) rows of the known queries.
        unknown: (B, U) rows.
    """
    found: Answers | None = None
    for number in range(unknown.shape[1]):
        place = number % asked.shape[1]
        own = torch.cat([asked[:, :place], unknown[:, [number]], asked[:, place + 1 :]], dim=1)
        one = Answers(*(None if each is None else each[:, [place]] for each in answers(part, own)))  # type: ignore[arg-type]
        found = one if found is None else found.joined(one)
    assert found is not None
    return found


def predict(head: Head, episodes: StoredEpisodes, features: Features) -> NDArray[np.int64]:
    """Return the predicted label of every query by the support videos, (E, N, Q); the true one is the index along N."""
    predicted = torch.cat([part.argmax(dim=-1) for part in episode_logits(head, episodes, features)])
    return predicted.view(episodes.queries.shape).cpu().numpy()


class FewShotLogits:
    """The few-shot logits of many episodes over the same videos. Each video goes through each stage once.

    Args:
        head: as for `episode_logits`.
        stored, text: as of `Features`.
        support: (E, N, K) rows of `stored`.
        classes: (E, N) rows of `text`.
        inductive: as for `episode_logits`.
    """

    def __init__(
        self, head: Head, stored: Tensors, text: Tensor, support: Tensor, classes: Tensor, inductive: bool = True
    ):
        self.head, self.text, self.support, self.classes = head, text, support, classes
        self.alone = inductive and not head.queries_apart and not head.queries_together
        self.queries = _video_by_video(head.video_stage, stored)
        self.by_class = _video_by_video(partial(head.class_stage, text=text), stored)
        self.stored, self.first = stored, 0
        self.made: Tensors = {}  # prototypes of the episodes from the first on
        self.makes_prototypes = head.makes_prototypes(support.shape[-1])
        self.shots: Tensors = {}
        if head.support_like_queries(support.shape[-1]):
            self.shots = self.queries
        elif not self.makes_prototypes:
            class_of = torch.zeros(len(next(iter(stored.values()))), dtype=torch.long, device=text.device)
            class_of[support] = classes.unsqueeze(-1).expand_as(support)
            self.shots = _video_by_video(partial(head.support_stage, shot=support.shape[-1]), stored, text[class_of])

    def __call__(self, part: slice, asked: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what is said in some episodes, B of them, of `asked`, (B, Q) rows.

        Returns:
            (B, Q, N) logits; and (B, Q), how sure the head is that each is known, where it has learnt that.
        """
        if self.makes_prototypes:
            support = self._prototypes(part)
        else:
            support = {
                name: (self._mean_of_shots if self.head.averages(name) else _gathered)(videos, self.support[part])
                for name, videos in self.shots.items()
            }
        queries = {name: _gathered(videos, asked) for name, videos in self.queries.items()}
        classes = self.classes[part]  # (B, N)
        own = {name: values[asked.unsqueeze(-1), classes.unsqueeze(1)] for name, values in self.by_class.items()}
        queries |= own  # (B, N·Q, N, …) each
        text = self.text[classes]
        support = self.head.support_together(support, text)
        # Of heads whose queries see one another each in an episode of its own, one after the other; of a single episode
        # of many classes a part of the queries. So memory does not grow.
        count, together = asked.shape[1], asked.shape[1]
        if self.alone:
            together = 1
        elif self.head.queries_apart and len(asked) == 1:
            together = self.head.queries_at_once(classes.shape[1])
        found = []
        for start in range(0, count, together):
            own = {name: videos[:, start : start + together] for name, videos in queries.items()}
            found.append(self._decided(self.head.episode_stage(support, own, text)))
        known = [own for _, own in found if own is not None]
        return torch.cat([logits for logits, _ in found], dim=1), torch.cat(known, dim=1) if known else None

    def _prototypes(self, part: slice) -> Tensors:
        """Return `Head.prototypes` of some episodes, (B, N, 1, …) each, made together with those of the next ones."""
        start, end, _ = part.indices(len(self.support))
        count = len(next(iter(self.made.values()))) if self.made else 0
        if not self.first <= start < end <= self.first + count:
            self.first = start
            block = slice(start, max(end, start + PROTOTYPES // self.support.shape[1]))
            self.made = _prototypes(self.head, self.stored, self.text, self.support[block], self.classes[block])
        own = slice(start - self.first, end - self.first)
        return {name: each[own].unsqueeze(2) for name, each in self.made.items()}

    def _decided(self, scores: Tensors) -> tuple[Tensor, Tensor | None]:
        """Return the logits that scores are decided by; and how sure the head is that queries are known."""
        known = scores.get(KNOWN)
        return self.head.decide(scores), None if known is None else known.squeeze(-1)

    @staticmethod
    def _mean_of_shots(videos: Tensor, rows: Tensor) -> Tensor:
        """Return `Head.merge` of (B, N, K) rows, → (B, N, 1, …), without a copy of every shot for every episode."""
        means = F.embedding_bag(rows.flatten(0, 1), videos.flatten(1), mode="mean")  # (B·N, …)
        return means.unflatten(1, videos.shape[1:]).unflatten(0, rows.shape[:2]).unsqueeze(2)


def _gathered(videos: Tensor, rows: Tensor) -> Tensor:
    """Return rows of stored features, on the device of `rows`: features too large for a GPU stay in main memory."""
    return videos[rows.to(videos.device)].to(rows.device)


def _prototypes(head: Head, stored: Tensors, text: Tensor, support: Tensor, classes: Tensor) -> Tensors:
    """Return `Head.prototypes` of episodes, (E, N, …) each.

    Args:
        head, stored, text, support, classes: as of `FewShotLogits`.
    """
    made: Tensors = {}
    for label in classes.unique().tolist():
        places = classes == label  # (E, N)
        videos, sets = support[places].unique(return_inverse=True)
        own = {name: each[videos.to(each.device)] for name, each in stored.items()}
        for name, each in head.prototypes(own, text[label], sets).items():
            if name not in made:
                made[name] = each.new_empty(*classes.shape, *each.shape[1:])
            made[name][places] = each
    return made


def _video_by_video(stage: Callable[..., Tensors], stored: Tensors, *tensors: Tensor) -> Tensors:
    """Run a stage on videos, (V, …) each, a few at a time, so that they stay in the processor's cache.

    The result is allocated once: joining parts afterwards would hold it twice. What a stage returns as it was given is
    not copied: tokens of all videos may fill a GPU.
    """
    results: Tensors = {}
    count = len(next(iter(stored.values())))
    for start in range(0, count, BATCH):
        own = slice(start, start + BATCH)
        given = {name: videos[own] for name, videos in stored.items()}
        for name, videos in stage(given, *(tensor[own] for tensor in tensors)).items():
            if videos is given.get(name):
                results[name] = stored[name]
                continue
            if start == 0 and len(videos) < count:
                results[name] = videos.new_empty(count, *videos.shape[1:])
            if len(videos) == count:
                results[name] = videos
            else:
                results[name][own] = videos
    return results


def correct(predicted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which predictions of `predict` are correct: (E, N, Q)."""
    return predicted == np.arange(predicted.shape[1])[:, None]
