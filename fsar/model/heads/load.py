"""The head of a trained model alone, for features that are there already."""

from pathlib import Path

from safetensors import safe_open

from fsar.config.declare import Section
from fsar.evaluation.feature_file import feature_sizes
from fsar.model.heads.head import Head, Inputs, build_head
from fsar.model.methods import Components


def load_head(components: Components, settings: Section, features: Path, trained: Path | None) -> Head:
    """Load the head of a trained model for a file of features; without weights, a fresh one."""
    sizes = feature_sizes(features)
    inputs = Inputs(sizes.width, sizes.frames, components=components, transformer=sizes.transformer)
    head = build_head(inputs, settings)
    if trained is not None:
        with safe_open(trained, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("head.")]  # noqa: SIM118 (not a dict)
            head.load_state_dict({name.removeprefix("head."): file.get_tensor(name) for name in names})
    return head
