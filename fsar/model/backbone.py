"""What every method starts from: a visual encoder, with a text encoder for the class names if there is one."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from open_clip.modified_resnet import Bottleneck, ModifiedResNet
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fsar.config import BackboneConfig
from fsar.errors import UserError

log = logging.getLogger(__name__)

# Texts in one call of the text encoder.
TEXTS = 256

Tokenizer = Callable[[list[str]], Tensor]


class Backbone(nn.Module):
    """A visual encoder, and the text encoder beside it if there is one.

    Args:
        encoders: has `visual`, which turns (B, 3, H, W) normalised pictures into (B, D); with a text encoder also
            `encode_text`, which turns (B, context length) tokens into (B, D). Models of open_clip are such.
        width: D.
        size: side of the square pictures that `visual` expects, in pixels.
        mean, std: of red, green and blue from 0 to 1, by which pixels are normalised.
        tokenizer: makes what turns n texts into (n, context length) tokens; asked once, when a text is to be encoded.
            None without a text encoder.
        name: for messages.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoders: nn.Module,
        width: int,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        tokenizer: Callable[[], Tokenizer] | None,
        name: str,
    ):
        super().__init__()
        self.encoders: Any = encoders  # open_clip's models share attributes, but no base class that says so
        self.width, self.image_size, self.name = width, size, name
        self.make_tokenizer = tokenizer
        self.register_buffer("mean", torch.tensor(mean) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std) * 255, persistent=False)

        self._arrange()

    def _arrange(self) -> None:
        """Arrange weights in memory with the channels last, as pictures are, which is faster.

        Not where a strided convolution looks at single pixels of a picture (in RepVGG, MobileOne and FastViT): there
        the backward pass of PyTorch 2.15 on a CPU writes past its memory, and the process dies.
        """
        convolutions = (module for module in self.visual.modules() if isinstance(module, nn.Conv2d))
        if any(c.in_channels < 16 and c.kernel_size == (1, 1) and c.stride != (1, 1) for c in convolutions):
            self.visual.register_forward_pre_hook(lambda _, pictures: pictures[0].contiguous())
        else:
            self.encoders.to(memory_format=torch.channels_last)

    @property
    def visual(self) -> nn.Module:
        """The visual encoder, the part that is trained."""
        return self.encoders.visual

    def forward(self, videos: Tensor, gives: Literal["frames", "maps"] = "frames") -> Tensor:
        """Encode every frame: one feature of each, projected into the joint space and not normalised, or a map of them.

        Args:
            videos: (V, T, H, W, 3) RGB bytes, as the frame store gives them.
            gives: what is wanted of each frame.

        Returns:
            (V, T, D) float32 frame features; or (V, T, D, h, w) float32 maps, of the last layer before pooling.
        """
        if gives == "maps":
            return self.maps(self.normalise(videos)).float().unflatten(0, videos.shape[:2])
        features = self.visual(self.normalise(videos))
        if isinstance(features, tuple):  # CoCa's encoders give the features of the patches, too
            features = features[0]
        return features.float().unflatten(0, videos.shape[:2])

    def maps(self, pictures: Tensor) -> Tensor:
        """Return the last map of features of pictures, (B, 3, H, W) → (B, D, h, w): a grid of patches for a ViT.

        Raises:
            UserError: the architecture has no such map.
        """
        visual: Any = self.visual
        try:
            found = visual.forward_intermediates(pictures, indices=1, intermediates_only=True)
        except (AttributeError, NotImplementedError, TypeError) as error:
            raise UserError(
                f"The visual encoder of {self.name} gives no maps of features: choose methods that do not need them"
            ) from error
        last: Tensor = (found["image_intermediates"] if isinstance(found, dict) else found)[-1]
        return last

    @torch.no_grad()
    def map_width(self) -> int:
        """Return D of the maps."""
        training = self.visual.training
        picture = torch.zeros(1, 3, self.image_size, self.image_size, device=self.mean.device)
        self.visual.eval()
        width = self.maps(picture).shape[1]
        self.visual.train(training)
        return width

    def freeze_unused(self, gives: Literal["frames", "maps"]) -> None:
        """Leave what such features do not come from, as the pooling where maps are asked for, out of the training.

        Processes that train together would wait for gradients that never come.
        """
        if gives == "frames":
            return
        parameters = [p for p in self.visual.parameters() if p.requires_grad]
        training = self.visual.training
        self.visual.eval()  # the statistics of BatchNorm stay
        with torch.enable_grad():
            found = self.maps(torch.zeros(1, 3, self.image_size, self.image_size, device=self.mean.device))
            gradients = torch.autograd.grad(found.sum(), parameters, allow_unused=True)
        self.visual.train(training)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)

    def normalise(self, videos: Tensor) -> Tensor:
        """Turn bytes into what the visual encoder expects: (V, T, H, W, 3) → (V·T, 3, H, W), in memory as they were."""
        width = videos.shape[-2]
        # Row by row of W·3 numbers: a CPU is three times as fast at these as at pixels of 3.
        rows = videos.flatten(0, 1).flatten(-2).float()  # (V·T, H, W·3)
        rows.sub_(self.mean.repeat(width)).div_(self.std.repeat(width))
        return rows.unflatten(-1, (width, 3)).permute(0, 3, 1, 2)

    def freeze_text(self) -> None:
        """Leave only the visual encoder to be trained, and of it what its architecture trains."""
        for name, parameter in self.encoders.named_parameters():
            if not name.startswith("visual."):
                parameter.requires_grad_(False)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass (Chen et al., 2016).

        Raises:
            UserError: the architecture has no blocks that can be.
        """
        if isinstance(self.visual, ModifiedResNet):  # open_clip's own switch does nothing for ResNets
            for block in self.visual.modules():
                if isinstance(block, Bottleneck):
                    block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
            return
        visual: Any = getattr(self.visual, "trunk", self.visual)  # of timm, within open_clip or alone
        try:
            visual.set_grad_checkpointing(True)
        except (AttributeError, AssertionError, NotImplementedError) as error:
            raise UserError(
                f"The visual encoder of {self.name} cannot compute its activations again: set "
                "training.activation_checkpointing to false for it"
            ) from error

    def load_visual(self, trained: Path) -> None:
        """Load the visual encoder of a trained model (`fsar.model.few_shot.save_weights`), without its head.

        Raises:
            UserError: the file cannot be read, or is of another backbone.
        """
        try:
            with safe_open(trained, framework="pt") as file:
                names = [name for name in file.keys() if name.startswith("visual.")]  # noqa: SIM118 (not a dict)
                self.visual.load_state_dict({n.removeprefix("visual."): file.get_tensor(n) for n in names})
        except (OSError, SafetensorError, RuntimeError) as error:
            first = " ".join(line.strip() for line in str(error).splitlines()[:2])
            raise UserError(
                f"The trained weights {trained} do not fit this backbone, or cannot be read: {first}"
            ) from error

    @property
    def has_text(self) -> bool:
        """Whether there is a text encoder."""
        return self.make_tokenizer is not None

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """What turns texts into tokens; it may have to be downloaded.

        Raises:
            UserError: there is no text encoder, a package is missing, or no network.
        """
        if self.make_tokenizer is None:
            raise UserError(f"The backbone {self.name} has no text encoder")
        return self.make_tokenizer()

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Encode texts into the joint space, not normalised: n texts → (n, D) float32.

        Raises:
            UserError: see `tokenizer`.
        """
        tokens = self.tokenizer(list(texts)).to(self.mean.device)
        # CoCa normalises where it is not told.
        return torch.cat([self.encoders.encode_text(part, normalize=False).float() for part in tokens.split(TEXTS)])


def load_backbone(about: BackboneConfig) -> Backbone:
    """Load a backbone with its pretrained weights, as the library it is of builds it.

    Weights are a tag of the library, downloaded on first use, or a local file; files are read without executing
    anything in them.

    Raises:
        UserError: unknown architecture or tag, weights of another architecture, unreadable file, missing package, or no
            network.
    """
    backbone: Backbone = _library(about).load(about.model, about.weights, about.size)
    log.info("loaded %s of %s with weights %s", about.model, about.library, about.weights)
    return backbone


def bare_backbone(about: BackboneConfig) -> Backbone:
    """Build a backbone with its weights left to chance, for weights that are loaded into it afterwards.

    Nothing is downloaded or read but a JSON file that describes the architecture. Pictures are normalised as for the
    weights that `about` names.

    Raises:
        UserError: unknown architecture or tag, or a missing package.
    """
    bare: Backbone = _library(about).bare(about.model, about.weights, about.size)
    return bare


def _library(about: BackboneConfig) -> ModuleType:
    """Import the module of a library by its name: a trained model depends on the code of its own, and of no other."""
    return import_module(f"{__package__}.{about.library}_backbone")
