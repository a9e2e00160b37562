"""What adapters train at both ends of a frozen visual transformer: where its tokens begin, and its last norm.

The backbone's own parameters stay as they are. What is trained are copies, which take their place.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from fsar.methods.blocks.vision_transformer import VisionTransformer


class TrainedEnds(nn.Module):
    """An embedding of time, 0 at the start, with copies of the last norm and, if asked, of the class embedding.

    Args:
        transformer: what they are put into.
        frames: T.
        class_embedding: whether the class embedding is trained, too; a transformer without one has none to train.
    """

    def __init__(self, transformer: VisionTransformer, frames: int, class_embedding: bool):
        super().__init__()
        width = transformer.sizes.width
        self.temporal_embedding = nn.Parameter(torch.zeros(1, frames, width))
        frozen = _class_embedding(transformer) if class_embedding else None
        self.class_embedding = None if frozen is None else nn.Parameter(frozen.detach().flatten().clone())  # (W,)
        norm = _last_norm(transformer)
        self.last_norm = deepcopy(norm).requires_grad_(True)
        self._transformer = transformer  # no module of its own: its modules are the backbone's
        transformer.before_blocks.register_forward_pre_hook(self._begin)
        norm.register_forward_hook(self._end)

    def _begin(self, module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        """Add the embeddings to tokens that have their positions: (V·T, L, W) → (V·T, L, W)."""
        frames = self.temporal_embedding.shape[1]
        tokens = given[0].unflatten(0, (-1, frames)) + self.temporal_embedding.unsqueeze(2)  # (V, T, L, W)
        if self.class_embedding is not None:
            frozen = _class_embedding(self._transformer)
            assert frozen is not None
            moved = (self.class_embedding - frozen.flatten()).expand_as(tokens[:, :, :1])
            tokens = torch.cat([tokens[:, :, :1] + moved, tokens[:, :, 1:]], dim=2)
        return (tokens.flatten(0, 1).to(given[0].dtype),)

    def _end(self, module: nn.Module, given: tuple[Tensor], found: Tensor) -> Tensor:
        """Norm by the copy instead."""
        return self.last_norm(given[0])


def _class_embedding(transformer: VisionTransformer) -> Tensor | None:
    if transformer.of_open_clip:
        return transformer.visual.class_embedding
    return transformer.trunk.cls_token


def _last_norm(transformer: VisionTransformer) -> nn.Module:
    if transformer.of_open_clip:
        return transformer.visual.ln_post
    trunk: Any = transformer.trunk
    # Where timm pools the patches, their mean is normed after it.
    return trunk.fc_norm if isinstance(trunk.norm, nn.Identity) else trunk.norm
