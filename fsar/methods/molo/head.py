"""MoLo, motion-augmented long-short contrastive learning (Wang et al., CVPR 2023), as its public code computes it.

A video is compared by its frames and by the differences of neighbouring feature maps (motion). In training, a learnt
token that has seen the whole video (long) is also held against single frames of the other videos (short), and a decoder
makes the differences of the pixels from those of the maps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.bi_mhm import bi_mhm
from fsar.methods.blocks.positions import Positions
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.blocks.temporal_transformer import TemporalLayer
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.molo.record import MoloConfig
from fsar.methods.needs import Inputs, Tensors

REDUCTION = 8  # of channels, where motion is computed
DECODER_WIDTHS = (128, 32, 16)
DECODER_SCALES = (2, 8)  # of the maps; the last step is to the size of the pixels, 32 times that of a ResNet's maps

CONTRASTS = ("support_to_query", "query_to_support", "motion_support_to_query", "motion_query_to_support")


class Branch(nn.Module):
    """One sequence of each video with a token for all of it in front, and how these are compared.

    Args:
        width: D.
        settings: of the positions and of the layer.
    """

    def __init__(self, width: int, settings: MoloConfig):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = Positions(settings)
        self.layer = TemporalLayer(
            width, settings.heads, settings.feed_forward, settings.attention_dropout, settings.feed_forward_dropout
        )
        self.scale = nn.Parameter(torch.ones(1))  # of the contrast

    def forward(self, sequence: Tensor) -> Tensor:
        """Put the token in front of a sequence and let all see one another: (V, T, D) → (V, 1 + T, D)."""
        tokens = torch.cat([self.token.expand(len(sequence), -1, -1), sequence], dim=1)
        return F.relu(self.layer(self.positions(tokens), outputs=tokens.shape[1]))

    def contrast(self, support: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Hold the token of one side against the frames of the other.

        Args:
            support: (B, N, 1 + T, D) of the classes.
            queries: (B, Q, 1 + T, D).

        Returns:
            (B, Q, N) distances of the classes' frames to the query's token, and of the query's frames to the class's.
        """
        support_to_query = frame_distances(queries[:, :, :1], support[:, :, 1:]).sum(dim=(-1, -2))
        query_to_support = frame_distances(queries[:, :, 1:], support[:, :, :1]).sum(dim=(-1, -2))
        return self.scale * support_to_query, self.scale * query_to_support


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps bilinearly, corners on corners: (F, C, h, w) → (F, C, H, W).

    As two products of matrices: the gradient of PyTorch's own is not the same twice on a GPU.
    """
    sides = zip(maps.shape[-2:], size, strict=True)
    rows, columns = (weights(old, new, maps.device).to(maps) for old, new in sides)
    return rows @ maps @ columns.T


def weights(old: int, new: int, device: torch.device) -> Tensor:
    """Return what each of the new places takes of the old ones: (new, old), rows of sum 1."""
    place = torch.arange(new, device=device) * ((old - 1) / max(new - 1, 1))  # among the old ones
    return (1 - (place.unsqueeze(1) - torch.arange(old, device=device)).abs()).clamp(min=0)


class Decoder(nn.Module):
    """Makes differences of pixels from differences of maps: three times larger maps, convolution, BatchNorm, ReLU.

    Args:
        channels: r, of the maps.
    """

    def __init__(self, channels: int):
        super().__init__()
        widths = zip((channels, *DECODER_WIDTHS), DECODER_WIDTHS, strict=False)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1, bias=False) for i, o in widths)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in DECODER_WIDTHS)
        self.output = nn.Conv2d(DECODER_WIDTHS[-1], 3, 1)

    def forward(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Decode (F, r, h, w) to (F, 3, H, W) of the size asked for."""
        height, width = maps.shape[-2:]
        sizes = [(scale * height, scale * width) for scale in DECODER_SCALES]
        for larger, convolution, norm in zip([*sizes, size], self.convolutions, self.norms, strict=True):
            maps = resized(maps, larger)
            maps = F.relu(norm(convolution(maps)))
        return self.output(maps)


