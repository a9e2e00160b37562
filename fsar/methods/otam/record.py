"""Frames of queries matched with those of prototypes: OTAM and other metrics, on a frozen or a tuned backbone."""

from typing import Literal, get_args

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import CLIP_FSAR_PAPER, FSOSAR, MOTION, MotionConfig, with_motion
from fsar.methods.record import Components, Method, Record

# Files in fsar/methods/blocks/. Those of the table of all frames of two videos, and all there are: TRX, which keeps all
# support videos of a class where the others compare prototypes, and means.
TableMetric = Literal[
    "otam", "otam_one_way", "bi_mhm", "chamfer", "chamfer_query", "chamfer_support", "mean_pairs", "max_pair",
    "diagonal", "linear",
]  # fmt: skip
Metric = Literal[TableMetric, "trx", "mean_cosine"]
METRICS: tuple[str, ...] = get_args(Metric)


class OtamConfig(MotionConfig):
    """Frame features, matched as they are or with what moves beside them."""

    metric: Metric = key(
        "How a query's frames are compared with a prototype's: a file in fsar/methods/blocks/.", HEAD, default="otam"
    )
    smoothing: float = key("λ of the softmin in OTAM; 0.1 in the original.", HEAD, default=0.5, gt=0)

    @property
    def least_frames(self) -> tuple[int, str]:
        """TRX compares triples."""
        return (3, "compares triples of frames") if self.metric == "trx" else super().least_frames

    @property
    def any_share(self) -> bool:
        """TRX has weights for frames and for what moves in them."""
        return self.metric != "trx"

    @property
    def tests_mb(self) -> int:
        """As measured: see `HeadSettings`."""
        return 12000 if self.metric == "trx" else 4000

    @property
    def imported_by_name(self) -> tuple[str, ...]:
        """The metric."""
        return (f"fsar.methods.blocks.{self.metric}",)

    def reads(self, key_name: str) -> bool:
        """λ is OTAM's."""
        return key_name != "smoothing" or self.metric.startswith("otam")


RECORD = Record(
    title="OTAM and other matching metrics.",
    head=OtamConfig,
    models={
        "frozen": Components(trains="nothing"),
        "otam": Components(),
        "otam-one-way": Components(fixed=(("metric", "otam_one_way"),)),
        "bi-mhm": Components(fixed=(("metric", "bi_mhm"),)),
        "mean-cosine": Components(fixed=(("metric", "mean_cosine"),)),
        "frozen-motion": with_motion(Components(trains="nothing")),
        "otam-motion": with_motion(Components()),
        "otam-eos": Components(unknown="eos"),
        "otam-gc": Components(unknown="gc"),
        "otam-frdisc": Components(unknown="discriminator"),
        "bi-mhm-motion": with_motion(Components(fixed=(("metric", "bi_mhm"),))),
    },
    methods={
        "clip-freeze": Method(
            "CLIP-Freeze",
            f"{CLIP_FSAR_PAPER}, Sec. 4.2: frozen CLIP frame features, matched by OTAM",
            "CLIP-Freeze",
            "frozen",
        ),
        "clip-zero-shot": Method(
            "CLIP zero-shot",
            "Radford et al., ICML 2021 (arXiv 2103.00020): mean frame feature against the text of the classes",
            "CLIP zero-shot",
            "frozen",
            decides_by="text",
        ),
        "otam": Method(
            "OTAM",
            "Cao et al., CVPR 2020 (arXiv 1906.11415): visual features fine-tuned on episodes, matched by OTAM",
            "OTAM",
        ),
        "otam-one-way": Method(
            "OTAM, one direction",
            "Cao et al., CVPR 2020 (arXiv 1906.11415): the alignment of the query to the support alone",
        ),
        "bi-mhm": Method(
            "Bi-MHM",
            "Wang et al., HyRSM, CVPR 2022 (arXiv 2204.13423): features matched by the bidirectional mean Hausdorff "
            "metric",
            "Bi-MHM",
        ),
        "mean-cosine": Method(
            "Mean cosine", "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine: mean-pooled prototypes"
        ),
        "clip-freeze-motion": Method("CLIP-Freeze + motion", MOTION, model="frozen-motion"),
        "otam-motion": Method("OTAM + motion", MOTION),
        "otam-eos": Method("OTAM + eos", f"{FSOSAR}: answers to unknown queries are trained to be flat"),
        "otam-gc": Method("OTAM + garbage class", f"{FSOSAR}: a learnt class more, that of unknown queries"),
        "otam-frdisc": Method("OTAM + FR-Disc", f"{FSOSAR}: a learnt part tells unknown queries by their residual"),
        "bi-mhm-motion": Method("Bi-MHM + motion", MOTION),
    },
)
