"""The settings of the heads other than CLIP-FSAR's: a section for each, `heads.<name>` in the config."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from fsar.config.declare import HEAD, Section, key, section

TRAINING = ("train_model",)

# Frames in a tuple. The number of tuples grows fast: 8 frames have 28 pairs, 56 triples, 70 of four.
Cardinality = Annotated[int, Field(ge=1, le=4)]


class TuplesConfig(Section):
    """Tuples of frames, of the heads that compare these."""

    tuple_width: int = key("Width of the keys and values of tuples of frames.", HEAD, default=1152, ge=1)

    @field_validator("cardinalities", check_fields=False)
    @classmethod
    def _no_repetition(cls, cardinalities: list[int]) -> list[int]:
        if len(set(cardinalities)) < len(cardinalities):
            raise ValueError("lists a number twice")
        return cardinalities


class TrxConfig(TuplesConfig):
    """TRX; defaults as published."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; the distance is the mean over these.", HEAD, default=[2, 3], min_length=1
    )
    dropout: float = key(
        "Dropout of frames after their positions are added.", HEAD, unit="probability", default=0.1, ge=0, lt=1
    )


class StrmConfig(TuplesConfig):
    """STRM; defaults as in its published scripts."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; of each metric the distance is the mean over these.", HEAD, default=[2], min_length=1
    )
    dropout: float = key(
        "Dropout of patches and of frames after their positions are added, and of frames before the second metric.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    grid: int = key("A frame's map is pooled to so many patches a side.", HEAD, unit="patches", default=4, ge=1)
    second_metric: Literal["registered", "published"] = key(
        "The second metric is trained, as the paper describes it; or, as in the public code, stays as it was drawn at "
        "the start, with its dropout on in evaluation as well.",
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
    )


class TeamConfig(Section):
    """TEAM; defaults as published for ResNet-50 and 1 shot."""

    tokens: int = key("Pattern tokens.", HEAD, unit="tokens", default=60, ge=1)
    dropout: float = key(
        "Dropout of frames after their positions are added, of attention and of what it finds.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    negative_weight: float = key(
        "Weight of the distance of negative patterns, in the loss and in the decision.", HEAD, default=1.0, ge=0
    )


class RelationConfig(Section):
    """What HyRSM, HyRSM++ and MoLo share: positions added to scaled features, and attention over the frames."""

    feature_divisor: float = key(
        "A: features are multiplied by √(D/A) before positions are added to them.", HEAD, default=10.0, gt=0
    )
    position_scale: float = key("B, which positions are multiplied by.", HEAD, default=1.0, ge=0)
    heads: int = key("Attention heads; must divide the backbone's width.", HEAD, default=8, ge=1)
    position_dropout: float = key(
        "Dropout after positions are added.", TRAINING, unit="probability", default=0.1, ge=0, lt=1
    )
    attention_dropout: float = key(
        "Dropout after the attention over frames.", TRAINING, unit="probability", default=0.2, ge=0, lt=1
    )


class HyrsmConfig(RelationConfig):
    """HyRSM; defaults as published."""

    items: Literal["prototypes", "videos"] = key(
        "What a query is related to: the mean of each class's support videos, as published for several of them, or "
        "all support videos, whose distances are averaged afterwards. With one support video both are the same.",
        HEAD,
        default="prototypes",
    )
    relation_dropout: float = key(
        "Dropout of the attention between videos.", TRAINING, unit="probability", default=0.1, ge=0, lt=1
    )
    relation_output_dropout: float = key(
        "Dropout after the attention between videos.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.15, ge=0
    )


class HyrsmppConfig(HyrsmConfig):
    """HyRSM++; defaults as published."""

    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.6, ge=0
    )
    coherence_weight: float = key("Weight of the temporal coherence loss.", TRAINING, default=0.3, ge=0)
    window: int = key("w: frames at most so far apart are near.", TRAINING, unit="frames", default=3, ge=0)
    falloff: float = key(
        "τ: how slowly the distance that is asked of far frames grows with their distance in time.",
        TRAINING,
        default=23.0,
        gt=0,
    )
    far_weight: float = key("β, weight of far frames against near ones.", TRAINING, default=10.0, ge=0)


class MoloConfig(RelationConfig):
    """MoLo; defaults as published."""

    feed_forward: int = key("Hidden width of the feed-forward part.", HEAD, default=2048, ge=1)
    feed_forward_dropout: float = key(
        "Dropout in the feed-forward part.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    motion_weight: float = key("Weight of the motion branch in the logits.", HEAD, default=0.3, ge=0)
    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.4, ge=0
    )
    contrast_weight: float = key("Weight of each of the four long-short contrasts.", TRAINING, default=0.05, ge=0)
    reconstruction_weight: float = key(
        "Weight of the reconstruction of frame differences in the loss of an episode: four times the published one, "
        "since the public code divides every other loss by the four episodes of a step.",
        TRAINING,
        default=0.2,
        ge=0,
    )


class D2stConfig(Section):
    """The head of D²ST-Adapter; defaults as published for SSv2-Small and CLIP."""

    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.5, ge=0
    )


class HeadsConfig(Section):
    """The heads other than CLIP-FSAR's, by the names of their files."""

    trx: TrxConfig = section("TRX.", default=TrxConfig())
    strm: StrmConfig = section("STRM.", default=StrmConfig())
    hyrsm: HyrsmConfig = section("HyRSM.", default=HyrsmConfig())
    hyrsmpp: HyrsmppConfig = section("HyRSM++.", default=HyrsmppConfig())
    molo: MoloConfig = section("MoLo.", default=MoloConfig())
    team: TeamConfig = section("TEAM.", default=TeamConfig())
    d2st: D2stConfig = section("D²ST-Adapter.", default=D2stConfig())
