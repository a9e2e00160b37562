"""HyRSM++, HyRSM with a temporal coherence loss."""

from fsar.keys.declare import key
from fsar.methods.blocks.record import ERASING, MOTION, QUERIES, with_motion
from fsar.methods.hyrsm.record import HyrsmConfig
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING


class HyrsmppConfig(HyrsmConfig):
    """HyRSM++; defaults as published."""

    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.6, ge=0
    )
    coherence_weight: float = key("Weight of the temporal coherence loss.", TRAINING, default=0.3, ge=0)
    window: int = key("w: frames at most so far apart are near.", TRAINING, unit="frames", default=3, ge=0)
    falloff: float = key(
        "τ: how slowly the distance that is asked of far frames grows with their distance in time.",
        TRAINING,
        default=23.0,
        gt=0,
    )
    far_weight: float = key("β, weight of far frames against near ones.", TRAINING, default=10.0, ge=0)


RECORD = Record(
    title="HyRSM++.",
    head=HyrsmppConfig,
    models={"hyrsmpp": Components(head="hyrsmpp"), "hyrsmpp-motion": with_motion(Components(head="hyrsmpp"))},
    methods={
        "hyrsmpp": Method(
            "HyRSM++",
            "Wang et al., Pattern Recognition 2024 (arXiv 2301.03330): HyRSM with a temporal coherence loss",
            "HyRSM++",
            code="alibaba-mmai-research/HyRSMPlusPlus, commit 0d93298",
            deviations=f"{ERASING}; {QUERIES}; on Kinetics decay and epsilon are those of 1 shot, a quarter of which "
            "the code has for more (docs/recipes.md)",
            code_selection=ON_TEST,
        ),
        "hyrsmpp-motion": Method("HyRSM++ + motion", MOTION),
    },
)
