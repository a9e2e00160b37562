"""The logits of every stored episode, on features of its videos."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsar.episodes.stored import StoredEpisodes
from fsar.job import progress
from fsar.model.head import Head, combined_logits

# Videos modulated in one call; bounds memory.
BATCH = 250

# What a method decides by: the support videos, the class names, or both (`fsar.model.methods.Method`).
DecidesBy = Literal["few-shot", "text", "both"]


@torch.inference_mode()
def episode_logits(
    head: Head,
    episodes: StoredEpisodes,
    video_rows: dict[str, int],
    frames: Tensor,
    class_rows: dict[str, int],
    text: Tensor,
    decides_by: DecidesBy = "few-shot",
) -> Iterator[Tensor]:
    """Compute the logits of every query.

    Args:
        head: in evaluation mode, on the device of the tensors.
        episodes: E episodes of way N with K support videos and Q queries per class; K may be 0 if the text decides.
        video_rows, frames: row of each video in (V, T, D) frame features.
        class_rows, text: row of each class in (C, D) text features.
        decides_by: see `DecidesBy`.

    Yields:
        (B, N·Q, N) logits of some episodes after the other, the queries of each class in turn.
    """
    device = frames.device
    video_row = torch.tensor([video_rows[v] for v in episodes.video_ids], device=device)
    class_row = torch.tensor([class_rows[c] for c in episodes.class_names], device=device)
    support = video_row[torch.from_numpy(episodes.support).to(device)]  # (E, N, K)
    queries = video_row[torch.from_numpy(episodes.queries).to(device)]  # (E, N, Q)
    classes = class_row[torch.from_numpy(episodes.classes).to(device)]  # (E, N)
    few_shot = None if decides_by == "text" else FewShotLogits(head, frames, text, support, classes)

    batch = head.metric.episodes_at_once
    for start in progress(range(0, len(queries), batch), "episodes", "batch"):
        part = slice(start, start + batch)
        asked = queries[part].flatten(1)  # (B, N·Q)
        if few_shot is not None:
            logits = few_shot(part, asked)  # (B, N·Q, N)
        if decides_by != "few-shot":
            text_logits = head.text_logits(frames[asked], text[classes[part]])  # (B, N·Q, N)
            if decides_by == "text":
                logits = text_logits
            else:
                logits = combined_logits(logits, text_logits, head.config.text_weight, frames.shape[1])
        yield logits


def predict(
    head: Head,
    episodes: StoredEpisodes,
    video_rows: dict[str, int],
    frames: Tensor,
    class_rows: dict[str, int],
    text: Tensor,
    decides_by: DecidesBy = "few-shot",
) -> NDArray[np.int64]:
    """Predict the label of every query.

    Args:
        head, episodes, video_rows, frames, class_rows, text, decides_by: as for `episode_logits`.

    Returns:
        (E, N, Q) predicted labels; the true one is the place along N.
    """
    logits = episode_logits(head, episodes, video_rows, frames, class_rows, text, decides_by)
    predicted = torch.cat([part.argmax(dim=-1) for part in logits])
    return predicted.view(episodes.queries.shape).cpu().numpy()


class FewShotLogits:
    """The few-shot logits of many episodes over the same videos, each video modulated as rarely as possible.

    Args:
        head, frames, text: as for `predict`.
        support: (E, N, K) rows of `frames`.
        classes: (E, N) rows of `text`.
    """

    def __init__(self, head: Head, frames: Tensor, text: Tensor, support: Tensor, classes: Tensor):
        self.head, self.text, self.support, self.classes = head, text, support, classes
        # A query's modulation does not depend on its episode, and often neither does a support video's.
        self.queries = _video_by_video(lambda part: head.represent(head.modulate(part)), frames)  # (V, …)
        # What episodes put their prototypes together from, (V, …).
        self.shots, self.modulated = frames, head.modulates_each_shot(support.shape[-1])
        if self.modulated and head.components.text_token:
            class_of = torch.zeros(len(frames), dtype=torch.long, device=frames.device)
            class_of[support] = classes.unsqueeze(-1).expand_as(support)
            represent = head.represent if head.metric.keeps_shots else _as_it_is
            self.shots = _video_by_video(lambda *part: represent(head.modulate(*part)), frames, text[class_of])
        elif self.modulated and head.metric.keeps_shots:
            self.shots = self.queries  # without the text both sides are the same, and kept once
        elif self.modulated and head.temporal_transformer is not None:
            self.shots = _video_by_video(head.modulate, frames)

    def __call__(self, part: slice, asked: Tensor) -> Tensor:
        """Return the logits of some episodes, B of them: `asked` (B, N·Q) rows → (B, N·Q, N)."""
        support, classes = self.support[part], self.classes[part]
        if self.head.metric.keeps_shots:
            return self.head.match(self.queries[asked], self.shots[support])  # (B, N, K, …)
        # Head.prototypes, without a copy of every shot for every episode.
        means = F.embedding_bag(support.flatten(0, 1), self.shots.flatten(1), mode="mean")  # (B·N, T·D)
        prototypes = means.unflatten(1, self.shots.shape[1:])
        if not self.modulated:
            prototypes = _video_by_video(self.head.modulate, prototypes, self.text[classes.flatten()])
        return self.head.match(self.queries[asked], prototypes.unflatten(0, classes.shape))


def _as_it_is(videos: Tensor) -> Tensor:
    return videos


def _video_by_video(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function of videos, (V, …) each, to some at a time: fewer stay in the processor's cache.

    The result is made once: putting parts together afterwards would hold it twice.
    """
    results: Tensor | None = None
    for start in range(0, len(tensors[0]), BATCH):
        part = function(*(tensor[start : start + BATCH] for tensor in tensors))
        if results is None:
            results = part.new_empty(len(tensors[0]), *part.shape[1:])
        results[start : start + len(part)] = part
    assert results is not None  # there are videos
    return results


def correct(predicted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which predictions of `predict` are right: (E, N, Q)."""
    return predicted == np.arange(predicted.shape[1])[:, None]
