"""The head of TAMT (Wang et al., CVPR 2025, arXiv 2411.19041): covariances of a video's tokens.

Shapes: videos V, time steps t, places of a step P = g², token width W; reduced width c, groups t/2, each of two steps;
episodes B, way N, queries Q.
"""

import torch
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.tamt.record import TamtConfig

ITERATIONS = 3
STABLE = 1e-5


class Tamt(Head):
    """A video is the mean of its tokens plus what its covariances tell; queries are compared with means of shots."""

    episodes_at_once = 500
    settings: TamtConfig

    def __init__(self, inputs: Inputs, settings: TamtConfig):
        super().__init__(inputs, settings)
        width, groups = inputs.width, inputs.frames // 2
        if inputs.frames % 2:
            raise UserError(f"TAMT pairs the time steps of a video, and needs an even number, and not {inputs.frames}")
        first = max(width // settings.reductions[0], 1)
        self.reduced = max(first // settings.reductions[1], 1)
        self.mean_norm, self.token_norm = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.along_time = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.reduce = nn.Sequential(
            nn.Conv2d(width, first, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(),
            nn.Conv2d(first, self.reduced, 1, bias=False), nn.BatchNorm2d(self.reduced), nn.ReLU(),
        )  # fmt: skip
        between = max(groups // 2, 1)
        self.combine = nn.Sequential(
            nn.Conv2d(groups, between, 3, padding=1, bias=False), nn.BatchNorm2d(between), nn.ReLU(),
            nn.Conv2d(between, 1, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(1), nn.ReLU(),
        )  # fmt: skip
        self.project = nn.Linear(self.reduced**2, width)

    def store(self, features: Tensors) -> Tensors:
        """Return what is kept of each video: (V, t, W, g, g) maps → one vector each, (V, W)."""
        places = features["maps"].flatten(3).transpose(2, 3)  # (V, t, P, W)
        return {"video": self.pooled(places) + self.covariances(self.tokens(places))}

    def pooled(self, places: Tensor) -> Tensor:
        """Return the normed mean of the tokens, (V, t, P, W) → (V, W)."""
        return self.mean_norm(places.mean(dim=(1, 2)))

    def tokens(self, places: Tensor) -> Tensor:
        """Return the tokens with what a convolution along time tells of each, normed: (V, t, P, W) → the same."""
        moving = places.permute(0, 2, 3, 1)  # (V, P, W, t)
        convolved = self.along_time(moving.flatten(0, 1)).unflatten(0, moving.shape[:2])
        if self.settings.axes == "published":
            back = convolved.contiguous().view(places.shape)
        else:
            back = convolved.permute(0, 3, 1, 2)
        return self.token_norm(places + back)

    def covariances(self, tokens: Tensor) -> Tensor:
        """Return what the square roots of the covariances tell, (V, t, P, W) → (V, W)."""
        reduced = self.reduce(tokens.permute(0, 3, 1, 2))  # (V, c, t, P)
        halves = reduced.unflatten(2, (2, -1))  # (V, c, 2, t/2, P): a step and that half a video later
        pairs = halves.permute(0, 3, 4, 1, 2).flatten(3)  # (V, t/2, P, 2c)
        centred = pairs - pairs.mean(dim=2, keepdim=True)
        roots = square_root(centred.transpose(2, 3) @ centred / pairs.shape[2])
        return self.project(self.combine(roots).flatten(1))

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the squared distance of every query to every class's mean, (B, Q, N), or as published."""
        shots, asked = support["video"], queries["video"]  # (B, N, K, W), (B, Q, W)
        prototypes = shots.mean(dim=2)
        if self.settings.score == "published" and shots.shape[2] == 1:
            return {"few_shot": asked @ prototypes.transpose(1, 2)}
        return {"few_shot": -(asked.unsqueeze(2) - prototypes.unsqueeze(1)).square().sum(dim=-1)}

    # The published score depends on how many shots there are, so the head is given each of them.
    averages_shots = False

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return the vector of each video as its only frame, (V, 1, W)."""
        return stored["video"].unsqueeze(1)


def square_root(matrices: Tensor) -> Tensor:
    """Return square roots of symmetric matrices, (…, d, d), by Newton–Schulz (Li et al., arXiv 1712.01034)."""
    trace = matrices.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    scaled = matrices / (trace + STABLE)
    three = 3 * torch.eye(matrices.shape[-1], device=matrices.device, dtype=matrices.dtype)
    inverse = (three - scaled) / 2
    root = scaled @ inverse
    for _ in range(ITERATIONS - 2):
        step = (three - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return (root @ (three - inverse @ root)) / 2 * trace.sqrt()
