"""CLIP's class names and the mean video of each class, mixed: nothing is learnt but how much the names count."""

from typing import ClassVar, Literal

from fsar.keys.declare import key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import HeadSettings

HEAD_FOLDER = "clip_classifier"
SOURCE = (
    "CLIP's class names (Radford et al., ICML 2021, arXiv 2103.00020) and the mean video of each class (Snell et al., "
    "NeurIPS 2017, arXiv 1703.05175), mixed by a weight that validation classes choose"
)


class ClipClassifierConfig(HeadSettings):
    """A cosine with the text and the mean video of each class."""

    texts: ClassVar[Literal["none", "mean", "each"]] = "mean"

    text_weight: float | None = key(
        "Weight of the class names, from 0, the support alone, to 1, the names alone. Without it, tests take the "
        "weight that is best on stored episodes of the validation classes, for each shot; clips of your own, which "
        "have none, take one half.",
        ("evaluate_model", "predict_clips"),
        default=None,
        ge=0,
        le=1,
    )

    @property
    def chooses_text_weight(self) -> bool:
        """Unless it is given."""
        return self.text_weight is None


def _on(other: str) -> Components:
    return Components(head=HEAD_FOLDER, trains="nothing", weights_of=other)


RECORD = Record(
    title="CLIP as a classifier.",
    head=ClipClassifierConfig,
    models={
        "clip-classifier": _on(""),
        "clip-classifier-otam": _on("otam"),
        "clip-classifier-clip-fsar": _on("clip-fsar"),
    },
    methods={
        "clip-classifier": Method("CLIP classifier", f"{SOURCE}, on features as they are"),
        "clip-classifier-otam": Method(
            "CLIP classifier on OTAM's features", f"{SOURCE}, on the features of a trained OTAM"
        ),
        "clip-classifier-clip-fsar": Method(
            "CLIP classifier on CLIP-FSAR's features", f"{SOURCE}, on the features of a trained CLIP-FSAR"
        ),
    },
)
