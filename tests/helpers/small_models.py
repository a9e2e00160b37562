"""Every model at a small size: which of the demo's small CLIPs it is of, and the settings of its head and adapters."""

from pathlib import Path

import pytest

from fsar.config import BackboneConfig, TextConfig
from fsar.keys.declare import Section
from fsar.methods import Components
from fsar.methods.record import adapter_section, head_section
from tests.helpers.small_video import small_video

SMALL_HEADS: dict[str, dict[str, object]] = {
    "clip_fsar": {"feed_forward": 64},
    "trx": {"tuple_width": 16},
    "strm": {"tuple_width": 16, "grid": 2},
    "molo": {"feed_forward": 32},
    "team": {"tokens": 4},
    "safsar": {"heads": 2, "feed_forward": 16},
    "clipspm": {"feed_forward": 32, "heads": 2, "head_width": 8},
    "empnet": {"levels": [1, 2], "top_patches": 2},
    "chamferpp": {"projection": 16},
    "mmlfsar": {"levels": [1, 2, 3], "inner_width": 8},
    "tsfsar": {"side_width": 8, "head_width": 4, "temporal_layers": [1]},
}
SMALL_ADAPTERS: dict[str, dict[str, object]] = {
    "task_adapter": {"text_blocks": 1},
    "tamt": {"blocks": 1},
    "d2st": {"spatial_kernel": [4, 2, 2], "spatial_stride": [4, 1, 1], "temporal_kernel": [1, 2, 2]},
}
THREE_TEXTS = TextConfig(templates=["start {class_name}", "middle {class_name}", "end {class_name}"])


def small_backbone(components: Components) -> str:
    """Return the architecture of a small CLIP: one with a ViT where something looks into its layers.

    Adapters of encoders of video are given one of these, of this project's.
    """
    if components.for_video:
        return "small-videomae"
    return "small-vit-clip" if components.needs_transformer or components.adapters else "small-clip"


def backbone_section(name: str, folder: Path) -> BackboneConfig:
    """Return the section of a small backbone, with its weights in a folder: a CLIP's lie there."""
    if name != "small-videomae":
        return BackboneConfig(model=name, weights=str(folder / f"{name}.safetensors"))
    pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
    made = folder / "small-videomae"
    if made.is_dir():
        return BackboneConfig(
            library="transformers", model=str(made / "config.json"), weights=str(made / "model.safetensors")
        )
    return small_video("videomae", made)


def small_head(components: Components, **settings: object) -> Section:
    """Return the settings of a model's head, small; with others on top."""
    own = SMALL_HEADS.get(components.head, {}) | dict(components.fixed) | settings
    return head_section(components.head)(**own)


def small_adapters(components: Components) -> Section | None:
    """Return the settings of a model's adapters, small."""
    name = components.adapters
    return adapter_section(name)(**SMALL_ADAPTERS.get(name, {})) if name else None


def small_text(components: Components) -> TextConfig:
    """Return how a model's class names become text."""
    return THREE_TEXTS if components.each_text else TextConfig()
