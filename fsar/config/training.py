"""The section `training`: how methods are trained."""

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from fsar.keys.declare import MODEL, NOTHING, Section, key

# What decides the views of training videos that are encoded once, and the training that looks at them.
VIEWS = ("encode_training", "train_model")


class TrainingConfig(Section):
    """How a method is trained; defaults are the published ones for Kinetics. One iteration is one episode."""

    way: int = key("Classes in a training episode.", ("draw_episodes", "train_model"), unit="classes", default=5, ge=2)
    shot: Annotated[int, Field(ge=1)] | Literal["tested"] = key(
        "Support videos per class in a training episode: a number for every test shot, or `tested`, which trains a "
        "model for each test shot.",
        ("draw_episodes", "train_model"),
        unit="videos",
        default=1,
    )
    queries: int = key(
        "Query videos per class in a training episode.", ("train_model",), unit="videos", default=5, ge=1
    )
    unknown: int | None = key(
        "Unknown queries in a training episode, of other training classes, for models that learn from them "
        "(docs/unknown.md). By default as many as known ones.",
        ("train_model",),
        unit="videos",
        default=None,
        ge=1,
        le=1000,
    )
    unknown_weight: float | None = key(
        "Weight of the loss of eos and FR-Disc; without it the published one: 1, and of FR-Disc 100 with one "
        "example of each class and 1000 with more, or 10 where it looks at tuples of frames.",
        ("train_model",),
        default=None,
        ge=0,
    )
    iterations: int = key("Training episodes in all.", ("train_model",), unit="episodes", default=5000, ge=1)
    tasks_per_step: int = key(
        "Episodes averaged in one optimizer step.", ("train_model",), unit="episodes", default=4, ge=1
    )
    optimizer: Literal["adam", "adamw", "sgd"] = key(
        "adam adds the weight decay to the gradient, as published; adamw shrinks weights apart from it.",
        ("train_model",),
        default="adam",
    )
    momentum: float = key("Of sgd.", ("train_model",), default=0.0, ge=0, lt=1)
    nesterov: bool = key("Nesterov's form of sgd's momentum.", ("train_model",), default=False)
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = key(
        "How much adam and adamw keep of the means of gradients and of their squares.",
        ("train_model",),
        default=[0.9, 0.999],
        min_length=2,
        max_length=2,
    )
    epsilon: float = key("Added to adam's and adamw's denominator.", ("train_model",), default=1e-8, gt=0)
    learning_rate: float = key("Learning rate after warm-up.", ("train_model",), default=1e-5, gt=0, le=1)
    head_learning_rate_factor: float = key(
        "Multiplies the learning rate of the parameters that start from random values (temporal transformer, scale).",
        ("train_model",),
        default=1.0,
        gt=0,
    )
    warmup_from: float = key("Learning rate at the first iteration.", ("train_model",), default=5e-6, ge=0, le=1)
    warmup_iterations: int = key("Length of the linear warm-up.", ("train_model",), unit="episodes", default=250, ge=0)
    schedule: Literal["steps", "cosine"] = key(
        "After warm-up: steps at the milestones, or half a cosine to 0 at the end.", ("train_model",), default="steps"
    )
    milestones: list[Annotated[int, Field(ge=1)]] = key(
        "Where the learning rate steps down.", ("train_model",), unit="episodes", default=[750, 1250]
    )
    factors: list[Annotated[float, Field(gt=0)]] = key(
        "What the learning rate is multiplied by from each milestone on. By default each milestone multiplies "
        "it by 0.1 once more.",
        ("train_model",),
        default=[],
    )
    loss_over_queries: Literal["mean", "sum"] = key(
        "How the losses of an episode's queries become one.", ("train_model",), default="mean"
    )
    weight_decay: float = key(
        "L2 penalty, or adamw's shrinking; spares normalisation layers: in encoders those named `bn` or `norm`.",
        ("train_model",),
        default=1e-3,
        ge=0,
    )
    flip: bool = key("Mirror training queries at random (Kinetics only).", VIEWS, default=False)
    colour_jitter: bool = key("Jitter the colours of training queries (Kinetics only).", VIEWS, default=False)
    views: Annotated[int, Field(ge=0, le=1000)] | Literal["fresh"] = key(
        "For a model that trains only a head on a frozen backbone: number of views, that is, draws of the "
        "frames and the window, of each training video. They are encoded once, and an episode draws one of "
        "them for each of its videos. 0: one view, that of a test. fresh: every episode draws new frames, as "
        "for all other models. See docs/training.md.",
        VIEWS,
        unit="views",
        default=4,
    )
    stored_gb: float = key(
        "Disk that the stored features of a model's training and validation videos may take. If they would "
        "take more, nothing is stored, and each episode encodes its videos, in the same views.",
        NOTHING,
        unit="GB",
        default=20.0,
        ge=0,
    )
    batch_norm: Literal["apart", "together", "running"] = key(
        "Statistics by which BatchNorm normalises in training: those of an episode's support and those of its queries "
        "apart, as published; those of the whole episode together (the running ones follow either); or the running "
        "ones of the pretrained model, unchanged. No difference for a backbone without BatchNorm.",
        ("train_model",),
        default="apart",
    )
    validate_every: int = key(
        "Training episodes between two validations.", ("train_model",), unit="episodes", default=100, ge=1
    )
    checkpoint_minutes: float = key(
        "Time between checkpoints to resume from; 0 saves after every optimizer step.",
        NOTHING,
        unit="minutes",
        default=10.0,
        ge=0,
    )
    logger: Literal["tensorboard", "csv", "wandb", "mlflow", "none"] = key(
        "Where a training run shows its metrics while it runs: files below logs/, Weights & Biases, an MLflow "
        "server, or nowhere.",
        NOTHING,
        default="tensorboard",
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = key(
        "Arithmetic of the training step.", VIEWS, default="32-true"
    )
    float32: Literal["tf32", "fp32"] = key(
        "How a GPU computes convolutions and matrix products of 32-bit numbers, in training, validation, encoding and "
        "labelling: tf32 rounds what it multiplies to 10 bits, for which GPUs since 2020 have units of their own; fp32 "
        "keeps all 23 bits. A CPU has these alone.",
        MODEL,
        default="tf32",
    )
    deterministic: bool = key(
        "Use only operations that give the same bits each time. With false a GPU chooses the fastest ones, "
        "and two equal training runs differ in the last digits. On a CPU both are the same.",
        NOTHING,
        default=True,
    )
    activation_checkpointing: bool = key(
        "Compute the backbone's activations again in the backward pass instead of keeping them: less memory, about a "
        "third more time, the same result.",
        NOTHING,
        default=False,
    )
    devices: int = key(
        "GPUs of one training run (processes, on a CPU). The tasks of a step are divided among them. If there "
        "are fewer tasks than devices, the largest number that divides both is used.",
        NOTHING,
        unit="devices",
        default=1,
        ge=1,
    )
    nodes: int = key(
        "Nodes of a SLURM cluster for one training run, each with its `devices`, `threads` and `workers`. The "
        "tasks of a step are divided among all devices.",
        NOTHING,
        unit="nodes",
        default=1,
        ge=1,
    )
    threads: int = key(
        "Cores of a training or feature job, over all its devices on a node.", NOTHING, unit="cores", default=8, ge=1
    )
    workers: int = key(
        "Processes among them that load episodes; 0 loads in the training process.",
        NOTHING,
        unit="processes",
        default=6,
        ge=0,
    )

    @property
    def fixed_shot(self) -> int:
        """The number of support videos of one training, where it is no longer `tested`."""
        assert self.shot != "tested"
        return self.shot

    @property
    def unknown_queries(self) -> int:
        """How many unknown queries an episode has, of a model that learns from them."""
        return self.way * self.queries if self.unknown is None else self.unknown

    def spread(self) -> "TrainingConfig":
        """Return these settings on no more nodes and devices than the tasks of a step can be divided among."""
        nodes = math.gcd(self.tasks_per_step, self.nodes)
        devices = math.gcd(self.tasks_per_step // nodes, self.devices)
        return self.model_copy(update={"nodes": nodes, "devices": devices})

    def problems(self) -> Iterable[str]:
        """Name what does not fit together; asked of the merged settings, never of one benchmark's own keys alone."""
        if self.workers + self.devices > self.threads:
            yield (
                f"workers is {self.workers} of {self.threads} threads, which does not leave one for the model on each "
                f"of {self.devices} devices; the nearest valid value is {max(self.threads - self.devices, 0)}"
            )
        processes = self.devices * self.nodes
        where = (
            f"{self.devices} devices" if self.nodes == 1 else f"{self.devices} devices on each of {self.nodes} nodes"
        )
        for name, value, parts, among in (
            ("tasks_per_step", self.tasks_per_step, processes, where),
            ("workers", self.workers, self.devices, f"{self.devices} devices"),
        ):
            if name == "tasks_per_step" and value < parts:
                continue  # of a method with few tasks, some devices rest: `spread`
            if value % parts:
                nearest = round(value / parts) * parts or parts
                yield (
                    f"{name} is {value}, which cannot be divided among {among}; the nearest valid value is {nearest}"
                )
        if self.milestones != sorted(set(self.milestones)):
            yield f"milestones {self.milestones} must increase"
        if self.factors and len(self.factors) != len(self.milestones):
            yield f"factors are {len(self.factors)}, but milestones {len(self.milestones)}: one for each"
        if self.nesterov and not self.momentum:
            yield "nesterov needs a momentum above 0"
        if self.warmup_from > self.learning_rate:
            yield f"warmup_from is {self.warmup_from}; the nearest valid value is learning_rate, {self.learning_rate}"
