"""The features of test or validation videos and of the names of their classes, encoded and stored."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from fsar.config import MergedConfig
from fsar.episodes.stored import readable_videos
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.evaluation.feature_file import write_features
from fsar.evaluation.kept_features import Features, rows_of
from fsar.fabric import one_device
from fsar.methods.adapters import insert_adapters
from fsar.methods.needs import Inputs, Needs, Tensors
from fsar.methods.settings import Kind
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel, load_backbone_parts, load_weights
from fsar.model.text import can_read, encode_classes, looks_of, no_text
from fsar.shared_memory import shared_memory_told
from fsar.videos.store_read import FrameStore

log = logging.getLogger(__name__)


class Encoder(nn.Module):
    """Turns videos into the features that tests need.

    Heads that use frame features keep them unchanged, so these heads play no part here.

    Args:
        backbone: with its trained weights or adapters, if any were trained.
        kind: which features: of frames, or of frames before the projection.
        model: the whole model, if its head computes the features.
    """

    def __init__(self, backbone: Backbone, kind: Kind = "frames", model: FewShotModel | None = None):
        super().__init__()
        self.backbone, self.kind, self.model = backbone, kind, model
        self.width = model.inputs.width if model else backbone.width_of(Needs(kind))

    def encode(self, videos: Tensor) -> Tensors:
        """Encode videos, (V, T, H, W, 3) RGB bytes → (V, …) tensors by name."""
        return self.model.encode(videos) if self.model else self.backbone.give(videos, Needs(self.kind))


def load_encoder(backbone: Backbone, settings: MergedConfig, trained: Path | None) -> Encoder:
    """Load the encoder of videos and class names for a model.

    Args:
        backbone: as pretrained.
        settings: of the model.
        trained: the trained weights, if there are any.

    Raises:
        UserError: the weights cannot be read, or are of another model.
    """
    components, frames, adapters = settings.components, settings.sampling.frames, settings.adapters
    if components.stores_its_own:
        model = FewShotModel(backbone, components, settings.head, frames, adapters=adapters)
        if trained is not None:
            load_weights(model, trained)
        return Encoder(backbone, components.needs, model)
    if adapters is not None:
        insert_adapters(components.adapters, backbone, frames, adapters)
    if trained is not None:
        load_backbone_parts(backbone, components, trained)
    return Encoder(backbone, components.needs)


def encode_tests(
    model: Encoder | FewShotModel,
    settings: MergedConfig,
    manifest: Path,
    index: Path,
    where: torch.device,
    split: str = "test",
) -> Features:
    """Encode the readable videos of a split, as tests look at them, and the names of their classes.

    Args:
        model: what encodes.
        settings: of the model: frames that are looked at, texts, threads. On a GPU the threads read frames, on the
            CPU they compute.
        manifest, index: of the videos; the shards lie beside the index.
        where: the device of the model.
        split: whose videos.

    Raises:
        UserError: a feature is NaN or infinite, or loader processes lack shared memory.
    """
    backbone, videos = model.backbone, readable_videos(manifest, index, split)
    video_ids, class_names = list(videos["video_id"]), sorted(videos["class_name"].unique())
    workers = 0 if where.type == "cpu" else settings.training.threads - 1
    store = FrameStore(index.parent, index)
    views = settings.sampling.draws
    clips = load_clips(store, video_ids, settings.sampling, backbone.image_size, settings.seed, where, workers, views)
    with shared_memory_told("set training.threads to 1, and frames are read in the job's own process"):
        stored = encode_videos(model.encode, clips, where, backbone.subject)
    text, looks = no_text(class_names), looks_of(settings.components)
    if can_read(backbone, looks):
        text = encode_classes(backbone, class_names, settings.text, looks)
    log.info("encoded %d videos of %d classes", len(video_ids), len(class_names))
    return Features(rows_of(video_ids), stored, rows_of(class_names), text)


def encode_split(
    model: Encoder,
    settings: MergedConfig,
    manifest: Path,
    index: Path,
    path: Path,
    made: Mapping[str, str] = MappingProxyType({}),
    split: str = "test",
) -> None:
    """Encode the videos of a split and the names of their classes, and store them."""
    where = one_device(settings.device, settings.training.float32, settings.training.threads)
    videos, stored, classes, text = encode_tests(model.eval().to(where), settings, manifest, index, where, split)
    steps = model.backbone.steps(settings.sampling.frames, Needs(model.kind))
    sizes = Inputs(model.width, steps, transformer=model.backbone.transformer_sizes)
    write_features(path, list(videos), stored, list(classes), text.cpu(), sizes, made)
