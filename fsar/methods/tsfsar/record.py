"""TS-FSAR, a ladder side network beside a frozen CLIP."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fsar.keys.bounds import Bound, LayerFacts
from fsar.keys.declare import HEAD, key
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import TRAINING, HeadSettings, Kind, dropout_key

# A value for one support video of a class, and one for several.
OneAndSeveral = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]


class TsfsarConfig(HeadSettings):
    """TS-FSAR; defaults as published for Kinetics."""

    needs: ClassVar[Kind] = "tokens"
    texts: ClassVar[Literal["none", "mean", "each"]] = "mean"

    side_width: int = key(
        "d, width of the side network; at most that of the backbone's transformer.", HEAD, default=256, ge=2
    )
    head_width: int = key(
        "Width of an attention head of the side network; must divide its width.", HEAD, default=64, ge=1
    )
    temporal_layers: list[Annotated[int, Field(ge=0)]] = key(
        "Blocks of the side network, from 0, whose attention is over the frames at each place of a token.",
        HEAD,
        once=True,
        default=[6, 8, 10],
    )
    gate_temperature: float = key(
        "What the gates of the side network are divided by before their sigmoid.", HEAD, default=0.1, gt=0
    )
    adapter_heads: int = key(
        "Attention heads over the frames of CLIP's features; must divide their width.", HEAD, default=8, ge=1
    )
    adapter_ratio: float = key(
        "ρ: of CLIP's features 2 − ρ is kept, and ρ added of what attention over the frames finds.",
        HEAD,
        default=0.4,
        ge=0,
        le=2,
    )
    alpha: float = key(
        "α, exponent of the squared distances between channels; 0.5 would be the distances.", HEAD, default=0.4, gt=0
    )
    text_scale: OneAndSeveral = key(
        "τ, what cosines with texts are multiplied by; for one support video of a class, and several.",
        HEAD,
        default=[50.0, 50.0],
    )
    few_shot_power: OneAndSeveral = key(
        "a, power of the probabilities by the support videos, in the decision; for one of a class, and several.",
        HEAD,
        default=[0.15, 0.15],
    )
    text_clip_power: OneAndSeveral = key(
        "b, power of the probabilities by texts and CLIP's features; for one support video of a class, and several.",
        HEAD,
        default=[0.8, 0.8],
    )
    text_side_power: OneAndSeveral = key(
        "c, power of the probabilities by texts and the side network; for one support video of a class, and several.",
        HEAD,
        default=[0.05, 0.05],
    )
    dropout: float = dropout_key("Dropout before the classification.", 0.7)
    classification_weight: float = key(
        "Weight of the classification of videos into the training classes.", TRAINING, default=0.5, ge=0
    )
    text_side_weight: OneAndSeveral = key(
        "Weight of the comparison of the side network with the texts of all training classes; for one support video "
        "of a class, and several.",
        TRAINING,
        default=[1.0, 1.0],
    )
    distillation_weight: OneAndSeveral = key(
        "Weight of the comparison of CLIP's features with the texts of all training classes, and of the distillation "
        "from that into the classification; for one support video of a class, and several.",
        TRAINING,
        default=[6.0, 6.0],
    )
    distillation_temperature: float = key("Temperature of the distillation.", TRAINING, default=10.0, gt=0)
    generator_learning_rate_factor: float = key(
        "Multiplies the learning rate of what makes a query's weights of pairs of frames.", TRAINING, default=0.5, gt=0
    )
    adapter_learning_rate_factor: float = key(
        "Multiplies the learning rate of the attention over the frames of CLIP's features.", TRAINING, default=0.5, gt=0
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("temporal_layers", max(self.temporal_layers, default=0), layers.depth - 1)
        yield Bound("side_width", self.side_width, layers.width)

    @property
    def tests_mb(self) -> int:
        """As measured: see `HeadSettings`."""
        return 12000


RECORD = Record(
    title="TS-FSAR.",
    head=TsfsarConfig,
    models={"ts-fsar": Components(head="tsfsar", trains="head")},
    methods={
        "ts-fsar": Method(
            "TS-FSAR",
            "Long et al., AAAI 2026 (arXiv 2512.11340): a ladder side network beside a frozen CLIP, α-distance "
            "correlation",
            "TS-FSAR",
            code="yaozhang0417/TS-FSAR, commit 1a91053",
            deviations="weight decay spares normalisation layers; the head computes in 32 bits; texts are class "
            "names or a file of one's own; learning rates and dropout at every shot are those of 1 shot",
            code_selection=f"{ON_TEST} (main.py:162)",
        )
    },
)
