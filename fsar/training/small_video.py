"""Training an encoder of video of the demo's own from rendered clips, to name the shape and the action in them."""

import logging
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from fsar.config import SmallVideoConfig
from fsar.files import atomic
from fsar.job import progress
from fsar.model.transformers_backbone import built, library_state
from fsar.model.video_backbone import VideoBackbone
from fsar.seal import OPEN, seal
from fsar.sources.demo.actions import ACTIONS
from fsar.sources.demo.clips import render_clip
from fsar.sources.demo.shapes import SHAPES
from fsar.video_encoders import VideoEncoder

log = logging.getLogger(__name__)

# Clips that nothing is trained on, which the log says how many are named of.
OTHERS = 400


class Names(nn.Module):
    """Two classifiers of a clip's feature, of shapes and of actions, which nothing keeps.

    Args:
        width: D.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.shapes, self.actions = nn.Linear(width, len(SHAPES)), nn.Linear(width, len(ACTIONS))

    def loss(self, features: Tensor, shapes: Tensor, actions: Tensor) -> Tensor:
        """Return the loss of features, (B, D), with the numbers of shapes and actions, (B,)."""
        normed = self.norm(features)
        return F.cross_entropy(self.shapes(normed), shapes) + F.cross_entropy(self.actions(normed), actions)


def train_small_video(config: SmallVideoConfig, path: Path) -> None:
    """Train the architecture of `config` on rendered clips and write its weights as safetensors.

    An encoder with text is trained to tell the caption of a clip from all others as well, as its pretraining did.

    Args:
        config: architecture, clips, epochs, batch, learning rate and seed; the same give the same weights.
        path: where the weights go.
    """
    torch.manual_seed(config.seed)
    model, backbone = built(config.model)
    if config.clips:
        _train(backbone.train(), config)
    with atomic(path) as temporary:
        save_file(library_state(model, backbone), temporary, metadata={"seal": OPEN})
        seal(temporary)


def _train(backbone: VideoBackbone, config: SmallVideoConfig) -> None:
    about, names = backbone.about, Names(backbone.width)
    backbone.features = "clips"
    clips, labels = _rendered(about, config.clips, (config.seed, 6))
    tokens = backbone.tokens([f"a {shape} {action}" for shape, action in _captions(labels)]) if about.has_text else None
    trained = [*backbone.encoders.parameters(), *names.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.05, betas=(0.9, 0.98), fused=True)
    each = max(len(clips) // config.batch, 1)
    steps, warmup = each * config.epochs, max(each * config.epochs // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(step / steps, 1))))
    )
    order = np.random.default_rng(config.seed)
    for epoch in progress(range(config.epochs), "training the small encoder of video", "epoch"):
        shuffled, total = order.permutation(len(clips)), 0.0
        for step in range(each):
            batch = torch.from_numpy(shuffled[step * config.batch : (step + 1) * config.batch])
            features = backbone(clips[batch])[:, 0]
            loss = names.loss(features, *labels[batch].T)
            if tokens is not None:
                loss = loss + _caption_loss(backbone, features, tokens[batch], labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        log.info("epoch %d of %d: loss %.4f", epoch + 1, config.epochs, total / each)
    shapes, actions = _named(backbone.eval(), names.eval(), *_rendered(about, OTHERS, (config.seed, 7)))
    log.info("of %d other clips it names %.1f %% of shapes and %.1f %% of actions", OTHERS, shapes, actions)


def _rendered(about: VideoEncoder, count: int, seed: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return clips, (n, F, H, W, 3) bytes, and the numbers of their shapes and actions, (n, 2)."""
    rendered = [
        render_clip(np.random.default_rng([*seed, number]), about.frames, about.size)
        for number in progress(range(count), "rendering clips", "clip")
    ]
    clips = torch.from_numpy(np.stack([clip for clip, *_ in rendered]))
    return clips, torch.tensor([numbers for _, *numbers in rendered])


@torch.inference_mode()
def _named(backbone: VideoBackbone, names: Names, clips: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return how many shapes and actions of clips are named rightly, in percent."""
    features = names.norm(torch.cat([backbone(part)[:, 0] for part in clips.split(50)]))
    told = torch.stack([names.shapes(features).argmax(dim=1), names.actions(features).argmax(dim=1)], dim=1)
    shapes, actions = (100 * (told == labels).float().mean(dim=0)).tolist()
    return shapes, actions


def _captions(labels: Tensor) -> list[tuple[str, str]]:
    shapes, actions = list(SHAPES), list(ACTIONS)
    return [(shapes[shape], actions[action]) for shape, action in labels.tolist()]


def _caption_loss(backbone: VideoBackbone, features: Tensor, tokens: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of telling each clip's caption from the others of its batch; equal captions are equally right."""
    text = F.normalize(backbone.encoders.encode_text(tokens), dim=-1)
    logits = backbone.encoders.logit_scale.exp() * F.normalize(features, dim=-1) @ text.T
    same = (labels[:, None] == labels[None]).all(dim=-1).float()
    return F.cross_entropy(logits, same / same.sum(dim=1, keepdim=True))
