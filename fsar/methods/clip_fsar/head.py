"""CLIP-FSAR: CLIP-guided prototype modulating for few-shot action recognition (Wang et al., IJCV 2023).

A video is the features of its T frames, f = [f_1 … f_T] in CLIP's joint space; a class has the text feature w of its
name. The paper, top to bottom:

1. Prototype modulation (Sec. 3.3): one temporal transformer lets the frames of each video see one another
   and, in the support, whose class is known, the text of that class: f̃_S = T([f_S, w]), f̃_Q = T(f_Q).
2. Matching (Eq. 5 and 6): OTAM in both directions on the frame distances D = 1 − cos(f̃_Q, f̃_S): less is nearer.
3. Video-text objective (Eq. 2): in training, every video's mean frame against the texts of all training classes.
4. The loss (Eq. 8) is that of the few-shot logits plus λ_vt times that of the objective.
5. With class names (†, Eq. 7): p = p_text^β · p_few-shot^(1−β), in `decision.py` beside this file.

OTAM itself lies in `fsar/methods/blocks/otam.py`, the transformer in `fsar/methods/blocks/temporal_transformer.py`.

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D, training classes C.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.blocks.temporal_transformer import TemporalLayer, TemporalTransformer
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.otam.head import Otam


class ClipFsar(Otam):
    """OTAM on modulated frames, trained with the video-text objective; either can be left out (Table 4).

    Raises:
        UserError: the attention heads do not divide D.
    """

    settings: ClipFsarConfig

    def __init__(self, inputs: Inputs, settings: ClipFsarConfig):
        super().__init__(inputs, settings)
        self.looks_at_all_texts = settings.video_text_weight > 0
        self.temporal_transformer = temporal_transformer(inputs.width, settings) if settings.modulation else None
        # The learnt scale of the objective's cosines, 1 at the start.
        self.scale = nn.Parameter(torch.ones(1)) if settings.video_text_weight else None
        self.text_weight = settings.text_weight  # β

    # 1. Prototype modulation.

    def modulate(self, frames: Tensor, text: Tensor | None = None) -> Tensor:
        """Let the frames of each video see one another, and the text of the video's class if it is known.

        Args:
            frames: (V, T, D).
            text: (V, D), w of support videos; None for queries.

        Returns:
            (V, T, D).
        """
        return frames if self.temporal_transformer is None else self.temporal_transformer(frames, text)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Modulate query videos: f̃_Q, (V, T, D), as the metric compares it."""
        return self.represent(self.modulate(stored["frames"]))

    def support_stage(self, stored: Tensors, text: Tensor, shot: int) -> Tensors:
        """Modulate support videos, each with the text of its class: f̃_S; or, as published, leave that to their mean."""
        if self._modulates_the_mean(shot):
            return {"unmodulated": stored["frames"]}
        return self.represent(self.modulate(stored["frames"], text))

    def support_like_queries(self, shot: int) -> bool:
        """Tell whether support videos are represented as queries are: where nothing is modulated."""
        return self.temporal_transformer is None

    def _modulates_the_mean(self, shot: int) -> bool:
        averages_before = shot > 1 and self.settings.merge == "before" and self.averages_shots
        return averages_before and self.temporal_transformer is not None

    # 2. Matching.

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Match queries with prototypes, or with all shots: minus the distance, (B, Q, N)."""
        if "unmodulated" in support:
            means = support["unmodulated"]  # (B, N, 1, T, D)
            modulated = self.modulate(means.flatten(0, 2), text.flatten(0, 1)).view_as(means)
            support = self.represent(modulated)
        return super().episode_stage(support, queries, text)

    # 3. The video-text objective.

    def class_logits(self, frames: Tensor, text: Tensor) -> Tensor:
        """Return scale · cos(mean over frames, text) of videos and all training classes: (V, T, D), (C, D) → (V, C)."""
        if self.scale is None:
            raise ValueError("this model has no video-text objective")
        return self.scale * cosine_similarity(frames.mean(dim=1), text)

    def text_scale(self) -> Tensor | None:
        """Return the trained scale of cosines with texts, where there is one."""
        return self.scale

    # 4. The loss.

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the queries' logits, (Q, N), and the terms of Eq. 8: of queries, and of videos against all texts."""
        logits, losses = super().losses(episode)
        if self.scale is not None:
            class_logits = self.class_logits(episode.stored["frames"], episode.text)
            losses["video_text"] = F.cross_entropy(class_logits, episode.video_classes)
        return logits, losses

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and λ_vt."""
        weights = {"few_shot": 1.0}
        return weights if self.scale is None else weights | {"video_text": self.settings.video_text_weight}

    # For figures and for clips without an episode.

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return modulated frames as they are matched, with the text of their class if it is given, (V, D)."""
        return super().single_frames({"frames": self.modulate(stored["frames"], text)})


def temporal_transformer(width: int, settings: ClipFsarConfig) -> TemporalTransformer:
    """Build the transformer that modulates frames of D numbers; raises UserError if its heads do not divide D."""
    if width % settings.heads:
        raise UserError(
            f"heads.clip_fsar.heads is {settings.heads}, which does not divide the backbone's width {width}"
        )
    return TemporalTransformer(
        TemporalLayer(
            width,
            settings.heads,
            settings.feed_forward,
            settings.attention_dropout,
            settings.feed_forward_dropout,
        )
        for _ in range(settings.depth)
    )
