"""How much class names count beside the support, chosen on validation classes: never on those of the test."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.episode_logits import episode_logits
from fsar.evaluation.kept_features import Features
from fsar.methods.head import Head

log = logging.getLogger(__name__)
WEIGHTS = tuple(number / 20 for number in range(21))


@torch.inference_mode()
def best_text_weight(head: Head, episodes: StoredEpisodes, features: Features) -> tuple[float, float]:
    """Return the weight with which most queries are taken for what they are, and the share of these.

    Of equals the weight nearest to one half. The head is left with the weight.

    Args:
        head: whose logits are (1 − w) times those of the support plus w times those of the class names, with
            w = `text_weight`; in evaluation mode, where the features are.
        episodes: of validation classes.
        features: of their videos and classes, in every draw of frames.
    """
    alone = []  # of the support, and of the class names: (queries, N) each
    for weight in (0.0, 1.0):
        head.text_weight = weight
        found = [part.flatten(0, 1) for view in features.views for part in episode_logits(head, episodes, view)]
        alone.append(torch.cat(found))
    by_support, by_names = alone
    way, queries = episodes.queries.shape[1:]
    labels = torch.arange(way, device=by_names.device).repeat_interleave(queries)  # of an episode
    labels = labels.repeat(len(by_names) // len(labels))
    right = {
        weight: int((torch.lerp(by_support, by_names, weight).argmax(dim=-1) == labels).sum()) for weight in WEIGHTS
    }
    best = max(WEIGHTS, key=lambda weight: (right[weight], -abs(weight - 0.5)))
    head.text_weight = best
    return best, right[best] / len(labels)


def text_weights(head: Head, features: Features, validation: Sequence[Path]) -> dict[int, float]:
    """Return the best weight for each shot of the validation episodes.

    Args:
        head, features: as of `best_text_weight`.
        validation: stored episodes of the validation classes, a file for each shot.
    """
    chosen = {}
    for path in validation:
        episodes = StoredEpisodes.read(path)
        way, shot = episodes.support.shape[1:]
        chosen[shot], right = best_text_weight(head, episodes, features)
        log.info("text weight %.2f at %d-shot: %.4f of %d-way validation queries", chosen[shot], shot, right, way)
    return chosen
