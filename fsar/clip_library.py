"""open_clip and timm, imported without what no job waits for: transformers, and PyTorch's compiler.

open_clip imports transformers wherever it is installed, for text encoders of Hugging Face. That takes most of a second,
which every job would pay and hardly any needs. So what is used of open_clip comes from here, and `with_transformers`
gives it transformers where a model has such a text encoder.
"""

import importlib
import sys

from fsar.compiler_apart import compiler_apart

_NAME = "transformers"
_HIDDEN = _NAME not in sys.modules
if _HIDDEN:
    sys.modules[_NAME] = None  # type: ignore[assignment]  # an import of it then says that there is none
try:
    with compiler_apart():
        import open_clip
        import timm
        from open_clip import hf_model
        from open_clip.convert import convert_state_dict
        from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed
        from open_clip.modified_resnet import Bottleneck, ModifiedResNet
        from open_clip.pretrained import get_pretrained_cfg
        from open_clip.transformer import ResidualAttentionBlock, Transformer, VisionTransformer
        from timm.models.vision_transformer import Block as TimmBlock
        from timm.models.vision_transformer import VisionTransformer as TimmTransformer
finally:
    if _HIDDEN:
        del sys.modules[_NAME]

__all__ = [
    "Bottleneck",
    "ModifiedResNet",
    "ResidualAttentionBlock",
    "TimmBlock",
    "TimmTransformer",
    "Transformer",
    "VisionTransformer",
    "convert_state_dict",
    "convert_to_custom_text_state_dict",
    "get_pretrained_cfg",
    "open_clip",
    "resize_pos_embed",
    "resize_text_pos_embed",
    "timm",
    "with_transformers",
]


def with_transformers() -> None:
    """Give open_clip transformers, if it is installed, before a text encoder of Hugging Face is built."""
    if hf_model.transformers is None:
        importlib.reload(hf_model)  # its classes look their library up in the module, which stays the same
