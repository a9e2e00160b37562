"""Tests of a model whose features depend on the episode: its last blocks run within it.

What a video's frames are before the first block that looks at other videos is computed once per video, and kept.
Shapes: episodes at once B, way N, shot K, queries Q, videos V, frames T, tokens of a frame L, token width W.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

from fsar.methods.adapters import Adapters
from fsar.methods.head import Head
from fsar.methods.needs import Tensors
from fsar.model.backbone import Backbone

TOKENS = "tokens"


def tokens_before(backbone: Backbone, adapters: Adapters, videos: Tensor) -> Tensors:
    """Return what depends on a video alone, (V, T, H, W, 3) RGB bytes → (V, T, L, W) tokens."""
    transformer = backbone.transformer
    tokens = transformer.through(transformer.embed(backbone.normalise(videos)), 0, adapters.first_across)
    return {TOKENS: tokens.float().unflatten(0, videos.shape[:2])}


class InEpisode(Head):
    """A head that first takes the tokens of an episode's videos through the blocks in which these look at one another.

    Queries are asked as the evaluation asks them: alone, or all of an episode at once, which then look at one another.

    Args:
        backbone: with its adapters.
        head: of the method, which looks at frame features.
        arithmetic: what the blocks run in, as a context: that of training's precision where it validates.
    """

    averages_shots = False
    queries_apart = False
    episodes_at_once = 4

    def __init__(
        self, backbone: Backbone, head: Head, arithmetic: Callable[[], AbstractContextManager[object]] = nullcontext
    ):
        super().__init__(head.inputs, head.settings)
        assert backbone.adapters is not None
        self.backbone, self.head, self.adapters, self.arithmetic = backbone, head, backbone.adapters, arithmetic
        self.classes_apart, self.queries_together = head.classes_apart, head.queries_together

    def _frames(self, tokens: Tensor) -> Tensor:
        """Return frame features of videos that look at one another, (B, V, T, L, W) → (B, V, T, D)."""
        transformer = self.backbone.transformer
        self.adapters.videos_together = tokens.shape[1]
        try:
            with self.arithmetic():
                features = transformer.frames(transformer.through(tokens.flatten(0, 2), self.adapters.first_across))
        finally:
            self.adapters.videos_together = None
        return features.float().unflatten(0, tokens.shape[:3])

    def frames_of(self, stored: Tensors) -> Tensor:
        """Return frame features of some videos that look at one another: (V, T, L, W) tokens → (V, T, D)."""
        return self._frames(stored[TOKENS].unsqueeze(0))[0]

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Encode an episode's support: (B, N, K, T, L, W) tokens → what the head compares, (B, N, K or 1, …) each."""
        tokens = support[TOKENS]
        way, shot = tokens.shape[1:3]
        frames = self._frames(tokens.flatten(1, 2)).flatten(0, 1)  # (B·N·K, T, D)
        own = text.repeat_interleave(shot, dim=1).flatten(0, 1)  # (B·N·K, …)
        staged = self.head.support_stage(self.head.store({"frames": frames}), own, shot)
        return self.head.merge({name: each.unflatten(0, (-1, way, shot)) for name, each in staged.items()})

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the head's scores, of encoded support and of queries whose tokens are encoded here."""
        tokens = queries[TOKENS]
        asked = self.head.store({"frames": self._frames(tokens).flatten(0, 1)})
        staged = {name: each.unflatten(0, tokens.shape[:2]) for name, each in self.head.video_stage(asked).items()}
        return self.head.episode_stage(support, staged, text)

    def score_weights(self) -> Mapping[str, float]:
        """Return those of the head."""
        return self.head.score_weights()

    def decide(self, scores: Tensors) -> Tensor:
        """Decide as the head does."""
        return self.head.decide(scores)
