"""Encodes training and validation videos once, for heads on a backbone as it is, and stores their features."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from fsar.config import MergedConfig
from fsar.episodes.stored import readable_videos
from fsar.evaluation.encode_videos import EvaluationClips, encode_black, encode_videos, in_batches
from fsar.evaluation.feature_file import write_features
from fsar.fabric import make_fabric
from fsar.files import atomic
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs, Needs, Tensors
from fsar.model.backbone import Backbone, load_backbone
from fsar.shared_memory import shared_memory_told
from fsar.training.clips import TrainingClips, Views
from fsar.training.stored import NOT_STORED
from fsar.videos.store_read import FrameStore

log = logging.getLogger(__name__)


def encode_training(
    settings: MergedConfig, manifest: Path, index: Path, train: Path, val: Path, made: Mapping[str, str]
) -> None:
    """Encode the training videos, in all views, and the validation videos, as in a test, and store what a head asks.

    Where that would take more than `training.stored_gb`, both files say so, and trainings encode their episodes.

    Args:
        settings: of the model: backbone, head, sampling, views.
        manifest, index: of the videos; the shards lie beside the index.
        train, val: files to write.
        made: what the features are made from.

    Raises:
        UserError: the backbone cannot be loaded or does not fit the head, a feature is NaN or infinite, or loader
            processes lack shared memory.
    """
    config = settings.training
    fabric = make_fabric(settings.device, config.float32, config.precision)
    if fabric.device.type == "cpu":
        torch.set_num_threads(config.threads)
    backbone = load_backbone(settings.backbone).requires_grad_(False).eval().to(fabric.device)
    needs = needs_of(backbone, settings)

    def encode(clips: Tensor) -> Tensors:
        with fabric.autocast():
            return backbone.give(clips, needs)

    store, size = FrameStore(index.parent, index), backbone.image_size
    videos = {split: list(readable_videos(manifest, index, split)["video_id"]) for split in ("train", "val")}
    views = Views(TrainingClips(store, config, settings.sampling, size), videos["train"], settings.seed)
    tested = EvaluationClips(store, videos["val"], settings.sampling, size, settings.seed)
    each = sum(4 * given[0].numel() for given in encode_black(encode, views, fabric.device).values())
    if not _fits(each, views, tested, config.stored_gb, (train, val)):
        return
    workers = 0 if fabric.device.type == "cpu" else config.threads - 1
    sizes = Inputs(backbone.width_of(needs), settings.sampling.frames, transformer=backbone.transformer_sizes)
    for clips, names, path in ((views, videos["train"], train), (tested, videos["val"], val)):
        with shared_memory_told("set training.threads to 1, and frames are read in the job's own process"):
            given = encode_videos(encode, in_batches(clips, fabric.device, workers), fabric.device, backbone.subject)
        write_features(path, names, given, [], torch.empty(0, 0), sizes, made)


def needs_of(backbone: Backbone, settings: MergedConfig) -> Needs:
    """Return what a model's head asks of a backbone; of tokens, its settings say of which layers."""
    needs = Needs(settings.components.needs)
    if needs.kind != "tokens":
        return needs
    inputs = Inputs(backbone.width_of(needs), settings.sampling.frames, transformer=backbone.transformer_sizes)
    return build_head(settings.components, inputs, settings.head).needs


def _fits(each: int, views: Views, tested: EvaluationClips, most: float, paths: tuple[Path, Path]) -> bool:
    """Tell the size of the features, `each` bytes of a clip; where it is too large, write that in place of them."""
    told = (
        f"the features of {views.videos:,} training videos, {len(views) // max(views.videos, 1)} views each, and of "
        f"{tested.videos:,} validation videos take {(total := each * (len(views) + len(tested))) / 1e9:.3g} GB"
    )
    if total <= most * 1e9:
        log.info("%s", told)
        return True
    told += (
        f", more than training.stored_gb, {most:g}: trainings encode the videos of each episode. To store them, raise "
        f"it and delete {paths[0]}"
    )
    log.warning("%s", told)
    for path in paths:
        with atomic(path) as temporary:
            temporary.write_bytes(NOT_STORED + f": {told}\n".encode())
    return False
