"""Training the demo's small CLIP (Radford et al., 2021) from stills and captions, with open_clip's model and loss."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fsar.clip_library import open_clip
from fsar.config import SmallClipConfig
from fsar.files import atomic, read_parquet
from fsar.job import progress
from fsar.model.open_clip_backbone import architecture_name, open_clip_backbone, random_clip
from fsar.seal import OPEN, seal
from fsar.sources.demo.stills import SCHEMA

log = logging.getLogger(__name__)


def train_small_clip(stills: Path, config: SmallClipConfig, path: Path) -> None:
    """Train the architecture of `config` on the stills and write its weights as safetensors.

    Args:
        stills: Parquet with the columns jpeg and caption.
        config: architecture, epochs, batch, learning rate and seed; the same give the same weights.
        path: where the weights go.
    """
    torch.manual_seed(config.seed)
    name = architecture_name(config.model)
    clip = random_clip(name)
    for parameter_name, parameter in clip.visual.named_parameters():
        # open_clip starts residual branches at zero, which suits long training; at one, a few hundred steps suffice.
        if parameter_name.endswith("bn3.weight"):
            torch.nn.init.ones_(parameter)
    backbone = open_clip_backbone(clip, name).train()

    table = read_parquet(stills, SCHEMA)
    pictures = torch.from_numpy(np.stack([simplejpeg.decode_jpeg(jpeg) for jpeg in table["jpeg"]]))  # (n, H, W, 3)
    words = _Words(clip, backbone.tokenizer(list(table["caption"])))
    order = np.random.default_rng(config.seed)
    steps_per_epoch = max(len(table) // config.batch, 1)
    steps = steps_per_epoch * config.epochs
    warmup = max(steps // 20, 1)
    optimizer = torch.optim.AdamW(
        clip.parameters(), lr=config.learning_rate, weight_decay=0.05, betas=(0.9, 0.98), fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, 0.5 * (1 + math.cos(math.pi * min(step / steps, 1))))
    )
    loss_of = open_clip.ClipLoss()
    for epoch in progress(range(config.epochs), "training the small CLIP", "epoch"):
        shuffled = order.permutation(len(table))
        total = 0.0
        for step in range(steps_per_epoch):
            batch = torch.from_numpy(shuffled[step * config.batch : (step + 1) * config.batch])
            picture_features = backbone(pictures[batch].unsqueeze(1))[:, 0]  # stills are videos of one frame
            text_features = clip.encode_text(words.numbers[batch])
            loss = loss_of(
                torch.nn.functional.normalize(picture_features, dim=-1),
                torch.nn.functional.normalize(text_features, dim=-1),
                clip.logit_scale.exp(),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            words.decay_others(optimizer)
            schedule.step()
            with torch.no_grad():
                clip.logit_scale.clamp_(0, math.log(100))
            total += loss.item()
        log.info("epoch %d of %d: loss %.4f", epoch + 1, config.epochs, total / steps_per_epoch)
    words.put_back()
    with atomic(path) as temporary:
        state = {name: value.contiguous() for name, value in clip.state_dict().items()}
        save_file(state, temporary, metadata={"seal": OPEN})
        seal(temporary)


class _Words:
    """The words that captions have, which are few of a tokenizer's: the others get no gradient, and only decay.

    While this holds, the model's table of words has theirs alone. The weights are those of training the whole table, a
    tenth of whose time goes into gradients that are zero.

    Args:
        clip: whose table is exchanged.
        tokens: (n, context) numbers of words, as the tokenizer gives them.

    Attributes:
        numbers: (n, context) of the same words in the shorter table, in the same order; the end of a text, which is
            found by the largest number, stays it.
    """

    def __init__(self, clip: Any, tokens: Tensor):
        self.clip, self.whole = clip, clip.token_embedding
        self.used, self.numbers = tokens.unique(return_inverse=True)
        clip.token_embedding = nn.Embedding.from_pretrained(self.whole.weight.detach()[self.used], freeze=False)

    def decay_others(self, optimizer: torch.optim.Optimizer) -> None:
        """Decay the other words, as AdamW decays what has no gradient, after a step of it."""
        [group] = optimizer.param_groups
        with torch.no_grad():
            self.whole.weight.mul_(1 - group["lr"] * group["weight_decay"])

    def put_back(self) -> None:
        """Give the model its whole table back, with what the words have become."""
        with torch.no_grad():
            self.whole.weight[self.used] = self.clip.token_embedding.weight
        self.clip.token_embedding = self.whole
