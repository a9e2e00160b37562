"""CLIP as open_clip builds it: one way to load any architecture with any weights, the demo's own included."""

import difflib
import json
import logging
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.factory import load_state_dict
from open_clip.modified_resnet import Bottleneck, ModifiedResNet
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fsar.config import is_weights_file
from fsar.errors import UserError

log = logging.getLogger(__name__)

# Architectures of this project, beside those of open_clip.
open_clip.add_model_config(Path(__file__).parent / "architectures")


class Backbone(nn.Module):
    """CLIP's visual encoder, and its text encoder for the class names.

    Args:
        clip: a model of open_clip with `visual` and `encode_text`.
        tokenizer: turns a list of texts into (n, context length) tokens.
    """

    clip: Any  # open_clip's models share attributes, but no base class that says so
    mean: Tensor
    std: Tensor

    def __init__(self, clip: nn.Module, tokenizer: open_clip.SimpleTokenizer):
        super().__init__()
        self.clip = clip
        self.tokenizer = tokenizer
        mean, std = self.clip.visual.image_mean, self.clip.visual.image_std
        self.register_buffer("mean", torch.tensor(mean) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std) * 255, persistent=False)

    @property
    def image_size(self) -> int:
        """Side of the square picture the visual encoder expects, in pixels."""
        size = self.clip.visual.image_size
        return int(size[0] if isinstance(size, Sequence) else size)

    @property
    def width(self) -> int:
        """D, the width of the joint space of pictures and text."""
        return int(self.clip.visual.output_dim)

    def forward(self, videos: Tensor) -> Tensor:
        """Encode every frame, projected into the joint space and not normalised.

        Args:
            videos: (V, T, H, W, 3) RGB bytes, as the frame store gives them.

        Returns:
            (V, T, D) float32 frame features.
        """
        return self.clip.visual(self.normalise(videos)).float().unflatten(0, videos.shape[:2])

    def normalise(self, videos: Tensor) -> Tensor:
        """Turn bytes into what the visual encoder expects: (V, T, H, W, 3) → (V·T, 3, H, W), in memory as they were."""
        width = videos.shape[-2]
        # Row by row of W·3 numbers: a CPU is three times as fast at these as at pixels of 3.
        rows = videos.flatten(0, 1).flatten(-2).float()  # (V·T, H, W·3)
        rows.sub_(self.mean.repeat(width)).div_(self.std.repeat(width))
        return rows.unflatten(-1, (width, 3)).permute(0, 3, 1, 2)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass (Chen et al., 2016)."""
        visual = self.clip.visual
        if not isinstance(visual, ModifiedResNet):
            visual.set_grad_checkpointing()
            return
        for block in visual.modules():  # open_clip's own switch does nothing for ResNets
            if isinstance(block, Bottleneck):
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]

    def load_visual(self, trained: Path) -> None:
        """Load the visual encoder of a trained model (`fsar.model.few_shot.save_weights`), without its head.

        Raises:
            UserError: the file cannot be read, or is of another backbone.
        """
        try:
            with safe_open(trained, framework="pt") as file:
                names = [name for name in file.keys() if name.startswith("visual.")]  # noqa: SIM118 (not a dict)
                self.clip.visual.load_state_dict({n.removeprefix("visual."): file.get_tensor(n) for n in names})
        except (OSError, SafetensorError, RuntimeError) as error:
            first = " ".join(line.strip() for line in str(error).splitlines()[:2])
            raise UserError(
                f"The trained weights {trained} do not fit this backbone, or cannot be read: {first}"
            ) from error

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Encode texts into the joint space, not normalised: n texts → (n, D) float32."""
        tokens = self.tokenizer(list(texts)).to(self.mean.device)
        return self.clip.encode_text(tokens).float()


