"""A visual transformer of open_clip or timm, seen alike: its tokens between the blocks, and what a block is made of.

Shapes: pictures B, patches P, tokens L = 1 + P, the class token first (P where there is none); token width W, joint
space D.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fsar.clip_library import ResidualAttentionBlock, TimmBlock, TimmTransformer
from fsar.clip_library import VisionTransformer as OpenClipTransformer
from fsar.errors import UserError
from fsar.methods.needs import TransformerSizes


class SelfAttention(Protocol):
    """Self-attention of normed tokens: (B, L, W) → (B, L, W), with an (L, L) mask that is added, if there is one."""

    def __call__(self, tokens: Tensor, attn_mask: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Block:
    """The parts of a pre-norm block: x ← x + scale_1(attention(norm_1 x)), then x ← x + scale_2(mlp(norm_2 x)).

    Attributes:
        module: the block itself, as the library made it.
        attention: its self-attention, without the norm before it.
        projections: the module and the name of the weight, (3·W, W), that makes queries, keys and values.
        output: the projection after the attention.
        scale_1, scale_2: of the two branches; nothing in most models.
    """

    module: nn.Module
    norm_1: nn.Module
    attention: SelfAttention
    projections: tuple[nn.Module, str]
    output: nn.Linear
    scale_1: nn.Module
    norm_2: nn.Module
    mlp: nn.Module
    scale_2: nn.Module


class VisionTransformer:
    """A visual transformer's tokens and blocks. It holds no weights of its own.

    Raises:
        UserError: the encoder is another kind of network.
    """

    def __init__(self, visual: nn.Module, name: str):
        self.visual: Any = visual
        self.trunk: Any = getattr(visual, "trunk", visual)  # of timm, within open_clip or alone
        self.of_open_clip = isinstance(visual, OpenClipTransformer)
        blocks = self._modules()
        known = ResidualAttentionBlock if self.of_open_clip else TimmBlock
        if not blocks or not all(type(module) is known for module in blocks):
            raise UserError(
                f"The visual encoder of {name} is no visual transformer with plain blocks: choose a backbone such as "
                "ViT-B-16 for methods that look into its layers, or methods that do not"
            )
        self.blocks: Sequence[Block] = [block_of(module) for module in blocks]

    def _modules(self) -> list[Any]:
        if self.of_open_clip:
            batch_first = self.visual.transformer.batch_first and self.visual.attn_pool is None
            return list(self.visual.transformer.resblocks) if batch_first else []
        plain = isinstance(self.trunk, TimmTransformer) and self.trunk.num_prefix_tokens <= 1  # no registers
        return list(self.trunk.blocks) if plain else []

    @property
    def has_class_token(self) -> bool:
        """Whether the first token is a class token, and not a patch."""
        return self.of_open_clip or self.trunk.num_prefix_tokens == 1

    @property
    def sizes(self) -> TransformerSizes:
        """Its sizes."""
        width = self.blocks[0].output.out_features
        rows, columns = self.grid
        if self.of_open_clip:
            heads = self.visual.transformer.resblocks[0].attn.num_heads
        else:
            heads = self.trunk.blocks[0].attn.num_heads
        return TransformerSizes(len(self.blocks), width, heads, rows * columns)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the patches of a picture."""
        rows, columns = self.visual.grid_size if self.of_open_clip else self.trunk.patch_embed.grid_size
        return rows, columns

    @property
    def before_blocks(self) -> nn.Module:
        """The norm, or nothing, through which tokens with their positions go before the first block."""
        return self.visual.ln_pre if self.of_open_clip else self.trunk.norm_pre

    def embed(self, pictures: Tensor) -> Tensor:
        """Return the tokens before the first block, (B, 3, H, W) normalised pictures → (B, L, W)."""
        if self.of_open_clip:
            return self.visual._embeds(pictures)
        trunk = self.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(pictures))))

    def through(self, tokens: Tensor, start: int = 0, end: int | None = None) -> Tensor:
        """Take tokens, (B, L, W), through the blocks from `start` to before `end`, as the encoder does."""
        holder = self.visual.transformer if self.of_open_clip else self.trunk
        again = holder.grad_checkpointing and torch.is_grad_enabled()
        for block in self.blocks[start:end]:
            tokens = checkpoint(block.module, tokens, use_reentrant=False) if again else block.module(tokens)
        return tokens

    def layers(self, pictures: Tensor, layers: Sequence[int]) -> tuple[list[Tensor], Tensor]:
        """Return the tokens of chosen layers, (B, L, W) each, and those after the last block.

        Args:
            pictures: (B, 3, H, W), normalised.
            layers: numbers, in rising order; 0 is before the first block, l after the l-th.
        """
        tokens = self.embed(pictures)
        found = [tokens] if 0 in layers else []
        for number in range(len(self.blocks)):
            tokens = self.through(tokens, number, number + 1)
            if number + 1 in layers:
                found.append(tokens)
        return found, tokens

    def pooled(self, tokens: Tensor) -> Tensor:
        """Return one feature per picture before the projection, (B, L, W) tokens of the last block → (B, W)."""
        if self.of_open_clip:
            return self.visual._pool(tokens)[0]
        return self.trunk.forward_head(self.trunk.norm(tokens))

    def frames(self, tokens: Tensor) -> Tensor:
        """Return frame features as the encoder gives them, (B, L, W) tokens of the last block → (B, D)."""
        pooled = self.pooled(tokens)
        if not self.of_open_clip:
            return pooled if self.visual is self.trunk else self.visual.head(pooled)
        return pooled if self.visual.proj is None else pooled @ self.visual.proj

    def projected(self, tokens: Tensor) -> Tensor:
        """Take every token through the last norm and into the joint space, (B, L, W) → (B, L, D)."""
        if self.of_open_clip:
            normed: Tensor = self.visual.ln_post(tokens)
            return normed if self.visual.proj is None else normed @ self.visual.proj
        normed = self.trunk.norm(tokens)
        return normed if self.visual is self.trunk else self.visual.head(normed)


def block_of(module: nn.Module) -> Block:
    """Return the parts of a block that open_clip or timm has made; text encoders of open_clip have such, too."""
    own: Any = module
    if isinstance(own, ResidualAttentionBlock):
        return Block(
            own, own.ln_1, partial(_attend, own), (own.attn, "in_proj_weight"), own.attn.out_proj,
            own.ls_1, own.ln_2, own.mlp, own.ls_2,
        )  # fmt: skip
    return Block(
        own, own.norm1, own.attn, (own.attn.qkv, "weight"), own.attn.proj, own.ls1, own.norm2, own.mlp, own.ls2
    )


def _attend(module: Any, tokens: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    return module.attention(q_x=tokens, attn_mask=attn_mask)
