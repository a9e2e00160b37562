"""How large everything is: on a GPU, and in the rehearsal on a CPU."""

from dataclasses import dataclass
from typing import Any

from fsar.config.source import Counts, DemoSource
from fsar.methods import MODELS


@dataclass(frozen=True)
class Sizes:
    """The sizes of all parts.

    Attributes:
        demo: classes and videos that are rendered.
        processes: that render and decode.
        frame_size: side of the frames that the loader reads, in pixels.
        backbones: architectures of open_clip by their names in tables; they are measured.
        arithmetics: in which steps are measured.
        precisions: of the small trainings.
        strict_models: on the small backbone, whose runs are compared bit by bit.
        frames: T, of the backbones' episodes.
        warm, rounds: steps between the first and the measured ones, and measured steps.
        compiler: backend of torch.compile.
        compile_seconds: that one compilation may take; where less time is left it is not begun.
        strict_steps: steps of each of two runs that are compared bit by bit.
        training: settings of the small trainings (sections of `TrainingConfig`).
        trained: episodes of the training whose features and predictions are compared.
        encoded: videos that are encoded, their names repeated.
        test_videos, width: of the features on which episodes are evaluated.
        methods: whose tests are timed.
        episodes: that are evaluated.
        shots: of these episodes.
        loaded: episodes out of the loader.
        workers: processes of the loader.
        scaled_steps: training steps in fp16.
        tests: whether tests/test_cuda.py runs, or is only read.
        patience: what the times that parts may take are multiplied by.
    """

    demo: DemoSource
    processes: int
    frame_size: int
    backbones: dict[str, str]
    arithmetics: tuple[str, ...]
    precisions: tuple[str, ...]
    strict_models: tuple[str, ...]
    frames: int
    warm: int
    rounds: int
    compiler: str
    compile_seconds: float
    strict_steps: int
    training: dict[str, Any]
    trained: int
    encoded: int
    test_videos: int
    width: int
    methods: tuple[str, ...]
    episodes: int
    shots: tuple[int, ...]
    loaded: int
    workers: int
    scaled_steps: int
    tests: bool
    patience: float


FULL = Sizes(
    demo=DemoSource(
        kind="demo",
        classes=Counts(train=16, val=8, test=16),
        videos_per_class=Counts(train=12, val=8, test=16),
        parts=8,
    ),
    processes=8,
    frame_size=256,
    backbones={"RN50": "RN50-quickgelu", "ViT-B/16": "ViT-B-16-quickgelu"},
    arithmetics=("bf16", "tf32", "fp32"),
    precisions=("32-true", "bf16-mixed", "16-mixed"),
    # What is fixed tells models of one head apart, whose operations are the same.
    strict_models=tuple(name for name, parts in MODELS.items() if parts.trained and not parts.fixed),
    frames=8,
    warm=4,
    rounds=8,
    compiler="inductor",
    compile_seconds=90,
    strict_steps=3,
    training={"iterations": 12, "tasks_per_step": 2, "validate_every": 12, "checkpoint_minutes": 0},
    trained=100,
    encoded=1200,
    test_videos=2400,
    width=1024,
    methods=("clip-fsar", "otam", "trx"),
    episodes=10000,
    shots=(1, 5),
    loaded=60,
    workers=6,
    scaled_steps=2000,
    tests=True,
    patience=1,
)
REHEARSAL = Sizes(
    demo=DemoSource(
        kind="demo",
        classes=Counts(train=2, val=2, test=2),
        videos_per_class=Counts(train=2, val=2, test=2),
        parts=1,
    ),
    processes=1,
    frame_size=72,
    backbones={"small CLIP": "small-clip"},
    arithmetics=("fp32",),
    precisions=("16-mixed",),
    strict_models=("otam",),
    frames=1,
    warm=0,
    rounds=1,
    compiler="eager",
    compile_seconds=0,
    strict_steps=2,
    training={
        "way": 2,
        "queries": 1,
        "iterations": 3,
        "tasks_per_step": 1,
        "validate_every": 3,
        "checkpoint_minutes": 0,
    },
    trained=2,
    encoded=4,
    test_videos=72,
    width=16,
    methods=("clip-fsar",),
    episodes=20,
    shots=(1, 2),
    loaded=3,
    workers=0,
    scaled_steps=2,
    tests=False,
    patience=10,
)
