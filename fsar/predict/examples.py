"""The support set, made of clips whose class is known: each is read and encoded once."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from fsar.errors import UserError
from fsar.files import readable
from fsar.job import progress
from fsar.methods.needs import Tensors
from fsar.pages.strips import strip_of
from fsar.predict.clips import Clip
from fsar.predict.model import LabellingModel
from fsar.predict.prediction import Prediction
from fsar.predict.support import SupportSet
from fsar.videos.frame import VideoError

log = logging.getLogger(__name__)


@dataclass
class Encoded:
    """What is kept of clips: the number of each one's class, itself, its features (1, …) and a strip of its frames."""

    labels: list[int]
    clips: list[Clip]
    features: list[Tensors]
    strips: list[bytes]


def make_support_set(
    model: LabellingModel, examples: Mapping[str, Sequence[Clip]], joint: bool
) -> tuple[SupportSet, list[Prediction]]:
    """Read and encode the examples of each class, and the names of the classes where the model looks at these.

    Args:
        model: that will label by them.
        examples: clips by class; no clip of any class where the names decide alone.
        joint: examples and clips are compared with texts, too.

    Returns:
        The support set, and the examples that cannot be read, with their reasons.

    Raises:
        UserError: there is no class, or no example of a class that has some can be read.
    """
    if not examples:
        raise UserError("There is no class to choose from")
    encoded, unreadable = _encode(model, examples, joint)
    if lost := [name for label, name in enumerate(examples) if examples[name] and label not in encoded.labels]:
        raise UserError(f"No example of the class {lost[0]!r} can be read")
    text, scale = torch.zeros(len(examples), 0), 1.0
    if joint or model.settings.components.compares_with_text:
        text, scale = model.encode_classes(list(examples))
    kept = encoded.features
    support = SupportSet(
        class_names=list(examples),
        video_ids=[clip.video_id for clip in encoded.clips],
        paths=[readable(clip.path) for clip in encoded.clips],
        labels=torch.tensor(encoded.labels, dtype=torch.int64),
        stored={name: torch.cat([one[name] for one in kept]) for name in kept[0]} if kept else {},
        text=text.cpu(),
        text_scale=scale,
        strips=encoded.strips,
    )
    return support, unreadable


def _encode(
    model: LabellingModel, examples: Mapping[str, Sequence[Clip]], joint: bool
) -> tuple[Encoded, list[Prediction]]:
    encoded, unreadable = Encoded([], [], [], []), []
    listed = [(label, clip) for label, clips in enumerate(examples.values()) for clip in clips]
    for label, clip in progress(listed, "examples", "clip"):
        try:
            frames = model.read(clip)
        except VideoError as error:
            unreadable.append(Prediction(clip, reason=str(error)))
            log.warning("%s: %s; this example is left out", readable(clip.path), error)
            continue
        features = model.encode(frames.unsqueeze(0), joint)
        encoded.features.append({name: each.cpu() for name, each in features.items()})
        encoded.labels.append(label)
        encoded.clips.append(clip)
        encoded.strips.append(strip_of(frames.numpy()))
    return encoded, unreadable