def architecture_name(model: str) -> str:
    """Return open_clip's name of an architecture, after telling it of the JSON file if `model` is one.

    Raises:
        UserError: no such file, not an architecture, or no such name.
    """
    if model.endswith(".json"):
        path = Path(model)
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"The architecture {model} cannot be read: {error}") from None
        missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(described)
        if missing:
            raise UserError(
                f"The architecture {model} lacks {', '.join(sorted(missing))}; see fsar/model/architectures/"
            )
        open_clip.add_model_config(path)
        return path.stem
    if model not in open_clip.list_models():
        close = difflib.get_close_matches(model, open_clip.list_models(), n=3)
        raise UserError(
            f"open_clip has no architecture {model!r} (key backbones.….model)"
            + (f"; did you mean {' or '.join(close)}?" if close else "")
        )
    return model


# Entries of a state dict of OpenAI's own CLIP models that are sizes and not weights.
OPENAI_SIZES = {"input_resolution", "context_length", "vocab_size"}


def _read_openai(weights: str) -> dict[str, Tensor] | None:
    """Return the weights of a state dict in OpenAI's format, without its sizes; None for any other weights file.

    Raises:
        UserError: the file cannot be read without executing something in it.
    """
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(weights) as archive:
        if any(Path(entry).name == "constants.pkl" for entry in archive.namelist()):
            raise UserError(
                f"{weights} is a TorchScript archive, the way OpenAI publishes models: a program, not run here. "
                "If you trust it, make a plain file of its weights, and name that one:\n"
                f"python -c \"import torch; torch.save(torch.jit.load({weights!r}, 'cpu').state_dict(), 'weights.pt')\""
            )
    try:
        state = load_state_dict(weights)  # nothing in the file is executed
    except Exception as error:  # whatever safetensors or the restricted unpickler raises
        raise UserError(f"The weights file {weights} cannot be read: {error}") from error
    if not OPENAI_SIZES & set(state):
        return None
    return {name: value for name, value in state.items() if name not in OPENAI_SIZES}


def load_backbone(model: str, weights: str) -> Backbone:
    """Load a CLIP model.

    Args:
        model: an architecture of open_clip, or a JSON file that describes one.
        weights: a pretrained tag of open_clip, which is downloaded on first use; or a local weights file.
            Files are read without executing anything in them.

    Raises:
        UserError: unknown architecture or tag, weights of another architecture, unreadable file, or no network.
    """
    name = architecture_name(model)
    is_file = is_weights_file(weights)
    if is_file and not Path(weights).is_file():
        raise UserError(f"There is no weights file {weights} (key backbones.….weights)")
    if not is_file:
        tags = open_clip.list_pretrained_tags_by_model(name)
        if weights not in tags:
            raise UserError(
                f"open_clip has no weights {weights!r} for {name}; it has: {', '.join(tags) or 'none'} "
                "(key backbones.….weights, which also takes a local file)"
            )
    openai = _read_openai(weights) if is_file else None
    try:
        if openai is None:
            clip = open_clip.create_model(name, pretrained=weights)
        else:
            clip = open_clip.create_model(name, load_weights=False)
            clip.load_state_dict(openai)
    except Exception as error:  # open_clip raises assertions, run-time errors and the hub client's own
        if is_file:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise UserError(
                f"The weights {weights} do not fit the architecture {model}: they are of another one "
                f"({' '.join(lines[:2])})"
            ) from error
        raise UserError(
            f"The weights {weights!r} of {name} could not be downloaded: {error}\n"
            "Without a network, put them on this machine once: from one that has a network, run\n"
            f'python -c "import open_clip; open_clip.create_model({name!r}, pretrained={weights!r})"\n'
            "and copy its cache, or save a .safetensors file and name it in backbones.….weights."
        ) from error
    tokenizer = open_clip.get_tokenizer(name)
    log.info("loaded %s with weights %s", name, weights)
    return Backbone(clip.to(memory_format=torch.channels_last), tokenizer)


def bare_backbone(model: str) -> Backbone:
    """Build a CLIP model with its weights left to chance, for weights that are loaded into it afterwards.

    Args:
        model: as for `load_backbone`.

    Raises:
        UserError: unknown architecture.
    """
    name = architecture_name(model)
    clip = open_clip.create_model(name, load_weights=False)
    return Backbone(clip.to(memory_format=torch.channels_last), open_clip.get_tokenizer(name))
