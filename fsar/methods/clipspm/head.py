"""CLIP-SPM, prompt-guided semantic prototype modulation (arXiv 2512.19036), as its public code computes it.

The frames of a video see a token: of a support video the text of its class, of a query one that is made from the
episode's classes. Then the videos of an episode see one another, with a prototype of each class that is the mean of its
support videos and of all queries: so a query's scores depend on the others that are asked with it.

Tests ask each query alone. Most of what they compute is then the same for all queries of an episode, or of a video:
`fsar/methods/clipspm/sums.py` keeps it.
"""

from typing import cast

import torch
from torch import Tensor, nn

from fsar.methods.blocks.otam import both_directions
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.blocks.temporal_transformer import TemporalLayer
from fsar.methods.clipspm.record import ClipspmConfig
from fsar.methods.clipspm.sums import Parts, Table, attended, fed_means, joined, named, parts_named, parts_of, table_of
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs, Tensors


def gate(width: int, hidden: float, slope: float) -> nn.Sequential:
    """Make what tells how much of each channel passes, from 0 to 1: (..., D) → (..., D).

    Args:
        width: D.
        hidden: its hidden width, as a multiple of D.
        slope: ν, of the leaky ReLU.
    """
    inner = round(width * hidden)
    return nn.Sequential(nn.Linear(width, inner), nn.LeakyReLU(slope), nn.Linear(inner, width), nn.Sigmoid())


