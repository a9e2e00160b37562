"""HyRSM++'s public code, alibaba-mmai-research/CLIP-FSAR 30cf0a8: HyRSM's and the temporal loss."""

from fsar.methods.hyrsmpp.head import Hyrsmpp
from fsar.methods.hyrsmpp.record import HyrsmppConfig
from tests.public_code.golden import Computed, Golden
from tests.public_code.hyrsm import compute, settings


def run(golden: Golden, stem: str) -> Computed:
    config = HyrsmppConfig(
        **settings(golden),
        coherence_weight=golden.value("temporal_weight", 1.0),
        window=golden.number("window"),
        falloff=golden.value("temporal_balance"),
        far_weight=golden.value("balance_coefficient", 1.0),
    )
    return compute(golden, Hyrsmpp, config)
