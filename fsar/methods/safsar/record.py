"""SAFSAR, semantic-aware few-shot action recognition, of known classes."""

from typing import ClassVar, Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.record import FIXED, Components, Method, Record
from fsar.methods.settings import TRAINING, HeadSettings, dropout_key


class SafsarConfig(HeadSettings):
    """SAFSAR; defaults as published."""

    texts: ClassVar[Literal["none", "mean", "each", "tokens"]] = "tokens"

    heads: int = key("Attention heads of each layer.", HEAD, default=8, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward parts.", HEAD, default=3072, ge=1)
    fusion_layers: int = key("Layers that join a class's videos with its text.", HEAD, unit="layers", default=2, ge=1)
    dropout: float = dropout_key("Dropout in the layers.", 0.1)
    classification_weight: float = key(
        "Weight of the classification of videos into the training classes.", TRAINING, default=0.1, ge=0
    )


RECORD = Record(
    title="SAFSAR.",
    head=SafsarConfig,
    models={"safsar": Components(head="safsar")},
    methods={
        "safsar": Method(
            "SAFSAR",
            "Tang et al., WACV 2024: prototypes of an encoder of video with the words of their class",
            code="hsp-iit/fsosar, commit 30419ff",
            deviations="words are those of the backbone's own text encoder, unless backbones.….words names BERT as "
            "the code has it; the whole encoder of video is trained, where the code leaves its embeddings",
            code_selection=FIXED,
        )
    },
)
