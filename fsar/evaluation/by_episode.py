"""Tests of a model whose features depend on the episode: videos are encoded and compared in one job, without a file.

What does not depend on other videos (`fsar.model.in_episode`) is computed once and kept in memory: as a file it
would take megabytes per video and trained model.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import torch

from fsar.config import MergedConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.evaluate import PlannedTest, write_predictions
from fsar.evaluation.features import encode_tests
from fsar.fabric import one_device
from fsar.methods.needs import TransformerSizes
from fsar.model.few_shot import FewShotModel

log = logging.getLogger(__name__)


def evaluate_part(
    model: FewShotModel,
    settings: MergedConfig,
    tests: Sequence[PlannedTest],
    manifest: Path,
    index: Path,
    part: tuple[int, int],
    path: Path,
    made: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Test on a part of the episodes, and write the predictions.

    Args:
        model: with its trained weights.
        settings: of the model.
        tests: what to test with.
        manifest, index: the test videos; the shards lie beside the index.
        part: which of how many parts.
        path: Parquet file to write.
        made: what the predictions are made from (`fsar.evaluation.made_from`).
    """
    where = one_device(settings.device, settings.training.float32, settings.training.threads)
    model = model.eval().to(where)
    _tell_cost(model, tests, part[1])
    features = encode_tests(model, settings, manifest, index, where)
    with torch.inference_mode():
        write_predictions(model.tested_head(), tests, features, path, part, made)


def _tell_cost(model: FewShotModel, tests: Sequence[PlannedTest], parts: int) -> None:
    sizes, adapters = model.backbone.transformer_sizes, model.backbone.adapters
    assert sizes is not None and adapters is not None
    blocks = sizes.depth - adapters.first_across
    for test in tests:
        episodes = StoredEpisodes.read(test.episodes)
        asked = episodes.queries[0].size + episodes.unknown.shape[1]
        videos = len(episodes.queries) * (episodes.support[0].size + asked)
        flop = videos * blocks * flop_of_block(sizes, model.inputs.frames)
        log.info(
            "%s, %d-way %d-shot: %d videos of %d episodes through the last %d of %d blocks, about %.3g TFLOP, "
            "of which this job does a part in %d",
            test.method, test.way, test.shot, videos, len(episodes.queries), blocks, sizes.depth, flop / 1e12, parts,
        )  # fmt: skip


def flop_of_block(sizes: TransformerSizes, frames: int) -> float:
    """Return the FLOP per video of a block whose attention runs three times: along space, time and videos.

    Only matrix products count: four of W × W for each attention, two of W × 4W, and attention among a frame's tokens.
    """
    tokens = 1 + sizes.patches
    per_token = 3 * 4 * sizes.width**2 + 8 * sizes.width**2 + 2 * tokens * sizes.width
    return 2.0 * frames * tokens * per_token
