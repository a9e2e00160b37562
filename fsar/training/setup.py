"""Sets up training: processes, data, model, optimizer and validation."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from fsar.config import TrainingConfig
from fsar.episodes.stored import StoredEpisodes, readable_videos
from fsar.model.backbone import Backbone, load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.training.data import TrainingEpisodes
from fsar.training.job import TrainingFiles, TrainingJob
from fsar.training.optimizer import make_optimizer, parameter_groups
from fsar.training.processes import own_workers, start_processes
from fsar.training.stored import read_stored
from fsar.training.texts import EpisodeTexts
from fsar.training.validation import Validation
from fsar.videos.store_read import FrameStore


@dataclass
class Training:
    """Everything that the training loop uses.

    Attributes:
        name: of the model, for people.
        config: how it is trained; the loop reads nothing else of the job.
        seed: of the training.
        fabric: its processes.
        videos: the readable ones of the splits train and val.
        episodes: to train on, by number.
        wrapped, optimizer: the model, with its `FewShotModel` as `module`, and its optimizer.
        texts: of the training and the validation classes.
        validation: the stored validation episodes.
    """

    name: str
    config: TrainingConfig
    seed: int
    fabric: Fabric
    videos: dict[str, pd.DataFrame]
    episodes: TrainingEpisodes
    wrapped: Any
    optimizer: Any
    texts: EpisodeTexts
    validation: Validation

    @property
    def model(self) -> FewShotModel:
        """The model itself."""
        return self.wrapped.module

    def validate(self) -> float:
        """Return the accuracy on the stored validation episodes, with the current weights."""
        return self.validation.accuracy(self.model, self.texts.of_validation())


def set_up(job: TrainingJob, files: TrainingFiles) -> Training:
    """Set up training at its first step; raises UserError if data or weights do not fit."""
    config = job.training
    fabric = start_processes(config, job.device)
    torch.manual_seed(job.training_seed)

    stored = read_stored(files.features, files.features_made)
    store = FrameStore(files.index.parent, files.index)
    videos = {split: readable_videos(files.manifest, files.index, split, job.without) for split in ("train", "val")}
    classes = videos["train"]["class_name"].nunique()
    wrapped, optimizer = set_up_model(job, load_backbone(job.backbone), classes, fabric)
    size = wrapped.module.backbone.image_size
    unknown = config.unknown_queries if job.components.unknown else 0
    episodes = TrainingEpisodes(
        store,
        videos["train"],
        config,
        job.sampling,
        size,
        job.training_seed,
        unknown,
        data_seed=job.seed if job.components.encoded_once else None,
        given=stored.train if stored else None,
    )
    tested = StoredEpisodes.read(files.episodes)
    validation = Validation(
        store, videos["val"], tested, job.sampling, size, job.seed, own_workers(config), fabric, stored and stored.val
    )
    texts = EpisodeTexts(wrapped.module, job.text, list(episodes.sampler.class_names), tested.class_names)
    return Training(
        job.model, config, job.training_seed, fabric, videos, episodes, wrapped, optimizer, texts, validation
    )


def set_up_model(job: TrainingJob, backbone: Backbone, classes: int, fabric: Fabric) -> tuple[Any, Any]:
    """Build the model and its optimizer, on their devices.

    Returns:
        The model, its `FewShotModel` as `module`, and the optimizer; both as `train_step` takes them.
    """
    model = FewShotModel(backbone, job.components, job.head, job.sampling.frames, classes, job.adapters)
    model.head.initialise(backbone)
    model.head.loss_over_queries = job.training.loss_over_queries
    if job.components.unknown:
        model.head.unknown_weight = job.training.unknown_weight
    if job.training.activation_checkpointing:
        backbone.checkpoint_activations()
    if job.components.trains == "encoder":
        backbone.freeze_text(wholly=not job.components.trains_text)
        backbone.freeze_unused(model.head.needs)
    else:
        backbone.requires_grad_(False)
        if backbone.adapters is not None:
            backbone.adapters.requires_grad_(True)
    return fabric.setup(model, make_optimizer(parameter_groups(model, job.training), job.training))
