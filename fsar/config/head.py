"""The section `head`, and which section the settings of a head or of adapters are in."""

from typing import Literal

from fsar.config.adapters import AdaptersConfig
from fsar.config.heads import HeadsConfig
from fsar.keys.declare import HEAD, Section, key
from fsar.model.methods import CLIP_FSAR_HEAD


class HeadConfig(Section):
    """The model after the backbone; defaults as published."""

    depth: int = key("Layers of the temporal transformer.", HEAD, default=1, ge=1, le=12)
    heads: int = key("Attention heads; must divide the backbone's width.", HEAD, default=8, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward part.", HEAD, default=2048, ge=1)
    attention_dropout: float = key("Dropout after attention.", HEAD, unit="probability", default=0.2, ge=0, lt=1)
    feed_forward_dropout: float = key(
        "Dropout in the feed-forward part.",
        HEAD,
        unit="probability",
        default=0.05,
        ge=0,
        lt=1,
    )
    merge: Literal["before", "after"] = key(
        "Several support videos of a class are averaged before the temporal transformer, as published, or after it.",
        HEAD,
        default="before",
    )
    smoothing: float = key(
        "λ of the softmin in the matching; 0.1 in the original OTAM.",
        HEAD,
        default=0.5,
        gt=0,
    )
    text_weight: float = key(
        "β, weight of the class names where a method decides by text and videos both.",
        ("evaluate_model", "predict_clips"),
        default=0.9,
        ge=0,
        le=1,
    )


def head_section(head: str) -> type[Section]:
    """Return the section that the settings of a head are in."""
    if head == CLIP_FSAR_HEAD:
        return HeadConfig
    kind: type[Section] = HeadsConfig.model_fields[head].annotation  # type: ignore[assignment]
    return kind


def adapter_section(adapters: str) -> type[Section]:
    """Return the section that the settings of a kind of adapters are in."""
    kind: type[Section] = AdaptersConfig.model_fields[adapters].annotation  # type: ignore[assignment]
    return kind
