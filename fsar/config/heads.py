"""The settings of the heads other than CLIP-FSAR's: a section for each, `heads.<name>` in the config."""

from typing import Literal

from fsar.config.declare import HEAD, Section, key

TRAINING = ("train_model",)


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
