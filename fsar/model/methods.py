"""The methods of the comparison, as data: which components each one has, and how it decides.

The values below reach the workflow's rules as parameters: a new method leaves every trained model as it is.
docs/methods.md shows how to add one.
"""

from dataclasses import dataclass, replace
from typing import Literal

CLIP_FSAR_PAPER = "Wang et al., IJCV 2023 (arXiv 2303.02982)"


@dataclass(frozen=True)
class Components:
    """What a model is made of: everything that training depends on.

    Attributes:
        metric: the matching, a file in fsar/model/matching/.
        fine_tuned: the backbone is trained on the training classes; if not, nothing is trained.
        temporal_transformer: frame features pass through the temporal transformer.
        text_token: the transformer sees the class's text beside the support frames (prototype modulation).
        video_text_loss: training adds the video-text contrastive objective over all training classes.
    """

    metric: str = "otam"
    fine_tuned: bool = True
    temporal_transformer: bool = False
    text_token: bool = False
    video_text_loss: bool = False

    def __post_init__(self) -> None:
        if self.text_token and not self.temporal_transformer:
            raise ValueError("the text token needs the temporal transformer")
        if not self.fine_tuned and (self.temporal_transformer or self.video_text_loss):
            raise ValueError("what is not trained can have neither a transformer nor a training objective")


@dataclass(frozen=True)
class Method:
    """One row of the comparison: a model and a way to decide with it.

    Attributes:
        title: the name in tables and figures.
        citation: where the method is from.
        published_as: the method's name in the published results; empty if there are none.
        components: of the model. Methods with equal components share one trained model.
        decides_by: the support videos (few-shot), the class names (text: zero-shot, no support), or both.
    """

    title: str
    citation: str
    published_as: str
    components: Components
    decides_by: Literal["few-shot", "text", "both"] = "few-shot"

    def shots(self, shots: list[int]) -> list[int]:
        """Return the shots to test with: those asked for, or none where no support is looked at."""
        return [0] if self.decides_by == "text" else shots


FROZEN = Components(fine_tuned=False)
PLAIN = Components()
MODULATION = Components(temporal_transformer=True, text_token=True)
CLIP_FSAR = Components(temporal_transformer=True, text_token=True, video_text_loss=True)

METHODS = {
    "clip-freeze": Method(
        "CLIP-Freeze",
        f"{CLIP_FSAR_PAPER}, Sec. 4.2: frozen CLIP frame features, matched by OTAM",
        "CLIP-Freeze",
        FROZEN,
    ),
    "clip-zero-shot": Method(
        "CLIP zero-shot",
        "Radford et al., ICML 2021 (arXiv 2103.00020): mean frame feature against the text of the classes",
        "CLIP zero-shot",
        FROZEN,
        decides_by="text",
    ),
    "otam": Method(
        "OTAM",
        "Cao et al., CVPR 2020 (arXiv 1906.11415): visual features fine-tuned on episodes, matched by OTAM",
        "OTAM",
        PLAIN,
    ),
    "otam-video-text": Method(
        "OTAM + video-text",
        f"{CLIP_FSAR_PAPER}, Table 4: OTAM with the video-text objective",
        "OTAM + video-text",
        replace(PLAIN, video_text_loss=True),
    ),
    "otam-modulation": Method(
        "OTAM + prototype modulation",
        f"{CLIP_FSAR_PAPER}, Table 4: OTAM with text-modulated prototypes",
        "OTAM + prototype modulation",
        MODULATION,
    ),
    "clip-fsar": Method("CLIP-FSAR", CLIP_FSAR_PAPER, "CLIP-FSAR", CLIP_FSAR),
    "clip-fsar-zero-shot": Method(
        "CLIP-FSAR zero-shot",
        f"{CLIP_FSAR_PAPER}, Table 10: the video-text similarities of the trained model alone",
        "CLIP-FSAR zero-shot",
        CLIP_FSAR,
        decides_by="text",
    ),
    "clip-fsar-text": Method(
        "CLIP-FSAR + text",
        f"{CLIP_FSAR_PAPER}, Eq. 7 (†): few-shot and text probabilities, weighted by β",
        "CLIP-FSAR+text",
        CLIP_FSAR,
        decides_by="both",
    ),
    "otam-one-way": Method(
        "OTAM, one direction",
        "Cao et al., CVPR 2020 (arXiv 1906.11415): the alignment of the query to the support alone",
        "",
        replace(PLAIN, metric="otam_one_way"),
    ),
    "clip-fsar-one-way": Method(
        "CLIP-FSAR (OTAM, one direction)", CLIP_FSAR_PAPER, "", replace(CLIP_FSAR, metric="otam_one_way")
    ),
    "bi-mhm": Method(
        "Bi-MHM",
        "Wang et al., HyRSM, CVPR 2022 (arXiv 2204.13423): features matched by the bidirectional mean Hausdorff metric",
        "Bi-MHM",
        replace(PLAIN, metric="bi_mhm"),
    ),
    "clip-fsar-bi-mhm": Method(
        "CLIP-FSAR (Bi-MHM)",
        f"{CLIP_FSAR_PAPER}, Table 3",
        "CLIP-FSAR (Bi-MHM)",
        replace(CLIP_FSAR, metric="bi_mhm"),
    ),
    "trx": Method(
        "TRX",
        "Perrett et al., CVPR 2021 (arXiv 2101.06184): cross-attention between pairs and triples of frames",
        "TRX",
        replace(PLAIN, metric="trx"),
    ),
    "clip-fsar-trx": Method(
        "CLIP-FSAR (TRX)", f"{CLIP_FSAR_PAPER}, Table 3", "CLIP-FSAR (TRX)", replace(CLIP_FSAR, metric="trx")
    ),
    "mean-cosine": Method(
        "Mean cosine",
        "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine: mean-pooled prototypes",
        "",
        replace(PLAIN, metric="mean_cosine"),
    ),
    "clip-fsar-mean-cosine": Method(
        "CLIP-FSAR (mean cosine)", CLIP_FSAR_PAPER, "", replace(CLIP_FSAR, metric="mean_cosine")
    ),
}


def model_of(method: str) -> str:
    """Return the method whose trained model a method uses: the first one with the same components."""
    components = METHODS[method].components
    return next(name for name, other in METHODS.items() if other.components == components)
