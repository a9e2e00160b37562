"""SOAP's gains (Huang et al., ACM MM 2024): pixels are multiplied before the backbone sees them.

x ← x·(4 + σ(s) + σ(c) + σ(m)) of normalised pixels x, as the public code computes it: s is one number of each pixel
and frame, c one of each frame and channel, m one of each video and channel, of what changes from frame to frame.

Shapes: videos V, frames T, pictures (V·T, 3, H, W).
"""

import torch
from torch import Tensor, nn

from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.soap.record import SoapConfig

COLOURS = 3
HIDDEN = 16  # channels of what c is made of
WINDOWS = (1, 2, 3)  # frames that are compared with as many, one later


class RandomLayers(nn.Module):
    """The layers that the public code draws anew at every forward: those along time and between windows of frames.

    Args:
        frames: T. Windows of as many frames, or more, have none to be compared with.
    """

    def __init__(self, frames: int):
        super().__init__()
        self.windows = [size for size in WINDOWS if size < frames]
        self.time = nn.Conv1d(frames, frames, 3, padding=1)
        self.next = nn.ModuleList(nn.Conv2d(COLOURS * size, COLOURS * size, 3, padding=1) for size in self.windows)
        self.back = nn.ModuleList(nn.Linear(COLOURS * size, COLOURS) for size in self.windows)


class Gains(nn.Module):
    """The three gains.

    Args:
        frames: T.
        misread: planes lie in memory by frame and then channel, and are taken for such by channel and then frame.
    """

    def __init__(self, frames: int, misread: bool):
        super().__init__()
        self.frames, self.misread = frames, misread
        self.place = nn.Conv3d(1, 1, 3, padding=1, bias=False)
        self.expand = nn.Conv2d(COLOURS, HIDDEN, 3, padding=1, bias=False)
        self.contract = nn.Linear(HIDDEN, COLOURS, bias=False)

    def forward(self, pictures: Tensor, layers: RandomLayers) -> Tensor:
        """Multiply pictures by their gains: (V·T, 3, H, W) → the same."""
        videos = pictures.unflatten(0, (-1, self.frames))  # (V, T, 3, H, W)
        if self.misread:
            videos = videos.reshape(len(videos), COLOURS, self.frames, *pictures.shape[2:]).transpose(1, 2)
        gains = self._of_places(videos) + self._of_frames(pictures, layers) + self._of_videos(videos, layers)
        return pictures * (4 + gains.flatten(0, 1))

    def _of_places(self, videos: Tensor) -> Tensor:
        """Return σ(s), (V, T, 1, H, W)."""
        found: Tensor = self.place(videos.mean(dim=2).unsqueeze(1))
        return found.sigmoid().transpose(1, 2)

    def _of_frames(self, pictures: Tensor, layers: RandomLayers) -> Tensor:
        """Return σ(c), (V, T, 3, 1, 1)."""
        means = self.expand(pictures).mean(dim=(2, 3)).unflatten(0, (-1, self.frames))  # (V, T, 16)
        found: Tensor = self.contract(layers.time(means))
        return found.sigmoid()[..., None, None]

    def _of_videos(self, videos: Tensor, layers: RandomLayers) -> Tensor:
        """Return σ(m), (V, 1, 3, 1, 1): m is 0 where there is one frame."""
        found = [videos.new_zeros(len(videos), 0, COLOURS)]
        for size, following, back in zip(layers.windows, layers.next, layers.back, strict=True):
            windows = torch.stack([videos[:, i : i + size].flatten(1, 2) for i in range(self.frames - size + 1)], dim=1)
            expected = following(windows[:, 1:].flatten(0, 1)).mean(dim=(2, 3))  # (V·(T − s), 3·s)
            seen = windows[:, :-1].mean(dim=(3, 4)).flatten(0, 1)
            found.append(back(seen - expected).unflatten(0, (len(videos), -1)))
        changes = torch.cat(found, dim=1)  # (V, 3·T − 6, 3)
        mean = changes.sum(dim=1) / max(changes.shape[1], 1)
        return mean.sigmoid()[:, None, :, None, None]


class SoapAdapters(Adapters):
    """Gains of the pixels, before any visual encoder.

    Layers that are drawn anew are drawn from the state of the program in training, which is that of the episode; in
    evaluation from `draw_seed`, the same for every video.
    """

    settings: SoapConfig

    def __init__(self, backbone: Backbone, frames: int, settings: SoapConfig):
        super().__init__(backbone, frames, settings)
        self.gains = Gains(frames, settings.axes == "misread")
        self.layers = RandomLayers(frames) if settings.layers == "registered" else None
        backbone.visual.register_forward_pre_hook(self._before)

    def _before(self, module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        return (self.gained(given[0]),)

    def gained(self, pictures: Tensor) -> Tensor:
        """Return pictures times their gains, (V·T, 3, H, W)."""
        gained: Tensor = self.gains(pictures, self.layers or self._drawn().to(pictures))
        return gained

    def _drawn(self) -> RandomLayers:
        if self.training:
            return RandomLayers(self.frames).requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.draw_seed)
            return RandomLayers(self.frames).requires_grad_(False)
