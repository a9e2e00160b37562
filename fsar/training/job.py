"""A training job: everything that decides its result, and its files."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from fsar.config import MergedConfig

SECTIONS = ("backbone", "text", "frames", "sampling", "head", "adapters", "training")


@dataclass(frozen=True, kw_only=True)
class TrainingJob(MergedConfig):
    """The settings that decide one trained model, and the seed of its training; `seed` is that of the data.

    The frames as they are stored are for whoever uses the model, and decide nothing.
    """

    training_seed: int

    @classmethod
    def of(cls, settings: MergedConfig, shot: int, seed: int) -> Self:
        """Return the training of a model with a shot and a seed, by the settings that decide it and no others."""
        own = replace(settings.for_stage("train_model"), frames=settings.frames)
        training = own.training.model_copy(update={"shot": shot})
        return cls(**vars(own) | {"training": training, "training_seed": seed})

    def described(self) -> dict[str, Any]:
        """Return what training.json says of the training before it runs."""
        names = {"benchmark": self.benchmark, "backbone_name": self.backbone_name, "model": self.model}
        sections = {name: own.model_dump() for name in SECTIONS if (own := getattr(self, name)) is not None}
        left_out = {"without": list(self.without)} if self.without else {}
        return sections | names | left_out | {"components": asdict(self.components)} | self._seeds()

    def identity(self) -> dict[str, Any]:
        """Return what decides the result, by section, without what equals its default."""
        return self.decisive("train_model") | self._seeds()

    def _seeds(self) -> dict[str, int]:
        return {"seed": self.training_seed, "data_seed": self.seed}


@dataclass(frozen=True)
class TrainingFiles:
    """The files of one training.

    Attributes:
        manifest, index: the videos; the shards lie beside the index.
        episodes: stored validation episodes.
        decisive: input files whose contents make the training what it is.
        code: checksum of each file of the project that it depends on, too.
        output: folder of model.safetensors, metrics.parquet and training.json.
        checkpoint: the state to continue from, while training is unfinished.
        features: of the training and of the validation videos, where these are encoded once.
        features_made: what these features must be made from.
        curves: folder of the logger of the metrics; None for no logger.
    """

    manifest: Path
    index: Path
    episodes: Path
    decisive: list[Path]
    code: dict[str, str]
    output: Path
    checkpoint: Path
    features: tuple[Path, Path] | None = None
    features_made: dict[str, str] | None = None
    curves: Path | None = None
