"""The logits of every stored episode, computed from stored features."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.kept_features import Features
from fsar.job import progress
from fsar.methods.clip_fsar.decision import combined_logits, text_logits
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.model.finite import check_finite

# Videos per call of a stage; bounds memory.
BATCH = 250

# What a method decides by: the support videos, the class names, or both (`fsar.methods.Method`).
DecidesBy = Literal["few-shot", "text", "both"]


@torch.inference_mode()
def episode_logits(
    head: Head,
    episodes: StoredEpisodes,
    features: Features,
    decides_by: DecidesBy = "few-shot",
    inductive: bool = True,
    subject: str = "",
) -> Iterator[Tensor]:
    """Compute the logits of every query.

    Args:
        head: in evaluation mode, on the device of the tensors.
        episodes: E episodes of way N with K support videos and Q queries per class; K may be 0 if class names decide.
        features: of the videos and classes in them.
        decides_by: see `DecidesBy`.
        inductive: test one query at a time if the head lets queries see one another.
        subject: name of the model, for messages; by default the head's.

    Yields:
        (B, N·Q, N) logits of the next B episodes; queries are ordered by class.

    Raises:
        UserError: a logit is NaN or infinite; no class is ever masked.
    """
    subject = subject or f"The head {head.name}"
    stored, text, device = features.stored, features.text, features.text.device
    video_row = torch.tensor([features.videos[v] for v in episodes.video_ids], device=device)
    class_row = torch.tensor([features.classes[c] for c in episodes.class_names], device=device)
    support = video_row[torch.from_numpy(episodes.support).to(device)]  # (E, N, K)
    queries = video_row[torch.from_numpy(episodes.queries).to(device)]  # (E, N, Q)
    classes = class_row[torch.from_numpy(episodes.classes).to(device)]  # (E, N)
    few_shot = None if decides_by == "text" else FewShotLogits(head, stored, text, support, classes, inductive)

    batch = head.at_once(queries.shape[1])
    for start in progress(range(0, len(queries), batch), "episodes", "batch"):
        part = slice(start, start + batch)
        asked = queries[part].flatten(1)  # (B, N·Q)
        if few_shot is not None:
            logits = few_shot(part, asked)  # (B, N·Q, N)
        if decides_by != "few-shot":
            frames = stored["frames"]
            by_text = text_logits(frames[asked], text[classes[part]], head.text_scale())  # (B, N·Q, N)
            if decides_by == "text":
                logits = by_text
            else:
                logits = combined_logits(logits, by_text, head.text_weight, frames.shape[1])
        own = (episodes.video_ids[row] for row in episodes.queries[part].ravel())
        check_finite(logits.flatten(0, 1), subject, own)
        yield logits


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
        if head.support_like_queries(support.shape[-1]):
            self.shots = self.queries
        else:
            class_of = torch.zeros(len(next(iter(stored.values()))), dtype=torch.long, device=text.device)
            class_of[support] = classes.unsqueeze(-1).expand_as(support)
            self.shots = _video_by_video(partial(head.support_stage, shot=support.shape[-1]), stored, text[class_of])

    def __call__(self, part: slice, asked: Tensor) -> Tensor:
        """Return the logits of some episodes, B of them: `asked` (B, N·Q) rows → (B, N·Q, N)."""
        merged = self._mean_of_shots if self.head.averages_shots else _gathered
        support = {name: merged(videos, self.support[part]) for name, videos in self.shots.items()}
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
        logits = []
        for start in range(0, count, together):
            own = {name: videos[:, start : start + together] for name, videos in queries.items()}
            logits.append(self.head.decide(self.head.episode_stage(support, own, text)))
        return torch.cat(logits, dim=1)

    @staticmethod
    def _mean_of_shots(videos: Tensor, rows: Tensor) -> Tensor:
        """Return `Head.merge` of (B, N, K) rows, → (B, N, 1, …), without a copy of every shot for every episode."""
        means = F.embedding_bag(rows.flatten(0, 1), videos.flatten(1), mode="mean")  # (B·N, …)
        return means.unflatten(1, videos.shape[1:]).unflatten(0, rows.shape[:2]).unsqueeze(2)


def _gathered(videos: Tensor, rows: Tensor) -> Tensor:
    """Return rows of stored features, on the device of `rows`: features too large for a GPU stay in main memory."""
    return videos[rows.to(videos.device)].to(rows.device)


def _video_by_video(stage: Callable[..., Tensors], stored: Tensors, *tensors: Tensor) -> Tensors:
    """Run a stage on videos, (V, …) each, a few at a time, so that they stay in the processor's cache.

    The result is allocated once: joining parts afterwards would hold it twice.
    """
    results: Tensors = {}
    count = len(next(iter(stored.values())))
    for start in range(0, count, BATCH):
        own = slice(start, start + BATCH)
        part = stage({name: videos[own] for name, videos in stored.items()}, *(tensor[own] for tensor in tensors))
        for name, videos in part.items():
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
