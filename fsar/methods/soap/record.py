"""SOAP, gains of the pixels before the backbone, then TRX with single frames."""

from typing import Literal

from fsar.keys.declare import ADAPTERS, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import AdapterSettings


class SoapConfig(AdapterSettings):
    """SOAP; the layers and axes are those that its idea needs, and not those of its public code."""

    layers: Literal["registered", "redrawn"] = key(
        "The layers along time and between windows of frames are trained and saved; or, as in the public code, drawn "
        "anew at every forward: in training for each episode, in evaluation from `draw_seed`.",
        ADAPTERS,
        default="registered",
    )
    axes: Literal["right", "misread"] = key(
        "Frames and channels are taken for what they are; or, as in the public code, planes that lie in memory by "
        "frame and channel for such by channel and frame, which mixes both.",
        ADAPTERS,
        default="right",
    )
    draw_seed: int = key("Of the layers that are drawn anew, in evaluation.", ADAPTERS, default=0, ge=0)


RECORD = Record(
    title="SOAP.",
    adapters=SoapConfig,
    models={"soap": Components(head="trx", adapters="soap", fixed=(("cardinalities", [1]),))},
    methods={
        "soap": Method(
            "SOAP",
            "Huang et al., ACM MM 2024: gains of the pixels from space, channels and motion, then TRX with single "
            "frames",
            code="wenbohuang1002/SOAP, commit 2e4c6e7",
            deviations="layers that the code draws anew at every forward are trained, axes that it misreads are right "
            "(adapters.soap)",
            code_selection="named validation, 100 episodes every 100 steps; the loader is missing (runfull.py:180)",
        ),
    },
)
