"""One small encoder of video of each family of transformers, with random weights, as files."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from fsar.config import BackboneConfig

LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
SMALL = {
    "videomae": {**LAYERS, "image_size": 32, "patch_size": 16, "num_frames": 4},
    "xclip": {
        "projection_dim": 24,
        "prompt_num_attention_heads": 2,
        "vision_config": {
            **LAYERS, "image_size": 32, "patch_size": 16, "num_frames": 4,
            "mit_hidden_size": 24, "mit_intermediate_size": 32, "mit_num_attention_heads": 2,
        },
        "text_config": {**LAYERS, "max_position_embeddings": 16},
    },
    "timesformer": {**LAYERS, "image_size": 32, "num_frames": 4},
    "vivit": {**LAYERS, "image_size": 32, "num_frames": 4, "tubelet_size": [2, 16, 16]},
    "vjepa2": {
        "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "crop_size": 32, "frames_per_clip": 4,
        "pred_hidden_size": 48, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1,
    },
    "videoprism_vision_model": {
        "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48, "image_size": 36, "num_frames": 4,
        "num_spatial_layers": 1, "num_temporal_layers": 1, "tubelet_size": [1, 18, 18],
    },
    "pe_video": {
        "num_frames": 4,
        "text_config": {
            "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "vocab_size": 40, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1,
            "eos_token_id": 2,
        },
        "video_config": {
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
            "head_dim": 16,
            "vision_config": {
                "architecture": "vit_pe_core_base_patch16_224", "num_classes": 20,
                "model_args": {
                    "img_size": 32, "embed_dim": 32, "depth": 2, "num_heads": 2, "ref_feat_shape": [2, 2],
                },
            },
        },
    },
}  # fmt: skip
CLASSES = {
    "videomae": "VideoMAEModel",
    "xclip": "XCLIPModel",
    "timesformer": "TimesformerModel",
    "vivit": "VivitModel",
    "vjepa2": "VJEPA2Model",
    "videoprism_vision_model": "VideoPrismVisionModel",
    "pe_video": "PeVideoModel",
}


def library_model(family, **other):
    """Build a small model by the library itself, with random weights, none of them zero."""
    import transformers

    config = transformers.AutoConfig.for_model(family, **(SMALL[family] | other))
    model = getattr(transformers, CLASSES[family])(config).eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model, config


def save_model(model, config, folder: Path) -> BackboneConfig:
    """Write a model's description and weights into a folder, and return the backbone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_dict() | {"architectures": config.architectures}))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    return BackboneConfig(
        library="transformers", model=str(folder / "config.json"), weights=str(folder / "model.safetensors")
    )


def save_tokenizer(folder: Path) -> None:
    """Write a tokenizer of some words into a folder, as a hub's."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    words = [*special, "a", "photo", "of", "waving", "running", "star", "heart", "falling"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    names = dict(zip(("pad_token", "cls_token", "sep_token", "unk_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


def small_bert(folder: Path, width: int = 32) -> str:
    """Write a small BERT with its tokenizer, and return the folder."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=40, hidden_size=width, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48
    )
    torch.manual_seed(4)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


def small_video(family, folder: Path) -> BackboneConfig:
    """Write a small encoder of video, and return the backbone."""
    about = save_model(*library_model(family), folder)
    if family == "pe_video":
        save_tokenizer(folder)
    return about