class Motion(nn.Module):
    """What moves in a video, and the factor of the loss that asks it to stay when the video sees it.

    Args:
        width: D.
    """

    def __init__(self, width: int):
        super().__init__()
        self.convolutions = nn.Sequential(*(nn.Conv1d(width, width, 3, padding=1) for _ in range(2)))
        # Learnt with everything else, as in the public code: a smaller factor is a smaller loss, so training lowers it.
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the motion of each video: convolved frames minus their neighbours, averaged; (V, T, D) → (V, D)."""
        convolved = self.convolutions(frames.transpose(1, 2)).transpose(1, 2)
        forwards, backwards = convolved[:, 1:] - frames[:, :-1], convolved[:, :-1] - frames[:, 1:]
        return (forwards + backwards).mean(dim=1) / 2


class Clipspm(Head):
    """Tokens of text in support and queries, and prototypes of both."""

    averages_shots = False
    classes_apart = False
    queries_apart = False
    # An episode 5-way 5-shot keeps 7 MB of its support, and has 2 MB of the inner width for each query.
    episodes_at_once = 16
    settings: ClipspmConfig

    def __init__(self, inputs: Inputs, settings: ClipspmConfig):
        super().__init__(inputs, settings)
        width = inputs.width
        self.text_gate = gate(width, settings.text_gate, settings.slope)
        self.frame_gate = gate(width, settings.frame_gate, settings.slope)
        self.make_token = nn.Sequential(
            nn.Linear(width, settings.feed_forward),
            nn.GELU(),
            nn.Dropout(settings.feed_forward_dropout),
            nn.Linear(settings.feed_forward, width),
            nn.Dropout(settings.feed_forward_dropout),
        )
        self.within_video, self.across_videos = (
            TemporalLayer(
                width,
                settings.heads,
                settings.feed_forward,
                settings.attention_dropout,
                settings.feed_forward_dropout,
                settings.head_width,
            )
            for _ in range(2)
        )
        if inputs.classes:
            self.for_training["motion"] = Motion(width)

    def fuse(self, gated: Tensor, tokens: Tensor) -> Tensor:
        """Let the frames of videos see a token.

        Args:
            gated: (V, T, D) frames after their gate.
            tokens: (V, D).

        Returns:
            (V, T + 1, D) frames, and the token as it has seen them.
        """
        added = self.settings.text_strength * tokens * self.text_gate(tokens)
        seen = torch.cat([gated + added.unsqueeze(1), tokens.unsqueeze(1)], dim=1)
        return self.within_video(seen, outputs=seen.shape[1])  # type: ignore[no-any-return]

    def gated(self, frames: Tensor) -> Tensor:
        """Let of each frame pass what its gate says: (V, T, D) → (V, T, D)."""
        return frames * self.frame_gate(frames)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the frames after their gate, (V, T, D), and the mean of a video's features, (V,).

        In tests also what the layer within a video makes of these frames (`Parts`).
        """
        gated, mean = self.gated(stored["frames"]), stored["frames"].mean(dim=(1, 2))
        if self.training:
            return {"gated": gated, "mean": mean}
        return {"gated": gated, "mean": mean, **named(parts_of(self.within_video, gated), "within_")}

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return the frames after they have seen the text of their class, (V, T, D).

        In tests also what the layer across videos makes of each frame (`Parts`, of one).
        """
        frames = self.fuse(self.gated(stored["frames"]), text)[:, :-1]
        if self.training:
            return {"frames": frames}
        return {"frames": frames, **named(parts_of(self.across_videos, frames.unsqueeze(-2)), "across_")}

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Put the parts of all support videos side by side, frame by frame: (B, T, …, N·K, …) each."""
        frames = {"frames": support["frames"]}
        if self.training:
            return frames
        tokens, *by_head = parts_named(support, "across_")  # (B, N, K, T, 1, D) and (B, N, K, T, h, 1, …)
        tokens = tokens.flatten(1, 2).squeeze(-2).transpose(1, 2)
        own = (each.flatten(1, 2).squeeze(-2).permute(0, 2, 3, 1, 4).contiguous() for each in by_head)
        table = table_of(self.across_videos, Parts(tokens.contiguous(), *own))
        return frames | named(table.parts[0], "across_") | {"products": table.products, "shifts": table.shifts}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distances before and after the videos see one another, (B, Q, N) each.

        The episode's token is here the mean of its classes' texts, whatever the labels of the queries are: no stage is
        told these, and so nothing leaks.
        """
        token = text.mean(dim=1)
        if self.training:
            return self.compare(support["frames"], queries, token)
        return self.compare_sums(support, queries, token)

    def compare(self, support: Tensor, queries: Tensors, token: Tensor) -> Tensors:
        """Return the scores of episodes whose token is given.

        Args:
            support: (B, N, K, T, D) frames.
            queries: of `video_stage`, (B, Q, …) each.
            token: (B, D) of each episode.
        """
        way, shot = support.shape[1:3]
        tokens = self.make_token(token.unsqueeze(1) * queries["mean"].unsqueeze(-1))  # (B, Q, D)
        asked = self.fuse(queries["gated"].flatten(0, 1), tokens.flatten(0, 1))[:, :-1]
        asked = asked.unflatten(0, tokens.shape[:2])  # (B, Q, T, D)
        count = shot + asked.shape[1]
        prototypes = (support.sum(dim=2) + asked.sum(dim=1, keepdim=True)) / count  # (B, N, T, D)
        common = prototypes.mean(dim=1, keepdim=True)  # (B, 1, T, D)
        supporting = self.related(torch.cat([prototypes, support.flatten(1, 2)], dim=1))  # (B, N + N·K, T, D)
        related = self.related(torch.cat([common, asked], dim=1))  # (B, 1 + Q, T, D)
        means = supporting[:, way:].unflatten(1, (way, shot)).mean(dim=2)
        # The second is the same for every query.
        task = self.distances(related[:, 1:], means) + self.distances(related[:, :1], supporting[:, :way])
        return {"local": -self.distances(asked, support.mean(dim=2)), "task": -task}

    def compare_sums(self, support: Tensors, queries: Tensors, token: Tensor) -> Tensors:
        """Return what `compare` does, of what `support_together` makes of a support in tests."""
        layer, frames = self.across_videos, support["frames"]
        way, shot = frames.shape[1:3]
        tokens = self.make_token(token.unsqueeze(1) * queries["mean"].unsqueeze(-1))  # (B, Q, D)
        asked = self.fuse_sums(queries, tokens)  # (B, Q, T, D)
        known = Table((parts_named(support, "across_"),), support["products"], support["shifts"])
        table = joined(known, table_of(layer, parts_of(layer, asked.transpose(1, 2).contiguous())))
        count = tokens.shape[1]
        members = torch.eye(way, device=token.device).repeat_interleave(shot, dim=1)  # (N, N·K)
        each = torch.eye(way * shot + count, device=token.device)
        prototypes = torch.cat([members, members.new_ones(way, count)], dim=1) / (shot + count)
        supporting = attended(layer, table, torch.cat([prototypes, each[: way * shot]]))
        means = fed_means(layer, supporting, torch.block_diag(torch.eye(way, device=token.device), members / shot))
        asking = attended(layer, table, torch.cat([prototypes.mean(dim=0, keepdim=True), each[way * shot :]]))
        related = layer.feed(asking).transpose(1, 2)  # (B, 1 + Q, T, D)
        seen = means.transpose(1, 2)  # (B, N + N, T, D)
        task = self.distances(related[:, 1:], seen[:, way:]) + self.distances(related[:, :1], seen[:, :way])
        return {"local": -self.distances(asked, frames.mean(dim=2)), "task": -task}

    def fuse_sums(self, queries: Tensors, tokens: Tensor) -> Tensor:
        """Return the frames of `fuse`, (B, Q, T, D): each is the sum of a frame after its gate and what is added.

        Args:
            queries: of `video_stage` in tests, (B, Q, …) each.
            tokens: (B, Q, D).
        """
        layer, parts = self.within_video, parts_named(queries, "within_")
        frames = parts.tokens.shape[-2]
        added = self.settings.text_strength * tokens * self.text_gate(tokens)
        new = parts_of(layer, torch.stack([added, tokens], dim=-2))
        each = torch.eye(frames + 2, device=tokens.device)
        sums = torch.cat([each[:frames] + each[frames], each[frames + 1 :]])  # the last is the token itself
        seen = attended(layer, joined(table_of(layer, parts), table_of(layer, new)), sums)
        return layer.feed(seen[..., :frames, :])  # type: ignore[no-any-return]

    def related(self, videos: Tensor) -> Tensor:
        """Let the videos of each episode see one another, frame by frame and without order: (B, M, T, D) → the same."""
        sets = videos.transpose(1, 2)  # (B, T, M, D)
        seen = self.across_videos(sets.flatten(0, 1), outputs=sets.shape[2])
        return seen.unflatten(0, sets.shape[:2]).transpose(1, 2)  # type: ignore[no-any-return]

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return OTAM's distances in both directions: (B, Q, T, D), (B, N, T, D) → (B, Q, N)."""
        return both_directions(frame_distances(queries, prototypes), self.settings.smoothing)

    def score_weights(self) -> dict[str, float]:
        """Return the weight of the distances before the videos see one another, and 1."""
        return {"local": self.settings.local_weight, "task": 1.0}

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries and of motion."""
        support, queries, text = self.staged(episode)
        token = text.mean(dim=1)
        if self.settings.episode_token == "labels":
            token = episode.text[episode.video_classes].mean(dim=0, keepdim=True)
        logits = self.decide(self.compare(support["frames"], queries, token))[0]
        losses = {"few_shot": self.query_loss(logits, episode.labels)}
        if self.for_training:
            parts = episode.split(episode.stored)
            change = torch.stack([self.change_of_motion(part["frames"]) for part in parts]).sum()
            losses["motion"] = cast(Motion, self.for_training["motion"]).factor * change
        return logits, losses

    def change_of_motion(self, frames: Tensor) -> Tensor:
        """Return how far the motion of videos that see theirs is from what it has become: (V, T, D) → a scalar."""
        motion = self.for_training["motion"]
        seen = self.fuse(self.gated(frames), motion(frames))
        return (motion(seen[:, :-1]) - seen[:, -1]).square().sum(dim=-1).mean()

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and the weight of the motion loss."""
        return {"few_shot": 1.0, "motion": self.settings.motion_weight}
