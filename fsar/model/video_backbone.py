"""A backbone that looks at clips, where others look at pictures one by one.

Shapes: videos V, their frames T, clips n of F frames each, time steps t of a clip, width D.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.needs import Needs, Tensors
from fsar.model.backbone import Backbone, Tokenizer
from fsar.model.clip_encoders import ClipEncoder, Given
from fsar.model.evaluating import evaluating
from fsar.video_encoders import VideoEncoder


class VideoBackbone(Backbone):
    """An encoder of video, with the text encoder beside it if there is one.

    The T frames of a video are cut into clips of F frames, one after the other; a clip gives t time steps, which heads
    take for frames, or one feature where the config says `features: clips`.

    Args:
        encoders: has `visual`, a `ClipEncoder`.
        about: what is known of it.
        width: D.
        tokenizer: see `Backbone`.
        name: for messages.
    """

    looks_at_clips = True

    def __init__(
        self,
        encoders: nn.Module,
        about: VideoEncoder,
        width: int,
        tokenizer: Callable[[], Tokenizer] | None,
        name: str,
    ):
        super().__init__(encoders, width, about.size, about.mean, about.std, tokenizer, name)
        self.about = about

    def _arrange(self) -> None:
        """Leave weights as they are in memory: a clip's have no order of channels that is faster."""

    @property
    def clip_encoder(self) -> ClipEncoder:
        """The encoder of clips."""
        visual = self.visual
        assert isinstance(visual, ClipEncoder)
        return visual

    def steps(self, frames: int, needs: Needs = Needs()) -> int:  # noqa: B008 (a tuple, which nothing changes)
        """Return how many features a video of T frames has: time steps of all its clips, or its clips."""
        clips = self.about.clips(frames)
        return clips if self.features == "clips" and needs.kind == "frames" else clips * self.about.steps

    def give(self, videos: Tensor, needs: Needs) -> Tensors:
        """Encode videos, and return what a head asks for, by name; float32; see `Backbone.give`."""
        return self._of_videos(self.normalise(videos).unflatten(0, videos.shape[:2]), needs)

    def clips(self, videos: Tensor) -> Tensor:
        """Cut videos into clips, (V, T, 3, H, W) → (V·n, F, 3, H, W)."""
        count = self.about.clips(videos.shape[1])
        if videos.shape[1] < self.about.frames:
            videos = videos.repeat_interleave(self.about.frames // videos.shape[1], dim=1)
        return videos.unflatten(1, (count, self.about.frames)).flatten(0, 1)

    def _of_videos(self, videos: Tensor, needs: Needs) -> Tensors:
        """Return what a head asks for of normalised videos, (V, T, 3, H, W) → (V, …) each."""
        if needs.kind == "tokens":
            raise UserError(
                f"{self.name} is an encoder of video, and the method looks into the layers of one of pictures: choose "
                "methods of frames or maps"
            )
        given: Given = self.visual(self.clips(videos))
        if needs.kind == "maps":
            found = given.tokens.movedim(-1, 2)  # (V·n, t, W, g, g)
        else:
            found = given.clips.unsqueeze(1) if self.features == "clips" else given.steps
        return {needs.kind: found.float().unflatten(0, (len(videos), -1)).flatten(1, 2)}

    def width_of(self, needs: Needs) -> int:
        """Return the width of what a head asks for."""
        return self.map_width() if needs.kind == "maps" else self.width

    def map_width(self) -> int:
        """Return the width of a token."""
        return self.about.width

    def probe(self, needs: Needs) -> Tensors:
        """Return what a head asks for of a black clip."""
        return self._of_videos(self._black(self.about.frames).unsqueeze(0), needs)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass."""
        self.clip_encoder.checkpoint_activations()


def check_size(about: VideoEncoder, model: str, size: int) -> None:
    """Check that an encoder is given pictures of its own size.

    Raises:
        UserError: `size` is neither that nor 0.
    """
    if size not in (0, about.size):
        raise UserError(f"{model} takes pictures of {about.size} pixels and no others: leave backbones.….size out")


@torch.no_grad()
def width_of_features(visual: ClipEncoder, about: VideoEncoder) -> int:
    """Return D: what a clip gives."""
    with evaluating(visual):
        return int(visual(torch.zeros(1, about.frames, 3, about.size, about.size)).clips.shape[-1])
