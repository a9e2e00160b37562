"""The features of a split's videos and class names, encoded and stored."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import torch
from torch import Tensor, nn

from fsar.config import SamplingConfig, TextConfig
from fsar.episodes.stored import readable_videos
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.evaluation.feature_file import FeatureSizes, write_features
from fsar.fabric import Float32, one_device
from fsar.methods import Components
from fsar.methods.adapters import insert_adapters
from fsar.methods.needs import Needs, Tensors
from fsar.methods.record import AdapterSettings, HeadSettings, Kind
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel, load_backbone_parts, load_weights
from fsar.model.text import encode_classes, no_text
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


def load_encoder(
    backbone: Backbone,
    components: Components,
    settings: HeadSettings,
    frames: int,
    trained: Path | None,
    adapters: AdapterSettings | None = None,
) -> Encoder:
    """Load the encoder of videos and class names for a model.

    Args:
        backbone: as pretrained.
        components, settings: of the model's head.
        frames: T.
        trained: the trained weights, if there are any.
        adapters: settings of the model's adapters, if it has any.

    Raises:
        UserError: the weights cannot be read, or are of another model.
    """
    if components.stores_its_own:
        model = FewShotModel(backbone, components, settings, frames, adapters=adapters)
        if trained is not None:
            load_weights(model, trained)
        return Encoder(backbone, model=model)
    if adapters is not None:
        insert_adapters(components.adapters, backbone, frames, adapters)
    if trained is not None:
        load_backbone_parts(backbone, components, trained)
    return Encoder(backbone, components.needs)


def encode_split(
    model: Encoder,
    manifest: Path,
    index: Path,
    split: str,
    sampling: SamplingConfig,
    text: TextConfig,
    seed: int,
    device: str,
    float32: Float32,
    threads: int,
    path: Path,
    each_text: bool = False,
    made: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Encode the readable videos and the class names of a split, and store them.

    Args:
        model: the encoder.
        manifest, index, split: which videos; the shards lie beside the index.
        sampling, seed: which frames of them.
        text: how class names become text, for a backbone that has a text encoder.
        device: auto, cpu or cuda.
        float32: how a GPU multiplies.
        threads: cores; on a GPU they read frames, on the CPU they compute.
        path: safetensors file to write.
        each_text: keep the features of each text of a class, not their mean.
        made: what they are made from (`fsar.evaluation.made_from`).
    """
    where = one_device(device, float32, threads)
    model = model.eval().to(where)
    backbone = model.backbone
    videos = readable_videos(manifest, index, split)
    video_ids, stored = encode_table(model.encode, backbone, videos, index, sampling, seed, where, threads)
    class_names = sorted(videos["class_name"].unique())
    encoded = no_text(class_names)
    if backbone.has_text:
        encoded = encode_classes(backbone, class_names, text, each_text).cpu()
    sizes = FeatureSizes(model.width, sampling.frames, backbone.transformer_sizes)
    write_features(path, video_ids, stored, class_names, encoded, sizes, made)
    log.info("encoded %d videos of %d classes", len(video_ids), len(class_names))


def encode_table(
    encode: Callable[[Tensor], Tensors],
    backbone: Backbone,
    videos: pd.DataFrame,
    index: Path,
    sampling: SamplingConfig,
    seed: int,
    where: torch.device,
    threads: int,
) -> tuple[list[str], Tensors]:
    """Encode every video of a table of readable ones.

    Args:
        encode: as `fsar.evaluation.encode_videos.encode_videos` takes it.
        backbone: its image size is the window that is cut.
        videos, index: which videos; the shards lie beside the index.
        sampling, seed: which frames of them.
        where: the device of the model.
        threads: cores; on a GPU they read frames, on the CPU they compute.

    Returns:
        Their ids, and their features in that order, (V, …) each; with several views (`sampling.views`), those of each
        after those of the one before.

    Raises:
        UserError: a feature is NaN or infinite, or loader processes lack shared memory.
    """
    video_ids = list(videos["video_id"])
    store = FrameStore(index.parent, index)
    workers = 0 if where.type == "cpu" else threads - 1
    clips = load_clips(store, video_ids, sampling, backbone.image_size, seed, where, workers, sampling.draws)
    with shared_memory_told("set training.threads to 1, and frames are read in the job's own process"):
        return video_ids, encode_videos(encode, clips, where, backbone.subject)
