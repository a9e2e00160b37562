"""A video as one vector, whatever the order of its frames: what the plain baselines compare."""

import torch.nn.functional as F
from torch import Tensor

from fsar.methods.head import Head
from fsar.methods.needs import Tensors


def whole_video(frames: Tensor) -> Tensor:
    """Return the mean of a video's frame features, with length one: (…, T, D) → (…, D)."""
    return F.normalize(frames.mean(dim=-2), dim=-1)


class WholeVideos(Head):
    """A head that compares videos as vectors."""

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return videos as vectors, (V, D)."""
        return {"videos": whole_video(stored["frames"])}
