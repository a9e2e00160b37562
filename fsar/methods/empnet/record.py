"""EMP-Net, multi-level post-reasoning on a frozen CLIP's tokens."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from fsar.keys.bounds import Bound, LayerFacts
from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import rising
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, HeadSettings, Kind, dropout_key

EMP_NET_PAPER = "Wu et al., ECCV 2024: reasoning on three levels of a frozen CLIP's tokens, with text"
ONE_SHOT = "learning rate and episodes on SSv2-Small at every shot are those of 1 shot"
EMP_NET = Components(head="empnet", trains="head")


class EmpnetConfig(HeadSettings):
    """EMP-Net; defaults as published."""

    needs: ClassVar[Kind] = "tokens"
    texts: ClassVar[Literal["none", "mean", "each"]] = "each"

    levels: Annotated[list[Annotated[int, Field(ge=0)]], AfterValidator(rising)] = key(
        "Blocks of the backbone whose tokens are looked at, in rising order; 0 is before the first.",
        HEAD,
        default=[4, 8, 12],
        min_length=1,
    )
    heads: int = key("Attention heads, each of width D / 8.", HEAD, default=4, ge=1)
    attention_dropout: float = dropout_key("Dropout after attention.", 0.2)
    feed_forward_dropout: float = dropout_key("Dropout in the feed-forward parts.", 0.05)
    top_patches: int = key(
        "So many patches that are most like a class's text tell how like it a video is; all of a smaller grid.",
        HEAD,
        unit="patches",
        default=49,
        ge=1,
    )
    top_frames: int = key("The same of frames.", HEAD, unit="frames", default=2, ge=1)
    merge_before: bool | Literal["auto"] = key(
        "Several support videos of a class are averaged before the text is fused into them, or after it; auto: "
        "before, as in every published setting with several.",
        HEAD,
        default="auto",
    )
    smoothing: float = key("λ of the softmin in OTAM.", HEAD, default=0.5, gt=0)
    cross_entropy: Literal["logits", "probabilities"] = key(
        "Of what a cross-entropy is: of logits, or, as in the public code, of probabilities, to which it applies a "
        "second softmax, so that with five classes it cannot fall below 0.905.",
        TRAINING,
        default="logits",
    )
    text_loss_weight: float = key("Weight of the loss of class names.", TRAINING, default=1.0, ge=0)
    text_score_weight: float = key(
        "Weight of the probabilities by class names against those by support videos, in the decision.",
        HEAD,
        default=1.0,
        ge=0,
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("levels", max(self.levels), layers.depth)

    @property
    def tests_mb(self) -> int:
        """As measured: see `HeadSettings`."""
        return 32000


RECORD = Record(
    title="EMP-Net.",
    head=EmpnetConfig,
    models={"emp-net": EMP_NET, "emp-net-published": replace(EMP_NET, fixed=(("cross_entropy", "probabilities"),))},
    methods={
        "emp-net": Method(
            "EMP-Net",
            EMP_NET_PAPER,
            "EMP-Net",
            code="cong-wu/EMP-Net, commit b4dc006",
            deviations="the loss is the cross-entropy of logits, where the code takes that of probabilities; any "
            f"way; {ONE_SHOT}",
            code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:537)",
        ),
        "emp-net-published": Method(
            "EMP-Net (loss of probabilities)",
            EMP_NET_PAPER,
            code="cong-wu/EMP-Net, commit b4dc006",
            deviations=f"any way, where the code has five; {ONE_SHOT}",
            code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:537)",
        ),
    },
)
