"""CLIP-SPM, prompt-guided semantic prototype modulation."""

from typing import ClassVar, Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, HeadSettings, dropout_key

CLIP_SPM_PAPER = "CLIP-SPM (arXiv 2512.19036): motion consistency, text tokens for queries, prototypes from both"


class ClipspmConfig(HeadSettings):
    """CLIP-SPM; defaults as published for HMDB51 and SSv2-Small."""

    texts: ClassVar[Literal["none", "mean", "each"]] = "mean"

    episode_token: Literal["classes", "labels"] = key(
        "What a training episode's token is the mean of: the texts of its classes, or, as in the public code, those "
        "of all its videos, by the labels of the queries too. With as many queries of each class both are the same. "
        "Tests look at the classes alone: the labels of other queries would tell what is asked.",
        TRAINING,
        default="classes",
    )
    text_strength: float = key("α, what a token adds to the frames of a video is multiplied by.", HEAD, default=0.2)
    slope: float = key("ν, slope of the gates' leaky ReLU below 0.", HEAD, default=0.0025, ge=0)
    text_gate: float = key("Hidden width of the gate of tokens, as a multiple of D.", HEAD, default=1.5, gt=0)
    frame_gate: float = key("Hidden width of the gate of frames, as a multiple of D.", HEAD, default=0.5, gt=0)
    heads: int = key("Attention heads.", HEAD, default=8, ge=1)
    head_width: int = key("Width of each attention head.", HEAD, default=256, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward parts.", HEAD, default=2048, ge=1)
    attention_dropout: float = dropout_key("Dropout after attention.", 0.2)
    feed_forward_dropout: float = dropout_key("Dropout in the feed-forward parts.", 0.05)
    smoothing: float = key("λ of the softmin in OTAM.", HEAD, default=0.5, gt=0)
    local_weight: float = key(
        "Weight of the distances before the videos of an episode see one another.", HEAD, default=0.5, ge=0
    )
    motion_weight: float = key(
        "Weight of the motion loss of an episode: sixteen times the published one, since the public code divides "
        "only the other loss by the sixteen episodes of a step.",
        TRAINING,
        default=0.016,
        ge=0,
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """How many frames a video must have, and why."""
        return 2, "looks at the motion between frames"


RECORD = Record(
    title="CLIP-SPM.",
    head=ClipspmConfig,
    models={"clip-spm": Components(head="clipspm")},
    methods={
        "clip-spm": Method(
            "CLIP-SPM",
            CLIP_SPM_PAPER,
            "CLIP-SPM",
            code="hnlxy/CLIP-SPM, commit 63f4361",
            deviations="the episode's token is the mean text of its classes; each query is asked alone; weight decay "
            "spares normalisation layers",
            code_selection=f"{ON_TEST} (run/main_run.py:231)",
        ),
        "clip-spm-together": Method(
            "CLIP-SPM (queries together)",
            CLIP_SPM_PAPER,
            "",
            "clip-spm",
            inductive=False,
            code="hnlxy/CLIP-SPM, commit 63f4361",
            deviations="weight decay spares normalisation layers",
            code_selection=f"{ON_TEST} (run/main_run.py:231)",
        ),
    },
)
