"""Encoders of video of transformers, seen alike: a class for each family (`fsar.video_encoders.FAMILIES`).

Shapes: clips B, frames of a clip F, time steps t, patches of a side g, token width W, feature width D.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fsar.video_encoders import VideoEncoder


class Given(NamedTuple):
    """What an encoder gives of clips.

    Attributes:
        steps: (B, t, D), a feature of each time step.
        clips: (B, D), a feature of each clip, as the encoder's own classifier, or its texts, would be given.
        tokens: (B, t, g, g, W), after the last norm, in the order of time, rows and columns.
    """

    steps: Tensor
    clips: Tensor
    tokens: Tensor


class ClipEncoder(nn.Module):
    """An encoder of clips: (B, F, 3, H, W) normalised pixels → `Given`.

    Time steps are means over the places of their tokens, unless a family says otherwise.

    Args:
        model: as the library builds it.
        about: what is known of it.

    Attributes:
        beside: how the names of weights begin that checkpoints of the family hold and that features do not come from:
            classifiers, and what pretraining alone needs.
        second_norm: what a block calls the norm before its feed-forward part; empty where its tokens are others than
            the places of a clip in order, such as a class token.
    """

    beside: tuple[str, ...] = ("classifier.",)
    second_norm: str = ""

    def __init__(self, model: Any, about: VideoEncoder):
        super().__init__()
        self.model: Any = model
        self.steps, self.grid = about.steps, about.grid

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its transformer blocks, in order."""
        return list(self.model.encoder.layer)

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        places = self.tokens(clips)
        return Given(places.mean(dim=(2, 3)), self.of_clips(places), places)

    def tokens(self, clips: Tensor) -> Tensor:
        """Return the tokens of clips, (B, t, g, g, W)."""
        return self.in_place(self.model(clips).last_hidden_state)

    def of_clips(self, places: Tensor) -> Tensor:
        """Return features of whole clips, (B, t, g, g, W) → (B, W)."""
        return places.mean(dim=(1, 2, 3))

    def in_place(self, tokens: Tensor) -> Tensor:
        """Put tokens in the order of time, rows and columns, (B, t·g², W), into their places."""
        return tokens.unflatten(1, (self.steps, self.grid, self.grid))

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass."""
        older = self.model.gradient_checkpointing_enable  # its name in earlier versions
        getattr(self.model, "activation_checkpointing_enable", older)({"use_reentrant": False})


class VideoMAE(ClipEncoder):
    """VideoMAE (Tong et al., NeurIPS 2022, arXiv 2203.12602).

    Where it was trained to classify, a norm follows the mean over the tokens; it is then taken of each time step, too.
    """

    beside = ("classifier.", "decoder.", "encoder_to_decoder.", "mask_token", "position_embeddings")
    second_norm = "layernorm_after"

    def __init__(self, model: Any, about: VideoEncoder):
        super().__init__(model, about)
        config = model.config
        named = (config.architectures or [""])[0]
        self.fc_norm: nn.Module = nn.Identity()
        if config.use_mean_pooling and named.endswith("Classification"):
            self.fc_norm = nn.LayerNorm(config.hidden_size)

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        places = self.tokens(clips)
        return Given(self.fc_norm(places.mean(dim=(2, 3))), self.fc_norm(self.of_clips(places)), places)


class Timesformer(ClipEncoder):
    """TimeSformer (Bertasius et al., ICML 2021, arXiv 2102.05095): a class token, then the places, each over time."""

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        tokens = self.model(clips).last_hidden_state
        by_place = tokens[:, 1:].unflatten(1, (self.grid, self.grid, self.steps))
        places = by_place.permute(0, 3, 1, 2, 4)
        return Given(places.mean(dim=(2, 3)), tokens[:, 0], places)


class Vivit(ClipEncoder):
    """ViViT (Arnab et al., ICCV 2021, arXiv 2103.15691), its first model: a class token, then time and place."""

    beside = ("classifier.", "pooler.")

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its transformer blocks, in order."""
        return list(self.model.layers)

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        tokens = self.model(clips).last_hidden_state
        places = self.in_place(tokens[:, 1:])
        return Given(places.mean(dim=(2, 3)), tokens[:, 0], places)


class VJepa2(ClipEncoder):
    """V-JEPA 2 (Assran et al., 2025, arXiv 2506.09985), without the predictor of its pretraining."""

    beside = ("classifier.", "pooler.", "predictor.")
    second_norm = "norm2"

    def __init__(self, model: Any, about: VideoEncoder):
        super().__init__(model, about)
        model.predictor = None

    def tokens(self, clips: Tensor) -> Tensor:
        """Return the tokens of clips, (B, t, g, g, W)."""
        return self.in_place(self.model.get_vision_features(clips))


