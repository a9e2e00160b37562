"""EMP-Net, multi-level post-reasoning (Wu et al., ECCV 2024), as its public code computes it.

Tokens of several blocks of a frozen backbone are put together by layers after it. Videos are compared by patches, by
frames (means of patches) and by class tokens, with the support videos and with the text of the classes: six
probabilities, which are averaged.
"""

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.otam import both_directions
from fsar.methods.blocks.similarity import cosine_similarity, frame_distances
from fsar.methods.empnet.prototypes import fused_means
from fsar.methods.empnet.reasoning import HEAD_SHARE, PostReasoning, ReasoningLayer
from fsar.methods.empnet.record import EmpnetConfig
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs, Needs, Tensors

# What videos are compared by; what is kept of them has these names, too.
GRAINS = ("patches", "frames", "tokens")
# Videos whose patches are fused in one call. Those of one are 3 MB at ViT-B/16, and some ten copies are made.
VIDEOS_AT_ONCE = 16
TINY = 1e-30  # for the logarithm of a probability


class Empnet(Head):
    """Reasoning over patches and frames, fusion with text, and OTAM.

    Text comes as each of a class's S texts: a training episode looks at one of them at random, a test at their mean.

    Raises:
        UserError: the backbone has too few blocks, or D is too small.
    """

    classes_apart = False
    # Where shots are averaged first, the prototypes' patches of an episode 5-way are 16 MB at ViT-B/16. 16 of them took
    # 0.8 GB.
    episodes_at_once = 16
    settings: EmpnetConfig

    def __init__(self, inputs: Inputs, settings: EmpnetConfig):
        super().__init__(inputs, settings)
        width, levels = inputs.width, settings.levels
        if inputs.transformer and max(levels) > inputs.transformer.depth:
            raise UserError(
                f"heads.empnet.levels is {levels}, but the backbone has {inputs.transformer.depth} blocks: name others"
            )
        if width < HEAD_SHARE:
            raise UserError(f"EMP-Net needs features of at least {HEAD_SHARE} numbers; the backbone's have {width}")
        self.needs = Needs("tokens", tuple(levels), projected=True)
        self.reasoning = nn.ModuleList(PostReasoning(width, settings) for _ in levels)
        self.relation = nn.ModuleDict({grain: ReasoningLayer(width, settings) for grain in GRAINS})
        self.fusion = nn.ModuleDict({grain: ReasoningLayer(width, settings) for grain in GRAINS})

    # A video by itself.

    def store(self, features: Tensors) -> Tensors:
        """Put the levels together: patches (V, T, P, D), frames and class tokens (V, T, D)."""
        levels = features["tokens"].unbind(dim=2)  # (V, T, 1 + P, D) each
        seen = self.reasoning[0](levels[0])
        for reasoning, level in zip(self.reasoning[1:], levels[1:], strict=True):
            seen = reasoning(seen + level)
        tokens = fuse(self.relation["tokens"], seen[:, :, 0])
        within = torch.cat([tokens.unsqueeze(2), seen[:, :, 1:]], dim=2)  # (V, T, 1 + P, D)
        patches = fuse(self.relation["patches"], within.flatten(0, 1)).view_as(within)[:, :, 1:]
        frames = fuse(self.relation["frames"], patches.mean(dim=2) + seen[:, :, 1:].mean(dim=2))
        return {"patches": patches, "frames": frames, "tokens": tokens}

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return what is compared of query videos, (V, 3, T, D): the frames of each grain."""
        return {"fused": self.fused(stored)}

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Return the same of support videos, with the text of their class; or leave that to the mean of the shots."""
        if self.merges_before(shot):
            return {grain: stored[grain] for grain in GRAINS}
        return {"fused": self.fused(stored, text.mean(dim=1))}

    def merges_before(self, shot: int) -> bool:
        """Tell whether K shots are averaged before text is fused into them."""
        before = self.settings.merge_before
        return shot > 1 if before == "auto" else before

    def makes_prototypes(self, shot: int) -> bool:
        """Tell whether prototypes are means of videos: those of all episodes share what each video needs."""
        return self.merges_before(shot)

    def prototypes(self, stored: Tensors, text: Tensor, sets: Tensor) -> Tensors:
        """Return what `fused` makes of the means of a class's support videos: (n, 3, T, D)."""
        own = text.mean(dim=0)  # (D,)
        layer = cast(ReasoningLayer, self.fusion["patches"])
        each = [fused_means(layer, stored["patches"], own, sets)]
        for grain in ("frames", "tokens"):
            means = F.embedding_bag(sets, stored[grain].flatten(1), mode="mean").view_as(each[0])
            each.append(fuse(self.fusion[grain], means, own.expand(len(sets), -1)))
        return {"fused": torch.stack(each, dim=1)}

    def fused(self, videos: Tensors, text: Tensor | None = None) -> Tensor:
        """Fuse videos with text, or with themselves where there is none.

        Args:
            videos: of `store`.
            text: (V, D).

        Returns:
            (V, 3, T, D) frames of each grain.
        """
        each = [self.fused_patches(videos["patches"], text)]
        each += [fuse(self.fusion[grain], videos[grain], text) for grain in ("frames", "tokens")]
        return torch.stack(each, dim=1)

    def fused_patches(self, patches: Tensor, text: Tensor | None) -> Tensor:
        """Fuse the patches of each place over time, and average them: (V, T, P, D), (V, D) → (V, T, D)."""
        means = []
        for start in range(0, len(patches), VIDEOS_AT_ONCE):
            part = patches[start : start + VIDEOS_AT_ONCE].transpose(1, 2)  # (V, P, T, D)
            own = None
            if text is not None:
                own = text[start : start + VIDEOS_AT_ONCE].repeat_interleave(part.shape[1], dim=0)  # (V·P, D)
            seen = fuse(self.fusion["patches"], part.flatten(0, 1), own)
            means.append(seen.unflatten(0, part.shape[:2]).mean(dim=1))
        return torch.cat(means)

    def class_stage(self, stored: Tensors, text: Tensor) -> Tensors:
        """Return how like each text a video is by each grain, (V, C, 3): means of cosines, of the highest of them."""
        texts = text.mean(dim=1)  # (C, D)
        patches = cosine_similarity(stored["patches"].flatten(1, 2), texts)  # (V, T·P, C)
        patches = patches.unflatten(1, stored["patches"].shape[1:3]).mean(dim=1)
        frames = cosine_similarity(stored["frames"], texts)  # (V, T, C)
        tokens = cosine_similarity(stored["tokens"], texts)
        settings = self.settings
        each = (highest(patches, settings.top_patches), highest(frames, settings.top_frames), tokens)
        return {"text": torch.stack([cosines.mean(dim=1) for cosines in each], dim=-1)}

    # An episode.

    def few_shot(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensor:
        """Return minus OTAM's distances by each grain, (B, Q, N, 3), of what `episode_stage` is given."""
        if "fused" in support:
            prototypes = support["fused"].squeeze(2)
        else:
            merged = {grain: videos.squeeze(2).flatten(0, 1) for grain, videos in support.items()}
            prototypes = self.fused(merged, text.mean(dim=2).flatten(0, 1)).unflatten(0, text.shape[:2])
        distances = frame_distances(queries["fused"].transpose(1, 2), prototypes.transpose(1, 2))  # (B, 3, Q, N, T, T)
        return -both_directions(distances, self.settings.smoothing).movedim(1, -1)

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the probabilities by support videos and by texts, (B, Q, N) each."""
        return probabilities(self.few_shot(support, queries, text), queries["text"])

    def score_weights(self) -> dict[str, float]:
        """Return the share of each probability."""
        share = self.settings.text_score_weight
        total = len(GRAINS) * (1 + share)
        return {**dict.fromkeys(GRAINS, 1 / total), **{f"{grain}_text": share / total for grain in GRAINS}}

    def decide(self, scores: Tensors) -> Tensor:
        """Return the logarithm of the mean probability, (B, Q, N), so that its softmax is the mean again."""
        return super().decide(scores).clamp(min=TINY).log()

    # Training.

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses by support videos (of queries) and by texts (of all videos)."""
        if self.training:
            chosen = int(torch.randint(episode.text.shape[1], ()))
            episode = replace(episode, text=episode.text[:, chosen : chosen + 1])
        support, queries, text = self.staged(episode)
        few_shot = self.few_shot(support, queries, text)
        shots, _ = episode.split(episode.stored)
        by_text = torch.cat([self.class_stage(shots, text[0])["text"], queries["text"][0]])  # (V, N, 3)
        classes = torch.arange(episode.way, device=text.device).repeat_interleave(episode.shot)
        losses = {
            "few_shot": self.cross_entropy(few_shot[0], episode.labels),
            "text": self.cross_entropy(by_text, torch.cat([classes, episode.labels])),
        }
        return self.decide(probabilities(few_shot, queries["text"]))[0], losses

    def cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the sum of the grains' losses: (V, N, 3), (V,) → a scalar."""
        if self.settings.cross_entropy == "probabilities":
            logits = logits.softmax(dim=1)
        return torch.stack([self.query_loss(own, labels) for own in logits.unbind(dim=-1)]).sum()

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and the weight of the class names."""
        return {"few_shot": 1.0, "text": self.settings.text_loss_weight}


def fuse(layer: nn.Module, frames: Tensor, text: Tensor | None = None) -> Tensor:
    """Let frames see one another, or, with a text added to them, frames and text: (V, T, D), (V, D) → (V, T, D)."""
    assert isinstance(layer, ReasoningLayer)
    if text is None:
        return layer.among(frames)
    token = text.unsqueeze(1)
    return layer.between(frames + token, torch.cat([frames, token], dim=1))


def highest(cosines: Tensor, count: int) -> Tensor:
    """Return the highest of each class, (V, n, C) → (V, at most count, C)."""
    return cosines.topk(min(count, cosines.shape[1]), dim=1).values


def probabilities(few_shot: Tensor, text: Tensor) -> Tensors:
    """Turn logits of each grain, (B, Q, N, 3), into the probabilities of classes, (B, Q, N) by their names."""
    named = dict(zip(GRAINS, few_shot.softmax(dim=2).unbind(dim=-1), strict=True))
    return named | {f"{grain}_text": own for grain, own in zip(GRAINS, text.softmax(dim=2).unbind(dim=-1), strict=True)}
