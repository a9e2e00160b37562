"""The features of a split's videos and class names, encoded and stored."""

import logging
from pathlib import Path

from fsar.config import SamplingConfig, TextConfig
from fsar.episodes.stored import readable_videos
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.evaluation.feature_file import write_features
from fsar.fabric import Float32, one_device
from fsar.model.backbone import Backbone
from fsar.model.text import encode_classes, no_text
from fsar.videos.store_read import FrameStore

log = logging.getLogger(__name__)


def encode_split(
    backbone: Backbone,
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
) -> None:
    """Encode the readable videos and the class names of a split, and store them.

    Args:
        backbone: the model's.
        manifest, index, split: which videos; the shards lie beside the index.
        sampling, seed: which frames of them.
        text: how class names become text, for a backbone that has a text encoder.
        device: auto, cpu or cuda.
        float32: how a GPU multiplies.
        threads: cores; on a GPU they read frames, on the CPU they compute.
        path: safetensors file to write.
    """
    where = one_device(device, float32, threads)
    videos = readable_videos(manifest, index, split)
    video_ids, class_names = list(videos["video_id"]), sorted(videos["class_name"].unique())
    backbone = backbone.eval().to(where)
    store = FrameStore(index.parent, index)
    workers = 0 if where.type == "cpu" else threads - 1
    clips = load_clips(store, video_ids, sampling, backbone.image_size, seed, where, workers)
    frames = encode_videos(backbone, clips, where)
    encoded = encode_classes(backbone, class_names, text).cpu() if backbone.has_text else no_text(class_names)
    write_features(path, video_ids, frames, class_names, encoded)
    log.info("encoded %d videos of %d classes", len(video_ids), len(class_names))
