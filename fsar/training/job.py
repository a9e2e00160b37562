"""A training job: everything that decides its result, and its files."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fsar.config import BackboneConfig, FramesConfig, SamplingConfig, Settings, TextConfig, TrainingConfig
from fsar.config.settings import components_record
from fsar.methods import Components
from fsar.methods.record import AdapterSettings, HeadSettings


@dataclass(frozen=True)
class TrainingJob:
    """Everything that decides one trained model."""

    model: str  # its name, and those of its benchmark and backbone, for people
    benchmark: str
    backbone_name: str
    components: Components
    backbone: BackboneConfig
    sampling: SamplingConfig
    head: HeadSettings  # of the components' head
    training: TrainingConfig
    seed: int  # of this training
    data_seed: int  # of the frames that validation looks at
    text: TextConfig = field(default_factory=TextConfig)  # how class names become text
    adapters: AdapterSettings | None = None  # of the components' adapters, if there are any
    device: str = "auto"
    frames: FramesConfig = field(default_factory=FramesConfig)  # as stored, for whoever uses the model; not decisive

    @classmethod
    def of(cls, settings: Settings, shot: int, seed: int) -> "TrainingJob":
        """Return the training of a model with a shot and a seed, by the settings that decide it and no others."""
        own = settings.for_stage("train_model")
        return cls(
            model=own.model,
            benchmark=own.benchmark,
            backbone_name=own.backbone_name,
            components=own.components,
            backbone=own.backbone,
            sampling=own.sampling,
            head=own.head,
            training=own.training.model_copy(update={"shot": shot}),
            seed=seed,
            data_seed=own.seed,
            text=own.text,
            adapters=own.adapters,
            device=own.device,
            frames=settings.frames,
        )

    def settings(self) -> dict[str, Any]:
        """Return the job as plain values, by section."""
        names = ("backbone", "text", "frames", "sampling", "head", "adapters", "training")
        sections = {name: own.model_dump() for name in names if (own := getattr(self, name)) is not None}
        return sections | {"components": asdict(self.components), "seed": self.seed, "data_seed": self.data_seed}

    def described(self) -> dict[str, Any]:
        """Return what training.json says of the training before it runs."""
        names = {"benchmark": self.benchmark, "backbone_name": self.backbone_name, "model": self.model}
        return self.settings() | names

    def decisive(self) -> dict[str, Any]:
        """Return what decides the result, by section, without what equals its default."""
        backbone, sampling = self.backbone.decisive("train_model"), self.sampling.decisive("train_model")
        read = {
            name: {
                key: value
                for key, value in getattr(self, name).decisive("train_model").items()
                if self.components.reads(name, key)
            }
            for name in ("text", "head", "training")
        }
        if self.adapters is not None:
            read["adapters"] = self.adapters.decisive("train_model")
        components = components_record(self.components)
        return {
            "backbone": backbone, "sampling": sampling, **read, "components": components,
            "seed": self.seed, "data_seed": self.data_seed,
        }  # fmt: skip


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
        curves: folder of the logger of the metrics; None for no logger.
    """

    manifest: Path
    index: Path
    episodes: Path
    decisive: list[Path]
    code: dict[str, str]
    output: Path
    checkpoint: Path
    curves: Path | None = None