class VideoPrism(ClipEncoder):
    """VideoPrism (Zhao et al., ICML 2024, arXiv 2402.13217): places first, then time."""

    beside = ("classifier.", "head.", "auxiliary_layers.")

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its transformer blocks, in order."""
        return [*self.model.spatial_layers, *self.model.temporal_layers]


class XClip(ClipEncoder):
    """X-CLIP (Ni et al., ECCV 2022, arXiv 2208.02816): a CLIP whose frames exchange messages, and then attend.

    A frame's feature is what its multi-frame transformer returns of it; their mean is the feature of the clip, in the
    joint space. What the encoder adds to a text for one video (its prompt generator) is left out: texts of classes do
    not depend on the video.
    """

    beside = ("prompts_generator.", "prompts_visual_")

    def __init__(self, model: Any, about: VideoEncoder):
        super().__init__(model.vision_model, about)
        self.visual_projection, self.mit = model.visual_projection, model.mit

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its transformer blocks, in order."""
        return list(self.model.encoder.layers)

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        found = self.model(clips.flatten(0, 1))
        frames = self.visual_projection(found.pooler_output).unflatten(0, clips.shape[:2])
        integrated = self.mit(frames)
        places = found.last_hidden_state[:, 1:].unflatten(0, clips.shape[:2])
        return Given(
            integrated.last_hidden_state, integrated.pooler_output, places.unflatten(2, (self.grid, self.grid))
        )

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass."""
        super().checkpoint_activations()
        for block in self.mit.encoder.layers:
            block.gradient_checkpointing = False  # one small layer, without the library's means to do so


class PerceptionVideo(ClipEncoder):
    """PE-video (Bolya et al., 2025, arXiv 2504.13181; in PE-AV): the Perception Encoder's frames, attended over time.

    Features of time steps and of clips are in the joint space: the head that the library gives a clip's class token is
    given each step as well. Tokens are those of the encoder of pictures.
    """

    beside = ()

    def __init__(self, model: Any, about: VideoEncoder):
        super().__init__(model.video_encoder, about)
        self.head = model.video_head

    @property
    def _pictures(self) -> Any:
        return self.model.embedder.vision_model.timm_model

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its transformer blocks, in order: of pictures, then over time."""
        return [*self._pictures.blocks, *self.model.layers]

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        normed: list[Tensor] = []
        hook = self._pictures.norm.register_forward_hook(lambda module, given, found: normed.append(found))
        try:
            found = self.model(clips)
        finally:
            hook.remove()
        places = normed[0][:, self._pictures.num_prefix_tokens :]
        tokens = places.unflatten(1, (self.grid, self.grid)).unflatten(0, clips.shape[:2])
        return Given(self.head(found.last_hidden_state), self.head(found.pooler_output), tokens)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass."""
        super().checkpoint_activations()
        self._pictures.set_grad_checkpointing(True)


class Towers(nn.Module):
    """The encoders of a model with text, held as open_clip's models hold theirs.

    Args:
        visual: of video.
        model: X-CLIP, as the library builds it.
    """

    def __init__(self, visual: ClipEncoder, model: Any):
        super().__init__()
        self.visual = visual
        self.text_model, self.text_projection = model.text_model, model.text_projection
        self.logit_scale = model.logit_scale

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        """Encode tokens into the joint space, (n, context length) → (n, D)."""
        features: Tensor = self.text_projection(self.text_model(input_ids=tokens).pooler_output)
        return torch.nn.functional.normalize(features, dim=-1) if normalize else features


class PerceptionTowers(nn.Module):
    """The encoders of PE-video, held as open_clip's models hold theirs.

    Args:
        visual: of video.
        model: as the library builds it.
    """

    def __init__(self, visual: ClipEncoder, model: Any):
        super().__init__()
        self.visual = visual
        self.text_model, self.text_head = model.text_model, model.text_video_head
        scale = model.text_video_logit_scale.detach()  # as it is; CLIP's is stored as its logarithm
        self.logit_scale = nn.Parameter(torch.where(scale > 0, scale, 1.0).log())
        self.filling: int = model.config.text_config.pad_token_id

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        """Encode tokens into the joint space, (n, L) → (n, D): what the first token has become."""
        features = self._encoded(tokens)[:, 0]
        return torch.nn.functional.normalize(features, dim=-1) if normalize else features

    def encode_words(self, tokens: Tensor) -> Tensor:
        """Encode every token into the joint space, (n, L) → (n, L, D); zero after the end of a text."""
        return self._encoded(tokens) * (tokens != self.filling).unsqueeze(-1)

    def _encoded(self, tokens: Tensor) -> Tensor:
        mask = (tokens != self.filling).long()
        found: Tensor = self.text_head(self.text_model(input_ids=tokens, attention_mask=mask).last_hidden_state)
        return found


TOWERS: dict[str, Callable[[ClipEncoder, Any], nn.Module]] = {"xclip": Towers, "pe_video": PerceptionTowers}
ENCODERS: dict[str, type[ClipEncoder]] = {
    "videomae": VideoMAE,
    "xclip": XClip,
    "timesformer": Timesformer,
    "vivit": Vivit,
    "vjepa2": VJepa2,
    "videoprism_vision_model": VideoPrism,
    "pe_video": PerceptionVideo,
}
