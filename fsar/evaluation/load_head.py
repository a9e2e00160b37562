"""The head of a trained model alone, for features that are there already."""

from pathlib import Path

from fsar.evaluation.feature_file import feature_sizes
from fsar.methods import Components
from fsar.methods.head import Head, build_head
from fsar.methods.settings import HeadSettings
from fsar.model.trained_file import fill, read_trained


def load_head(components: Components, settings: HeadSettings, features: Path, trained: Path | None) -> Head:
    """Load the head of a trained model for a file of features; a fresh one without weights, or with another model's.

    Raises:
        UserError: the weights cannot be read, are of another method or backbone, or are not finite.
    """
    head = build_head(components, feature_sizes(features), settings)
    if trained is not None and not components.weights_of:
        fill(head.load_state_dict, read_trained(trained, components, ["head"]), "head", trained)
    return head
