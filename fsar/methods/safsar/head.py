"""The head of SAFSAR (Tang et al., WACV 2024) as hsp-iit/fsosar has it: words in prototypes, prototypes beside a query.

Shapes: episodes B, way N, shot K, queries Q, videos V, features of a video T, width D, tokens of a text L; training
classes C.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsar.errors import UserError
from fsar.methods.head import Head, TrainingEpisode
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.safsar.record import SafsarConfig


class Safsar(Head):
    """Similarities are cosines between a query and the prototypes of the episode, after one layer that sees them all.

    Text comes as the tokens of each class, (…, L, D), those after its end zero.
    """

    classes_apart = False
    episodes_at_once = 100
    settings: SafsarConfig

    def __init__(self, inputs: Inputs, settings: SafsarConfig):
        super().__init__(inputs, settings)
        width = inputs.width
        if width % settings.heads:
            raise UserError(
                f"heads.safsar.heads is {settings.heads}, which does not divide the width of the backbone's features, "
                f"{width}"
            )

        def layers(count: int) -> nn.TransformerEncoder:
            layer = nn.TransformerEncoderLayer(
                width, settings.heads, settings.feed_forward, settings.dropout, batch_first=True
            )
            return nn.TransformerEncoder(layer, count, enable_nested_tensor=False)

        self.norm = nn.LayerNorm(width)
        self.fusion, self.relation = layers(settings.fusion_layers), layers(1)
        if inputs.classes:
            self.for_training["classifier"] = nn.Linear(width, inputs.classes)

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the normed mean of each video's features, (V, T, D) → (V, D)."""
        return {"video": self.norm(stored["frames"].mean(dim=1))}

    def support_together(self, support: Tensors, text: Tensor) -> Tensors:
        """Return each class's mean with the words of its text, (B, N, 1, D) and (B, N, L, D) → (B, N, 1, D)."""
        means = support["video"]
        tokens = torch.cat([means, text.to(means.dtype)], dim=2).flatten(0, 1)  # (B·N, 1 + L, D)
        unused = (tokens == 0).all(dim=-1)
        unused[:, 0] = False
        fused = self.fusion(tokens, src_key_padding_mask=unused)[:, :1]
        return {"video": fused.unflatten(0, means.shape[:2])}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the cosines of every query with every class, (B, Q, N)."""
        prototypes, asked = support["video"][:, :, 0], queries["video"]  # (B, N, D), (B, Q, D)
        beside = prototypes.unsqueeze(1).expand(-1, asked.shape[1], -1, -1)
        related = self.relation(torch.cat([asked.unsqueeze(2), beside], dim=2).flatten(0, 1))  # (B·Q, 1 + N, D)
        similar = F.cosine_similarity(related[:, :1], related[:, 1:], dim=-1)
        return {"few_shot": similar.unflatten(0, asked.shape[:2])}

    def losses(self, episode: TrainingEpisode) -> tuple[Tensor, Tensors]:
        """Return the logits, and the losses of the queries and of the videos' classes: of support plus of queries."""
        logits, losses = super().losses(episode)
        if self.for_training:
            videos, classes = self.class_logits(episode.stored), episode.video_classes
            parts = (slice(None, episode.supports), slice(episode.supports, None))
            each = [F.cross_entropy(videos[part], classes[part]) for part in parts]
            losses["classification"] = torch.stack(each).sum()
        return logits, losses

    def class_logits(self, stored: Tensors) -> Tensor:
        """Return the logits of the training classes of each video: (V, T, D) → (V, C)."""
        return self.for_training["classifier"](self.video_stage(stored)["video"])

    def loss_weights(self) -> dict[str, float]:
        """Return 1 and the weight of the classification."""
        return {"few_shot": 1.0, "classification": self.settings.classification_weight}

    def single_frames(self, stored: Tensors, text: Tensor | None = None) -> Tensor:
        """Return the vector of each video as its only frame, (V, 1, D)."""
        return self.video_stage(stored)["video"].unsqueeze(1)
