"""MoLo, motion-augmented long-short contrastive learning."""

from typing import ClassVar

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import DECAY, ERASING, RelationConfig
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, Kind, dropout_key


class MoloConfig(RelationConfig):
    """MoLo; defaults as published."""

    needs: ClassVar[Kind] = "maps"
    needs_pixels: ClassVar[bool] = True

    feed_forward: int = key("Hidden width of the feed-forward part.", HEAD, default=2048, ge=1)
    feed_forward_dropout: float = dropout_key("Dropout in the feed-forward part.", 0.05)
    motion_weight: float = key("Weight of the motion branch in the logits.", HEAD, default=0.3, ge=0)
    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.4, ge=0
    )
    contrast_weight: float = key("Weight of each of the four long-short contrasts.", TRAINING, default=0.05, ge=0)
    reconstruction_weight: float = key(
        "Weight of the reconstruction of frame differences in the loss of an episode: four times the published one, "
        "since the public code divides every other loss by the four episodes of a step.",
        TRAINING,
        default=0.2,
        ge=0,
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """How many frames a video must have, and why."""
        return 2, "looks at differences of frames"


RECORD = Record(
    title="MoLo.",
    head=MoloConfig,
    models={"molo": Components(head="molo")},
    methods={
        "molo": Method(
            "MoLo",
            "Wang et al., CVPR 2023 (arXiv 2304.00946): a motion branch and long-short contrast, matched by Bi-MHM",
            "MoLo (Bi-MHM)",
            code="alibaba-mmai-research/MoLo, commit f7f73b6",
            deviations=f"{ERASING}; {DECAY}, where the code decays those of the decoder",
            code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:496)",
        )
    },
)
