"""Task-Adapter++: adapters across an episode's videos, texts of sub-actions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from fsar.keys.bounds import Bound, LayerFacts
from fsar.keys.declare import ADAPTERS, HEAD, key
from fsar.methods.blocks.record import BottleneckConfig
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import HeadSettings

TASK_ADAPTER_PAPER = "Cao et al., 2025 (arXiv 2505.06002): adapters across an episode's videos, texts of sub-actions"
TASK_ADAPTER_TEXTS = (
    "texts are plain sentences or a file of one's own; all numbers have 32 bits, where the code's text encoder and "
    "cosines have 16; frames are drawn and augmented as for CLIP-FSAR"
)
MATCHED = "scores of text and of videos are multiplied for the same query and class"
TASK_ADAPTER_CODE = "Jaulin-Bage/Task-Adapter-pp, commit 3a29783"
TASK_ADAPTER = Components(head="task_adapter", trains="adapters", adapters="task_adapter")


class TaskAdapterConfig(HeadSettings):
    """Task-Adapter++; defaults as published, but for the orientation."""

    texts: ClassVar[Literal["none", "mean", "each"]] = "each"

    logit_scale: float = key(
        "What the product of both similarities is multiplied by, to be a logit.", HEAD, default=64.0, gt=0
    )
    aligned_norm: bool = key(
        "LayerNorm of what the frames of queries find in the next ones, as published for SSv2-Full.",
        HEAD,
        default=False,
    )
    orientation: Literal["matched", "published"] = key(
        "A query's similarity with a class's videos is multiplied by that with the same class's texts; or, as in the "
        "public code, by that of another pair, so that the true class chooses the text: only for as many queries as "
        "classes, one of each in their order.",
        HEAD,
        default="matched",
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """How many frames a video must have, and why."""
        return 2, "compares neighbouring frames"

    @property
    def one_query(self) -> str:
        """The published orientation pairs them with the classes."""
        if self.orientation == "matched":
            return ""
        return "gives the text of class i to query i, as its public code does"


class TaskAdaptersConfig(BottleneckConfig):
    """Task-Adapter++; defaults as published for all benchmarks but SSv2."""

    for_transformers: ClassVar[bool] = True
    across_videos: ClassVar[bool] = True
    in_text_encoder: ClassVar[bool] = True

    blocks: int = key(
        "M: so many blocks of the visual encoder have adapters, the last ones.",
        ADAPTERS,
        unit="blocks",
        default=2,
        ge=1,
    )
    text_blocks: int = key(
        "M_t: so many blocks of the text encoder have adapters, the last ones; 0 leaves it as it is.",
        ADAPTERS,
        unit="blocks",
        default=8,
        ge=0,
    )
    texts: int = key(
        "S: texts of each class, which look at one another in the text encoder.",
        ADAPTERS,
        unit="texts",
        default=3,
        ge=1,
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("blocks", self.blocks, layers.depth)
        yield Bound("text_blocks", self.text_blocks, layers.text_depth)


RECORD = Record(
    title="Task-Adapter++.",
    head=TaskAdapterConfig,
    adapters=TaskAdaptersConfig,
    models={
        "task-adapter": TASK_ADAPTER,
        "task-adapter-published": replace(TASK_ADAPTER, fixed=(("orientation", "published"),)),
    },
    methods={
        "task-adapter": Method(
            "Task-Adapter++",
            TASK_ADAPTER_PAPER,
            "Task-Adapter++",
            code=TASK_ADAPTER_CODE,
            deviations=f"{MATCHED}; each query is asked alone; {TASK_ADAPTER_TEXTS}",
            code_selection=f"{ON_TEST} (run.py:174–198)",
        ),
        "task-adapter-together": Method(
            "Task-Adapter++ (queries together)",
            TASK_ADAPTER_PAPER,
            "",
            "task-adapter",
            inductive=False,
            code=TASK_ADAPTER_CODE,
            deviations=f"{MATCHED}; {TASK_ADAPTER_TEXTS}",
            code_selection=f"{ON_TEST} (run.py:174–198)",
        ),
        "task-adapter-published": Method(
            "Task-Adapter++ (as published)",
            f"{TASK_ADAPTER_PAPER}, as its public code is",
            inductive=False,
            code=TASK_ADAPTER_CODE,
            deviations=TASK_ADAPTER_TEXTS,
            code_selection=f"{ON_TEST} (run.py:174–198)",
        ),
    },
)
