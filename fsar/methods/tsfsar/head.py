"""TS-FSAR, a side network beside a frozen CLIP (AAAI 2026), as its public code computes it.

Frames are described by the α-distances of the side network's channels, and pairs of frames weighted by a matrix that is
made for each query. In training, CLIP's comparison with texts is distilled into a classification of these descriptions.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, joint space D, side width d, numbers of a frame's
description R = d(d+1)/2, training classes C.
"""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.backbone import Backbone
from fsar.methods.blocks.attention import Attention
from fsar.methods.blocks.similarity import frame_similarities
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs, Needs, Tensors, TransformerSizes
from fsar.methods.tsfsar.distance_correlation import descriptions
from fsar.methods.tsfsar.principal import fill_attention, fill_block
from fsar.methods.tsfsar.record import TsfsarConfig
from fsar.methods.tsfsar.side_network import SideBlock, SideNetwork


def at(one_and_several: Sequence[float], shot: int) -> float:
    """Return the value of a setting that is one for one support video of a class and another for several."""
    return one_and_several[shot > 1]


class FrameAdapter(nn.Module):
    """Mixes CLIP's features of a video's frames with what attention over the frames finds.

    Args:
        width: D.
        heads: attention heads.
        ratio: ρ, share of what is found; 2 − ρ is that of the features.
    """

    def __init__(self, width: int, heads: int, ratio: float):
        super().__init__()
        self.ratio = ratio
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)

    def forward(self, frames: Tensor) -> Tensor:
        """Map (V, T, D) to the same."""
        normed = self.norm(frames)
        return (2 - self.ratio) * frames + self.ratio * self.attention.attend(normed, normed)


