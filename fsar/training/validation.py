"""Validation while training: the stored validation episodes, on features encoded anew."""

import pandas as pd
from lightning_fabric import Fabric
from torch import Tensor

from fsar.config import SamplingConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.encode_videos import encode_videos
from fsar.evaluation.episode_logits import correct, predict
from fsar.model.few_shot import FewShotModel
from fsar.training.processes import gather, share
from fsar.videos.store_read import FrameStore


class Validation:
    """Accuracy on the stored validation episodes.

    Args:
        store, videos: the readable validation videos.
        episodes: drawn from them.
        sampling, seed: which frames of a video are looked at.
        workers: processes that read frames.
    """

    def __init__(
        self,
        store: FrameStore,
        videos: pd.DataFrame,
        episodes: StoredEpisodes,
        sampling: SamplingConfig,
        seed: int,
        workers: int,
    ):
        self.store, self.episodes, self.sampling, self.seed, self.workers = store, episodes, sampling, seed, workers
        used = set(episodes.video_ids)
        self.video_ids = [video_id for video_id in videos["video_id"] if video_id in used]

    def accuracy(self, model: FewShotModel, text: Tensor, fabric: Fabric) -> float:
        """Return the share of queries classified correctly; the same in every process.

        Args:
            model: is put into evaluation mode.
            text: (C, D) text features of `episodes.class_names`.
            fabric: its processes each encode a part of the videos.
        """
        model.eval()
        own = [self.video_ids[number] for number in share(len(self.video_ids), fabric)]
        with fabric.autocast():
            encoded = encode_videos(
                model.encode, model.backbone.image_size, self.store, own, self.sampling, self.seed, fabric.device,
                self.workers,
            )  # fmt: skip
        stored = {
            name: gather(videos.to(fabric.device), len(self.video_ids), fabric) for name, videos in encoded.items()
        }
        rows = {video_id: row for row, video_id in enumerate(self.video_ids)}
        class_rows = {name: row for row, name in enumerate(self.episodes.class_names)}
        predicted = predict(model.head, self.episodes, rows, stored, class_rows, text)
        return float(correct(predicted).mean())
