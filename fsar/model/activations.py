"""Activations that are computed again in the backward pass, which spares their memory (Chen et al., 2016)."""

from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from fsar.clip_library import Bottleneck, ModifiedResNet
from fsar.errors import UserError


def checkpoint_blocks(visual: nn.Module, name: str) -> None:
    """Keep of each block of a visual encoder only its input, and compute the rest again in the backward pass.

    Raises:
        UserError: the architecture has no blocks that can be.
    """
    if isinstance(visual, ModifiedResNet):  # open_clip's own switch does nothing for ResNets
        for block in visual.modules():
            if isinstance(block, Bottleneck):
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
        return
    trunk: Any = getattr(visual, "trunk", visual)  # of timm, within open_clip or alone
    try:
        trunk.set_grad_checkpointing(True)
    except (AttributeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"The visual encoder of {name} cannot compute its activations again: set "
            "training.activation_checkpointing to false for it"
        ) from error