class Tsfsar(Head):
    """The few-shot metric on the side network's descriptions, and two comparisons with the texts of classes."""

    looks_at_all_texts = True
    shots_apart = ("side",)  # the powers of the decision depend on K
    classes_apart = False  # the weights of pairs of frames look at the support of all classes
    # A description of a video has T·R numbers, 1 MB. The ten of an episode stay in the processor's cache.
    episodes_at_once = 1
    settings: TsfsarConfig

    def __init__(self, inputs: Inputs, settings: TsfsarConfig):
        super().__init__(inputs, settings)
        beside = fitting(inputs, settings)
        self.needs = Needs("tokens", tuple(range(beside.depth + 1)))
        width, frames = settings.side_width, inputs.frames
        heads = width // settings.head_width
        self.side = SideNetwork(beside, width, heads, settings.temporal_layers, settings.gate_temperature)
        self.generator = nn.Linear(width, frames * frames, bias=False)
        self.adapter = FrameAdapter(inputs.width, settings.adapter_heads, settings.adapter_ratio)
        self.enlarge_norm = nn.LayerNorm(width)
        self.enlarge = nn.Linear(width, inputs.width, bias=False)
        if inputs.classes:
            self.for_training["dropout"] = nn.Dropout(settings.dropout)
            self.for_training["classifier"] = nn.Linear(width * (width + 1) // 2, inputs.classes, bias=False)

    def initialise(self, backbone: Backbone) -> None:
        """Make the side network's blocks of those beside it, and the adapter's attention of the last of them."""
        blocks = backbone.transformer.blocks
        for side, block in zip(self.side.blocks, blocks, strict=True):
            fill_block(cast(SideBlock, side), block)
        fill_attention(self.adapter.attention, blocks[-1])

    def store(self, features: Tensors) -> Tensors:
        """Return the description of each frame, (V, T, R), its class token in the side network, (V, T, d), and CLIP's.

        CLIP's is its frame feature, (V, T, D).
        """
        side = self.side(features["tokens"])  # (V, T, 1 + P, d)
        described = descriptions(side.flatten(0, 1), self.settings.alpha).unflatten(0, side.shape[:2])
        return {"described": described, "side": side[:, :, 0], "frames": features["frames"]}

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the descriptions, (V, T, R), and the mean class token of the side network, (V, d)."""
        return {"described": stored["described"], "side": stored["side"].mean(dim=1)}

    def class_stage(self, stored: Tensors, text: Tensor) -> Tensors:
        """Return the cosines of the texts of classes with CLIP's features and with the side network, (V, C) each."""
        videos = {
            "text_clip": self.adapter(stored["frames"]).mean(dim=1),  # (V, D)
            "text_side": self.enlarge(self.enlarge_norm(stored["side"])).mean(dim=1),
        }
        return {name: F.normalize(each, dim=-1) @ F.normalize(text, dim=-1).T for name, each in videos.items()}

    def few_shot_scores(self, support: Tensors, queries: Tensors) -> Tensor:
        """Return the weighted similarities of frames with those of the mean of each class's support: (B, Q, N).

        Args:
            support: of `video_stage`, means of descriptions (B, N, 1, T, R) and (B, N, K, …).
            queries: (B, Q, …).
        """
        frames = self.inputs.frames
        similarities = frame_similarities(queries["described"], support["described"].squeeze(2))  # (B, Q, N, T, T)
        task = support["side"].mean(dim=(1, 2)).unsqueeze(1) + queries["side"]  # (B, Q, d)
        pairs = self.generator(task).unflatten(-1, (1, frames, frames))  # (B, Q, 1, T, T)
        return (similarities * pairs).sum(dim=(-1, -2))

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the three scores of `powers`."""
        return self.powers(self.few_shot_scores(support, queries), queries, support["side"].shape[2])

    def powers(self, few_shot: Tensor, cosines: Tensors, shot: int) -> Tensors:
        """Return the logarithms of powers of three probabilities, each up to a number of the query's own.

        The public code multiplies softmax(few-shot)^a, softmax(CLIP's text logits)^b and softmax(the side network's)^c.
        A softmax is its logits' exponential divided by one number for all classes, so that the sum of a, b and c times
        the logits decides the same, and has the product, made to add up to 1, as its own softmax.

        Args:
            few_shot: (B, Q, N) of `few_shot_scores`.
            cosines: (B, Q, N) each, of `class_stage`.
            shot: K.
        """
        settings = self.settings
        scale = at(settings.text_scale, shot)
        return {
            "few_shot": at(settings.few_shot_power, shot) * few_shot,
            "text_clip": at(settings.text_clip_power, shot) * scale * cosines["text_clip"],
            "text_side": at(settings.text_side_power, shot) * scale * cosines["text_side"],
        }

    def score_weights(self) -> dict[str, float]:
        """Return 1 for each score: their powers depend on K, and are in them."""
        return {"few_shot": 1.0, "text_clip": 1.0, "text_side": 1.0}

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits and all losses; all but the few-shot one are of all videos and training classes."""
        cosines = self.class_stage(episode.stored, episode.text)  # (V, C) each
        support, queries = self.arranged(episode, *episode.split(self.video_stage(episode.stored)))
        few_shot = self.few_shot_scores(support, queries)  # (1, Q, N)
        asked = {name: each[episode.supports :, episode.classes].unsqueeze(0) for name, each in cosines.items()}
        logits = self.decide(self.powers(few_shot, asked, episode.shot))[0]
        scale, classes = at(self.settings.text_scale, episode.shot), episode.video_classes
        losses = {"few_shot": self.query_loss(few_shot[0], episode.labels)}
        if self.for_training:
            described = episode.stored["described"].mean(dim=1)  # (V, R)
            by_class = self.for_training["classifier"](self.for_training["dropout"](described))  # (V, C)
            losses["classification"] = F.cross_entropy(by_class, classes)
            losses["distillation"] = self.distillation_loss(by_class, scale * cosines["text_clip"])
        losses["text_side"] = F.cross_entropy(scale * cosines["text_side"], classes)
        losses["text_clip"] = F.cross_entropy(scale * cosines["text_clip"], classes)
        return logits, losses

    def distillation_loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Return t²·KL(teacher ‖ student) of logits, (V, C) each, at temperature t; both have its gradient."""
        temperature = self.settings.distillation_temperature
        wanted, found = (teacher / temperature).softmax(dim=-1), (student / temperature).log_softmax(dim=-1)
        return temperature**2 * F.kl_div(found, wanted, reduction="batchmean")

    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss for one support video of a class."""
        return self.loss_weights_at(1)

    def loss_weights_at(self, shot: int) -> dict[str, float]:
        """Return the weight of each loss in episodes of K shots."""
        settings = self.settings
        distillation = at(settings.distillation_weight, shot)
        return {
            "few_shot": 1.0,
            "classification": settings.classification_weight,
            "text_side": at(settings.text_side_weight, shot),
            "text_clip": distillation,
            "distillation": distillation,
        }

    def learning_rate_factors(self) -> Sequence[tuple[nn.Module, float]]:
        """Return what makes the weights of pairs of frames, and the adapter, with their factors."""
        settings = self.settings
        return (
            (self.generator, settings.generator_learning_rate_factor),
            (self.adapter, settings.adapter_learning_rate_factor),
        )


def fitting(inputs: Inputs, settings: TsfsarConfig) -> TransformerSizes:
    """Return the sizes of the transformer that the side network is beside.

    Raises:
        UserError: the backbone has none, or the settings do not fit it.
    """
    beside = inputs.transformer
    if beside is None:
        raise UserError("TS-FSAR looks into the layers of a visual transformer: choose a backbone such as ViT-B-16")
    if settings.side_width > beside.width:
        raise UserError(
            f"heads.tsfsar.side_width is {settings.side_width}, but the side network starts from the backbone's "
            f"blocks, of width {beside.width}: set it to that or less"
        )
    if settings.side_width % settings.head_width:
        raise UserError(
            f"heads.tsfsar.head_width is {settings.head_width}, which does not divide side_width {settings.side_width}"
        )
    if inputs.width % settings.adapter_heads:
        raise UserError(
            f"heads.tsfsar.adapter_heads is {settings.adapter_heads}, which does not divide the backbone's width "
            f"{inputs.width}"
        )
    if missing := [number for number in settings.temporal_layers if number >= beside.depth]:
        raise UserError(
            f"heads.tsfsar.temporal_layers names the blocks {missing}, but the backbone has {beside.depth}, which are "
            f"counted from 0: name others, or none with []"
        )
    return beside
