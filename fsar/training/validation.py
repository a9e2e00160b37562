"""Validation during training: the stored validation episodes, on features of the current weights."""

import pandas as pd
from lightning_fabric import Fabric
from torch import Tensor

from fsar.config import SamplingConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.encode_videos import encode_videos, load_clips, store_videos
from fsar.evaluation.episode_logits import correct, predict
from fsar.evaluation.kept_features import Features, rows_of
from fsar.methods.needs import Tensors
from fsar.model.few_shot import FewShotModel
from fsar.training.processes import gather, share
from fsar.videos.store_read import FrameStore


class Validation:
    """Accuracy on the stored validation episodes. The loader of their videos and its processes are started once.

    Args:
        store, videos: the readable validation videos.
        episodes: drawn from them.
        sampling, seed: which frames of a video are used.
        size: side of the backbone's images, in pixels.
        workers: processes that read frames.
        fabric: each of its processes encodes a part of the videos.
        given: what the backbone gives of them, where that is stored.
    """

    def __init__(
        self,
        store: FrameStore,
        videos: pd.DataFrame,
        episodes: StoredEpisodes,
        sampling: SamplingConfig,
        size: int,
        seed: int,
        workers: int,
        fabric: Fabric,
        given: Features | None = None,
    ):
        self.episodes, self.fabric = episodes, fabric
        used = set(episodes.video_ids)
        self.video_ids = [video_id for video_id in videos["video_id"] if video_id in used]
        own = [self.video_ids[number] for number in share(len(self.video_ids), fabric)]
        self.given: Tensors | None = None
        if given is not None:
            rows = [given.videos[video_id] for video_id in own]
            self.given = {name: each[rows] for name, each in given.stored.items()}
        self.clips = load_clips(store, own, sampling, size, seed, fabric.device, workers)

    def accuracy(self, model: FewShotModel, text: Tensor) -> float:
        """Return the share of queries classified correctly; the same in every process.

        Args:
            model: is put into evaluation mode.
            text: (C, D) text features of `episodes.class_names`.

        Raises:
            UserError: a feature or a logit is not finite.
        """
        model.eval()
        encoded = self._encoded(model)
        count = len(self.video_ids)
        stored = {name: gather(videos.to(self.fabric.device), count, self.fabric) for name, videos in encoded.items()}
        features = Features(rows_of(self.video_ids), stored, rows_of(self.episodes.class_names), text)
        predicted = predict(model.tested_head(self.fabric.autocast), self.episodes, features)
        return float(correct(predicted).mean())

    def _encoded(self, model: FewShotModel) -> Tensors:
        """Return what is kept of this process's videos, (V, …) each."""
        if self.given is None:
            with self.fabric.autocast():
                return encode_videos(model.encode, self.clips, self.fabric.device, model.backbone.subject)
        return store_videos(model.head, self.given, self.fabric.device)
