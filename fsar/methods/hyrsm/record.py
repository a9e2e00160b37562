"""HyRSM, hybrid relation guided set matching."""

from typing import Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import ERASING, MOTION, QUERIES, RelationConfig, WidenedMotionConfig, with_motion
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, dropout_key


class HyrsmConfig(RelationConfig, WidenedMotionConfig):
    """HyRSM; defaults as published."""

    items: Literal["prototypes", "videos"] = key(
        "What a query is related to: the mean of each class's support videos, as published for several of them, or "
        "all support videos, whose distances are averaged afterwards. With one support video both are the same.",
        HEAD,
        default="prototypes",
    )
    relation_dropout: float = dropout_key("Dropout of the attention between videos.", 0.1)
    relation_output_dropout: float = dropout_key("Dropout after the attention between videos.", 0.05)
    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.15, ge=0
    )


RECORD = Record(
    title="HyRSM.",
    head=HyrsmConfig,
    models={"hyrsm": Components(head="hyrsm"), "hyrsm-motion": with_motion(Components(head="hyrsm"))},
    methods={
        "hyrsm": Method(
            "HyRSM",
            "Wang et al., CVPR 2022 (arXiv 2204.13423): support and query related with one another, matched by Bi-MHM",
            "HyRSM",
            code="alibaba-mmai-research/HyRSM, commit 82100b6",
            deviations=f"{ERASING}; {QUERIES}",
            code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:475)",
        ),
        "hyrsm-motion": Method("HyRSM + motion", MOTION),
    },
)
