"""TAMT, temporal-aware model tuning of an encoder of video."""

from typing import ClassVar, Literal

from fsar.keys.declare import ADAPTERS, HEAD, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import AdapterSettings, HeadSettings, Kind


class TamtConfig(HeadSettings):
    """The head of TAMT; sizes as published."""

    needs: ClassVar[Kind] = "maps"

    reductions: list[int] = key(
        "What the width of the tokens is divided by in both layers before the covariances, one after the other.",
        HEAD,
        default=[3, 2],
        min_length=2,
        max_length=2,
    )
    axes: Literal["apart", "published"] = key(
        "How tokens that were convolved along time are put back: each in its place and time, or (published) in "
        "the order that they have in memory, which mixes places, time steps and channels.",
        HEAD,
        default="apart",
    )
    score: Literal["distance", "published"] = key(
        "Minus the squared distance to the mean of the shots at every shot; or (published) with one shot the product "
        "of both.",
        HEAD,
        default="distance",
    )

    @property
    def least_frames(self) -> tuple[int, str]:
        """How many time steps a video must have, and why."""
        return 2, "pairs the time steps of both halves of a video"

    @property
    def tests_mb(self) -> int:
        """Memory of tests in megabytes: a video is one vector."""
        return 1500


class TamtAdaptersConfig(AdapterSettings):
    """The adapters of TAMT; defaults as published."""

    for_video: ClassVar[bool] = True

    blocks: int = key("How many of the last blocks have one.", ADAPTERS, unit="blocks", default=2, ge=1)
    reduction: int = key("What the width is divided by within one.", ADAPTERS, default=4, ge=1)
    shift_scale: float = key("What the shift is multiplied by.", ADAPTERS, default=0.1, ge=0)


_CITATION = "Wang et al., CVPR 2025 (arXiv 2411.19041): temporal adapters in a frozen encoder of video, and covariances"
_CODE = "TJU-YDragonW/TAMT, commit 5a4a00c"
_SELECTION = "by 150 to 300 episodes of validation classes, whose clips are augmented"
_DATA = (
    "clips of validation and test are not augmented, where the code augments them like those of training; stochastic "
    "depth of the frozen blocks is left out"
)

RECORD = Record(
    title="TAMT.",
    head=TamtConfig,
    adapters=TamtAdaptersConfig,
    models={
        "tamt": Components(head="tamt", trains="adapters", adapters="tamt"),
        "tamt-published": Components(
            head="tamt",
            trains="adapters",
            adapters="tamt",
            fixed=(("axes", "published"), ("score", "published")),
        ),
    },
    methods={
        "tamt": Method(
            "TAMT",
            _CITATION,
            deviations="tokens keep their places after the temporal convolution, where the code mixes them; one score "
            f"at every shot, where the code has a product with one; {_DATA}",
            code=_CODE,
            code_selection=_SELECTION,
        ),
        "tamt-published": Method(
            "TAMT, as published", _CITATION, deviations=_DATA, code=_CODE, code_selection=_SELECTION
        ),
    },
)