class Molo(Head):
    """Two branches of the same form, of appearance and of motion, each compared by Bi-MHM."""

    episodes_at_once = 50
    settings: MoloConfig

    def __init__(self, inputs: Inputs, settings: MoloConfig):
        super().__init__(inputs, settings)
        width, reduced = inputs.width, inputs.width // REDUCTION
        if width % settings.heads:
            raise UserError(f"heads is {settings.heads}, which does not divide the backbone's width {width}")
        self.reduce = nn.Conv3d(width, reduced, 3, padding=1)
        self.smooth = nn.Conv2d(reduced, reduced, 3, padding=1)
        self.expand = nn.Conv2d(reduced, width, 1)
        self.appearance = Branch(width, settings)
        self.motion = Branch(width, settings)
        if inputs.classes:
            self.for_training["classifier"] = nn.Linear(width, inputs.classes)
            self.for_training["decoder"] = Decoder(reduced)

    def differences(self, maps: Tensor) -> Tensor:
        """Return the motion between neighbouring maps: (V, T, D, h, w) → (V, T−1, r, h, w).

        The later of two maps is convolved once more than the earlier, as the public code has it.
        """
        reduced = self.reduce(maps.transpose(1, 2)).transpose(1, 2)  # (V, T, r, h, w)
        later = self.smooth(reduced[:, 1:].flatten(0, 1)).unflatten(0, (len(maps), -1))
        return later - reduced[:, :-1]

    def store(self, features: Tensors) -> Tensors:
        """Return the pooled appearance, (V, T, D), and motion, (V, T−1, D); in training, the maps of motion, too."""
        maps = features["maps"]  # (V, T, D, h, w)
        differences = self.differences(maps)
        moving = F.relu(self.expand(differences.flatten(0, 1)))  # (V·(T−1), D, h, w)
        stored = {
            "appearance": maps.mean(dim=(-1, -2)),
            "motion": moving.mean(dim=(-1, -2)).unflatten(0, (len(maps), -1)),
        }
        return stored | ({"differences": differences} if self.training and self.for_training else {})

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the tokens of both branches: (V, 1 + T, D) of appearance, (V, T, D) of motion."""
        return {"appearance": self.appearance(stored["appearance"]), "motion": self.motion(stored["motion"])}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distances of appearance and of motion, (B, Q, N); the token in front is left out."""
        scores = {}
        for name, branch in (("few_shot", "appearance"), ("motion", "motion")):
            distances = frame_distances(queries[branch][:, :, 1:], support[branch][:, :, 0, 1:])
            scores[name] = -bi_mhm(distances)
        return scores

    def score_weights(self) -> dict[str, float]:
        """Return the weights of appearance and motion."""
        return {"few_shot": 1.0, "motion": self.settings.motion_weight}

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return the pooled appearance: (V, T, D)."""
        return stored["appearance"]

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and all losses; that of reconstruction is 0 where the maps of motion were not kept."""
        videos = self.video_stage(episode.stored)
        support, queries = self.arranged(episode, *episode.split(videos))
        logits = self.decide(self.episode_stage(support, queries, episode.text))[0]
        losses = {"few_shot": self.query_loss(logits, episode.labels)}
        for name, distances in self.contrasts(support, queries).items():
            losses[name] = self.query_loss(-distances[0], episode.labels)
        if self.for_training:
            losses["classification"] = F.cross_entropy(self.class_logits(videos), episode.video_classes)
            losses["reconstruction"] = self.reconstruction_loss(episode)
        return logits, losses

    def contrasts(self, support: Tensors, queries: Tensors) -> Tensors:
        """Return the distances between tokens of whole videos and frames, (B, Q, N) each."""
        appearance = self.appearance.contrast(support["appearance"][:, :, 0], queries["appearance"])
        motion = self.motion.contrast(support["motion"][:, :, 0], queries["motion"])
        return dict(zip(CONTRASTS, appearance + motion, strict=True))

    def class_logits(self, videos: Tensors) -> Tensor:
        """Return the logits of the training classes of what `video_stage` returned: (V, C)."""
        pooled = videos["appearance"].mean(dim=1) + videos["motion"].mean(dim=1)  # (V, D)
        return self.for_training["classifier"](pooled)

    def reconstruction_loss(self, episode: TrainingEpisode) -> Tensor:
        """Return the mean squared error of the differences of pixels that are made from those of maps.

        BatchNorm in the decoder sees support and queries together.
        """
        if episode.pixels is None or "differences" not in episode.stored:
            return episode.stored["appearance"].new_zeros(())
        differences = episode.pixels[:, 1:] - episode.pixels[:, :-1]  # (V, T−1, 3, H, W)
        size = differences.shape[-2:]
        made = self.for_training["decoder"](episode.stored["differences"].flatten(0, 1), size)
        return F.mse_loss(made, differences.flatten(0, 1))

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss."""
        settings = self.settings
        return {
            "few_shot": 1.0,
            "classification": settings.classification_weight,
            **dict.fromkeys(CONTRASTS, settings.contrast_weight),
            "reconstruction": settings.reconstruction_weight,
        }
