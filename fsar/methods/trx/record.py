"""TRX, temporal-relational cross-transformers."""

from fsar.keys.declare import HEAD
from fsar.methods.blocks.record import FSOSAR, MOTION, TuplesConfig, WidenedMotionConfig, with_motion
from fsar.methods.record import FIXED, Components, Method, Record
from fsar.methods.settings import dropout_key


class TrxConfig(TuplesConfig, WidenedMotionConfig):
    """TRX; defaults as published."""

    dropout: float = dropout_key("Dropout of frames after their positions are added.", 0.1, HEAD)


RECORD = Record(
    title="TRX.",
    head=TrxConfig,
    models={
        "trx": Components(head="trx"),
        "trx-motion": with_motion(Components(head="trx")),
        "trx-frdisc": Components(head="trx", unknown="discriminator"),
    },
    methods={
        "trx": Method(
            "TRX",
            "Perrett et al., CVPR 2021 (arXiv 2101.06184): cross-attention between pairs and triples of frames",
            "TRX",
            code="tobyperrett/trx, commit 390c20a",
            deviations="20,010 training episodes (SSv2 75,010) as STRM, where the code has 100,020 and tests SSv2 "
            "after 75,000; its first step comes one episode early",
            code_selection=f"{FIXED} (run.py:90, 180)",
        ),
        "trx-motion": Method("TRX + motion", MOTION),
        "trx-frdisc": Method(
            "TRX + FR-Disc", f"{FSOSAR}: a learnt part tells unknown queries by their tuples' residuals"
        ),
    },
)
