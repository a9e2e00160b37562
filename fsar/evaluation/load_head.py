"""The head of a trained model alone, for features that are there already."""

from pathlib import Path

from fsar.errors import UserError
from fsar.evaluation.feature_file import feature_sizes
from fsar.methods import Components
from fsar.methods.head import Head, build_head
from fsar.methods.needs import Inputs
from fsar.methods.record import HeadSettings
from fsar.model.trained_file import read_trained


def load_head(components: Components, settings: HeadSettings, features: Path, trained: Path | None) -> Head:
    """Load the head of a trained model for a file of features; a fresh one without weights, or with another model's.

    Raises:
        UserError: the weights cannot be read, are of another method or backbone, or are not finite.
    """
    sizes = feature_sizes(features)
    inputs = Inputs(sizes.width, sizes.frames, transformer=sizes.transformer)
    head = build_head(components, inputs, settings)
    if trained is not None and not components.weights_of:
        state = read_trained(trained, components, ["head"])
        try:
            head.load_state_dict({name.removeprefix("head."): value for name, value in state.items()})
        except RuntimeError as error:
            first = " ".join(line.strip() for line in str(error).splitlines()[:2])
            raise UserError(
                f"The trained weights {trained} do not fit the head {components.head}, or cannot be read: {first}"
            ) from error
    return head
