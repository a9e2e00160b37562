"""STRM, spatio-temporal relation modelling."""

from typing import ClassVar, Literal

from fsar.keys.declare import HEAD, LARGEST_SEED, key
from fsar.methods.blocks.record import FSOSAR, MOTION, Cardinality, TuplesConfig, WidenedMotionConfig, with_motion
from fsar.methods.record import FIXED, Components, Method, Record
from fsar.methods.settings import Kind, dropout_key


class StrmConfig(TuplesConfig, WidenedMotionConfig):
    """STRM; defaults as in its published scripts."""

    needs: ClassVar[Kind] = "maps"

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; of each metric the distance is the mean over these.",
        HEAD,
        once=True,
        default=[2],
        min_length=1,
    )
    dropout: float = dropout_key(
        "Dropout of patches and of frames after their positions are added, and of frames before the second metric.",
        0.1,
        HEAD,
    )
    grid: int = key("A frame's map is pooled to so many patches a side.", HEAD, unit="patches", default=4, ge=1)
    second_metric: Literal["registered", "published"] = key(
        "The second metric is trained, as the paper describes it; or, as in the public code, stays as it was drawn "
        "at the start, with its dropout on in evaluation as well.",
        HEAD,
        default="registered",
    )
    second_metric_weight: float = key(
        "Weight of the second metric, in the loss and in the decision.", HEAD, default=0.1, ge=0
    )
    second_metric_seed: int = key(
        "Seed of the published second metric: of its layer, and of what its dropout drops in evaluation.",
        HEAD,
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )


RECORD = Record(
    title="STRM.",
    head=StrmConfig,
    models={
        "strm": Components(head="strm"),
        "strm-frdisc": Components(head="strm", unknown="discriminator"),
        "strm-published": Components(head="strm", fixed=(("second_metric", "published"),)),
        "strm-motion": with_motion(Components(head="strm")),
    },
    methods={
        "strm": Method(
            "STRM",
            "Thatipelli et al., CVPR 2022 (arXiv 2112.05132): patches and frames enriched, two metrics on tuples of "
            "frames",
            "STRM",
            code="Anirudh257/strm, commit 54368fe",
            deviations="the second metric is trained, as the paper describes it; the code leaves it out of the "
            "optimizer",
            code_selection=f"{FIXED} (run.py:230)",
        ),
        "strm-frdisc": Method(
            "STRM + FR-Disc", f"{FSOSAR}: a learnt part tells unknown queries by their tuples' residuals"
        ),
        "strm-published": Method(
            "STRM (second metric untrained)",
            "Thatipelli et al., CVPR 2022 (arXiv 2112.05132), as its public code is",
            code="Anirudh257/strm, commit 54368fe",
            deviations="the untrained second metric and its dropout follow a seed, so that a test can be repeated",
            code_selection=f"{FIXED} (run.py:230)",
        ),
        "strm-motion": Method("STRM + motion", MOTION),
    },
)
