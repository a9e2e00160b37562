"""What every method starts from: a visual encoder, with a text encoder for the class names if there is one."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from fsar.config import BackboneConfig
from fsar.errors import UserError
from fsar.methods.adapters import Adapters
from fsar.methods.blocks.vision_transformer import VisionTransformer
from fsar.methods.needs import Needs, Tensors, TransformerSizes
from fsar.model.activations import checkpoint_blocks
from fsar.model.evaluating import evaluating
from fsar.model.hub_text import WordEncoder, word_encoder

log = logging.getLogger(__name__)

# Texts in one call of the text encoder.
TEXTS = 256
# What open_clip's models have beside both encoders: scale and offset of similarities.
NOT_OF_TEXTS = ("logit_scale", "logit_bias")

Tokenizer = Callable[[list[str]], Tensor]


class VisualEncoder(nn.Module):
    """A visual encoder alone, held as open_clip's models hold theirs."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual


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

    Attributes:
        looks_at_clips: it is an encoder of video, and what it gives of a frame depends on others.
    """

    looks_at_clips: bool = False
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
        # Where its weights are from, for messages: a tag or files, as they were loaded one after the other.
        self.origins: list[str] = []
        # What is put into its blocks, if anything is (`fsar.methods.adapters.insert_adapters`).
        self.adapters: Adapters | None = None
        self.features = "steps"  # or "clips": what an encoder of video gives of a video
        self.words: WordEncoder | None = None  # whose words methods of words are given; None for its own
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
    def subject(self) -> str:
        """What it is called at the beginning of a message: its name, and where its weights are from."""
        return f"The backbone {self.name}" + (f" with weights {' and '.join(self.origins)}" if self.origins else "")

    @property
    def visual(self) -> nn.Module:
        """The visual encoder, the part that is trained."""
        return self.encoders.visual

    def forward(self, videos: Tensor) -> Tensor:
        """Encode every frame: (V, T, H, W, 3) RGB bytes → (V, T, D) float32, projected into the joint space and not
        normalised."""
        return self.give(videos, Needs())["frames"]

    def give(self, videos: Tensor, needs: Needs) -> Tensors:
        """Encode every frame, and return what a head asks for, by name; float32.

        Args:
            videos: (V, T, H, W, 3) RGB bytes, as the frame store gives them.
            needs: what is wanted of each frame.

        Raises:
            UserError: the architecture does not have it.
        """
        given = self._of_pictures(self.normalise(videos), needs)
        return {name: features.float().unflatten(0, videos.shape[:2]) for name, features in given.items()}

    def _of_pictures(self, pictures: Tensor, needs: Needs) -> Tensors:
        """Return what a head asks for of pictures, (B, 3, H, W) → (B, …) each."""
        if needs.kind == "maps":
            return {"maps": self.maps(pictures)}
        if needs.kind == "tokens":
            transformer = self.transformer
            if not transformer.has_class_token:
                raise UserError(f"{self.name} has no class token, which methods that look into its layers need")
            chosen, last = transformer.layers(pictures, needs.layers)
            if needs.projected:
                chosen = [transformer.projected(tokens) for tokens in chosen]
            return {"tokens": torch.stack(chosen, dim=1), "frames": transformer.frames(last)}
        if needs.kind == "unprojected" and self.transformer_sizes:
            transformer = self.transformer
            return {"unprojected": transformer.pooled(transformer.through(transformer.embed(pictures)))}
        features = self.visual(pictures)
        if isinstance(features, tuple):  # CoCa's encoders give the features of the patches, too
            features = features[0]
        return {needs.kind: features}

    @cached_property
    def transformer(self) -> VisionTransformer:
        """The visual encoder as a visual transformer.

        Raises:
            UserError: it is another kind of network.
        """
        return VisionTransformer(self.visual, self.name)

    @cached_property
    def transformer_sizes(self) -> TransformerSizes | None:
        """The sizes of the visual transformer; None where it is another kind of network."""
        try:
            return self.transformer.sizes
        except UserError:
            return None

    def width_of(self, needs: Needs) -> int:
        """Return the width of what a head asks for: of maps, of frames before the projection, or else D."""
        if needs.kind == "maps":
            return self.map_width()
        sizes = self.transformer_sizes
        return sizes.width if needs.kind == "unprojected" and sizes else self.width

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
        return (found["image_intermediates"] if isinstance(found, dict) else found)[-1]

    @torch.no_grad()
    def map_width(self) -> int:
        """Return D of the maps."""
        count = self.adapters.frames if self.adapters else 1  # adapters look at whole videos
        with evaluating(self.visual):
            return self.maps(self._black(count)).shape[1]

    def _black(self, count: int = 1) -> Tensor:
        """Return pictures to find sizes with, (count, 3, H, W)."""
        return torch.zeros(count, 3, self.image_size, self.image_size, device=self.mean.device)

    def steps(self, frames: int, needs: Needs = Needs()) -> int:  # noqa: B008 (a tuple, which nothing changes)
        """Return how many features a video of T frames has: one of each, unless it is an encoder of video."""
        return frames

    def probe(self, needs: Needs) -> Tensors:
        """Return what a head asks for of a black picture."""
        return self._of_pictures(self._black(), needs)

    def freeze_unused(self, needs: Needs) -> None:
        """Leave what such features do not come from, as the pooling where maps are asked for, out of the training.

        Processes that train together would wait for gradients that never come.
        """
        if needs.kind == "frames":
            return
        parameters = [p for p in self.visual.parameters() if p.requires_grad]
        with evaluating(self.visual), torch.enable_grad():  # the statistics of BatchNorm stay
            found = self.probe(needs)
            total = torch.stack([features.sum() for features in found.values()]).sum()
            gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)

    def normalise(self, videos: Tensor) -> Tensor:
        """Turn bytes into what the visual encoder expects: (V, T, H, W, 3) → (V·T, 3, H, W), in memory as they were."""
        width = videos.shape[-2]
        # Row by row of W·3 numbers: a CPU is three times as fast at these as at pixels of 3.
        rows = videos.flatten(0, 1).flatten(-2).float()  # (V·T, H, W·3)
        rows.sub_(self.mean.repeat(width)).div_(self.std.repeat(width))
        return rows.unflatten(-1, (width, 3)).permute(0, 3, 1, 2)

    def freeze_text(self, wholly: bool = True) -> None:
        """Leave what is beside the visual encoder out of the training; or, not wholly, what texts do not come from."""
        for name, parameter in self.encoders.named_parameters():
            if not name.startswith("visual.") and (wholly or name in NOT_OF_TEXTS):
                parameter.requires_grad_(False)

    def text_state(self) -> dict[str, Tensor]:
        """Return the weights of the text encoder."""
        state: dict[str, Tensor] = self.encoders.state_dict()
        return {n: v for n, v in state.items() if not n.startswith("visual.") and n not in NOT_OF_TEXTS}

    def load_text_state(self, state: dict[str, Tensor]) -> None:
        """Load what `text_state` returned.

        Raises:
            RuntimeError: it is of another text encoder.
        """
        if state.keys() != self.text_state().keys():
            raise RuntimeError(f"the text encoder of {self.name} has other weights")
        self.encoders.load_state_dict(state, strict=False)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, see `checkpoint_blocks`."""
        checkpoint_blocks(self.visual, self.name)

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
            raise UserError(
                f"{self.subject} has no text encoder: choose methods that do not look at class names, or weights of "
                "a whole CLIP (key backbones.….weights)"
            )
        return self.make_tokenizer()

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Encode texts into the joint space, not normalised: n texts → (n, D) float32.

        Raises:
            UserError: see `tokenizer`.
        """
        return self.encode_tokens(self.tokens(texts))

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of texts, (n, context length), on the backbone's device; raises as `tokenizer` does."""
        return self.tokenizer(list(texts)).to(self.mean.device)

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Encode the tokens of texts, (n, context length) → (n, D) float32; with gradients where it is trained.

        Adapters that look at all texts of a class must be given them one after another. Without gradients it is no
        training, and a tower's dropout is off whatever mode the backbone is in.
        """
        if not torch.is_grad_enabled():
            with evaluating(self):
                return self._encoded_tokens(tokens)
        return self._encoded_tokens(tokens)

    def _encoded_tokens(self, tokens: Tensor) -> Tensor:
        together = (self.adapters.texts if self.adapters else 0) or 1
        parts = tokens.split(TEXTS // together * together)
        # CoCa normalises where it is not told.
        return torch.cat([self.encoders.encode_text(part, normalize=False).float() for part in parts])


def load_backbone(about: BackboneConfig, trained: bool = False) -> Backbone:
    """Load a backbone with its pretrained weights, as the library it is of builds it.

    Weights are a tag of the library, downloaded on first use, or a local file; files are read without executing
    anything in them.

    Args:
        about: the backbone.
        trained: it is for a model that was trained from it already: weights whose activation is not the architecture's
            are then told, and not refused, for that is what the model was trained with.

    Raises:
        UserError: unknown architecture or tag, weights of another architecture, unreadable file, missing package, or no
            network.
    """
    backbone: Backbone = _library(about).load(about.model, about.weights, about.size, trained)
    backbone.features, backbone.words = about.features, word_encoder(about.words)
    backbone.origins.append(about.weights)
    log.info("loaded %s of %s with weights %s", about.model, about.library, about.weights)
    return backbone


def bare_backbone(about: BackboneConfig) -> Backbone:
    """Build a backbone with its weights left to chance, for weights that are loaded into it afterwards.

    Nothing is downloaded or read but a JSON file that describes the architecture. Pictures are normalised as for the
    weights that `about` names.

    Raises:
        UserError: unknown architecture or tag, or a missing package.
    """
    backbone: Backbone = _library(about).bare(about.model, about.weights, about.size)
    backbone.features, backbone.words = about.features, word_encoder(about.words)
    return backbone


def _library(about: BackboneConfig) -> ModuleType:
    """Import the module of a library by its name: a trained model depends on the code of its own, and of no other."""
    return import_module(f"{__package__}.{about.library}_backbone")
