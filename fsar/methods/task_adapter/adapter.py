"""The adapters of Task-Adapter++ (Cao et al., 2025, arXiv 2505.06002), as its public code computes them.

In the last blocks of the visual encoder the block's own frozen attention looks along time and along the videos of an
episode as well, each through an adapter. In those of the text encoder it looks along the texts of a class.

Shapes: videos V, frames T, tokens of a frame L, token width W; classes C, texts of a class S, tokens of a text n.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fsar.clip_library import ResidualAttentionBlock, Transformer
from fsar.errors import UserError
from fsar.methods.adapters import Adapters
from fsar.methods.backbone import Backbone
from fsar.methods.blocks.bottleneck import Bottleneck
from fsar.methods.blocks.vision_transformer import Block, block_of
from fsar.methods.task_adapter.record import TaskAdaptersConfig


class VideoBlock(nn.Module):
    """The adapters of one block of the visual encoder.

    At the start all but that of the attention along videos return zeros.

    Args:
        width: W.
        hidden: hidden width of an adapter.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.time = Bottleneck(width, hidden)
        self.space = Bottleneck(width, hidden)
        self.videos = Bottleneck(width, hidden, silent=False)
        self.mlp = Bottleneck(width, hidden)

    def forward(self, block: Block, x: Tensor) -> Tensor:
        """Take tokens through the block and its adapters: (G, V, T, L, W) → the same, V videos that belong together."""
        x = x + self.time(attend(block, x, along=2))
        attended = attend(block, x, along=3)
        x = x + attended + self.space(attended)
        x = x + self.videos(attend(block, x, along=1))
        normed = block.norm_2(x)
        return x + block.scale_2(block.mlp(normed)) + self.mlp(normed)


def attend(block: Block, x: Tensor, along: int) -> Tensor:
    """Return what a block's own attention finds along one dimension of normed tokens, (…, W) → (…, W)."""
    normed = block.norm_1(x).movedim(along, -2)
    found: Tensor = block.scale_1(block.attention(normed.flatten(0, -3)))
    return found.unflatten(0, normed.shape[:-2]).movedim(-2, along)


class TaskAdapters(Adapters):
    """Adapters in the last blocks of both encoders, and an embedding of time before the first block.

    Support videos look at one another, and query videos at one another, since they are calls of their own. Features are
    not those of the backbone at the start, as published: the adapter along videos starts with weights drawn at random.

    Raises:
        UserError: an encoder is none of plain blocks, or has fewer than are to be adapted.
    """

    def __init__(self, backbone: Backbone, frames: int, settings: TaskAdaptersConfig):
        super().__init__(backbone, frames, settings)
        self._adapt_visual(backbone, settings)
        self.text = nn.ModuleList()
        self.texts = settings.texts if settings.text_blocks else 0
        if self.texts:
            self._adapt_text(backbone, settings)

    def _adapt_visual(self, backbone: Backbone, settings: TaskAdaptersConfig) -> None:
        transformer = backbone.transformer
        blocks = _last(transformer.blocks, settings.blocks, "blocks", f"visual encoder of {backbone.name}")
        self.first_across = len(transformer.blocks) - settings.blocks
        width = transformer.sizes.width
        self.positions = nn.Parameter(torch.zeros(self.frames, width))  # of frames in time
        transformer.before_blocks.register_forward_pre_hook(self._positioned)
        self.visual = nn.ModuleList(VideoBlock(width, int(width * settings.bottleneck)) for _ in blocks)
        for block, adapter in zip(blocks, self.visual, strict=True):
            block.module.forward = partial(self._through, block, adapter)  # type: ignore[method-assign]

    def _adapt_text(self, backbone: Backbone, settings: TaskAdaptersConfig) -> None:
        about = f"text encoder of {backbone.name}"
        for block in _last(_text_blocks(backbone), settings.text_blocks, "text_blocks", about):
            width = block.output.out_features
            self.text.append(Bottleneck(width, int(width * settings.bottleneck)))
            block.module.forward = partial(self._through_text, block, self.text[-1])  # type: ignore[method-assign]

    def _positioned(self, _: nn.Module, given: tuple[Tensor]) -> Tensor:
        """Add a frame's embedding of time to each of its tokens, (V·T, L, W)."""
        return (self.by_frame(given[0]) + self.positions.unsqueeze(1)).flatten(0, 1)

    def _through(self, block: Block, adapter: nn.Module, tokens: Tensor, *_: Any, **__: Any) -> Tensor:
        """Take tokens, (V·T, L, W), through an adapted block. Its library gives it nothing else but empty masks."""
        videos = self.by_frame(tokens)  # (V, T, L, W)
        adapted: Tensor = adapter(block, videos.unflatten(0, (-1, self.videos_together or len(videos))))
        return adapted.flatten(0, 2)

    def _through_text(
        self, block: Block, adapter: nn.Module, x: Tensor, _k: None = None, _v: None = None,
        attn_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Take the tokens of texts, (C·S, n, W), through an adapted block; `attn_mask` hides later tokens.

        Raises:
            UserError: the texts are not S of each class.
        """
        if len(x) % self.texts:
            raise UserError(
                f"Task-Adapter++ looks at {self.texts} texts of each class together (key adapters.task_adapter.texts), "
                f"and {len(x)} texts are no multiple: give each class so many (keys text.templates, text.descriptions)"
            )
        x = x + block.scale_1(block.attention(block.norm_1(x), attn_mask=attn_mask))
        together = x.unflatten(0, (-1, self.texts))  # (C, S, n, W)
        x = x + adapter(attend(block, together, along=1)).flatten(0, 1)
        return x + block.scale_2(block.mlp(block.norm_2(x)))


def _last(blocks: Sequence[Block], count: int, key: str, what: str) -> Sequence[Block]:
    if count > len(blocks):
        raise UserError(
            f"The {what} has {len(blocks)} blocks: set adapters.task_adapter.{key} to at most that, not {count}"
        )
    return blocks[-count:]


def _text_blocks(backbone: Backbone) -> Sequence[Block]:
    """Return the blocks of the text encoder.

    Raises:
        UserError: there is none, or it is not of open_clip's plain blocks.
    """
    encoder = getattr(backbone.encoders, "text", backbone.encoders)  # CLIP itself has it unwrapped
    transformer = getattr(encoder, "transformer", None)
    modules: list[Any] = []
    if isinstance(transformer, Transformer) and transformer.batch_first:
        modules = list(transformer.resblocks)
    if not modules or not all(type(module) is ResidualAttentionBlock for module in modules):
        raise UserError(
            f"{backbone.name} has no text encoder with plain blocks of open_clip, which Task-Adapter++ adapts: choose "
            "a backbone such as ViT-B-16, or set adapters.task_adapter.text_blocks to 0"
        )
    return [block_of(module) for module in modules]
