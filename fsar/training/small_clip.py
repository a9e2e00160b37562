"""Training the demo's small CLIP (Radford et al., 2021) from stills and captions, with open_clip's model and loss."""

import logging
import math
from pathlib import Path

import numpy as np
import simplejpeg
import torch
from safetensors.torch import save_file

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
    tokens = backbone.tokenizer(list(table["caption"]))  # (n, context)
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
            text_features = clip.encode_text(tokens[batch])
            loss = loss_of(
                torch.nn.functional.normalize(picture_features, dim=-1),
                torch.nn.functional.normalize(text_features, dim=-1),
                clip.logit_scale.exp(),
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                clip.logit_scale.clamp_(0, math.log(100))
            total += loss.item()
        log.info("epoch %d of %d: loss %.4f", epoch + 1, config.epochs, total / steps_per_epoch)
    with atomic(path) as temporary:
        state = {name: value.contiguous() for name, value in clip.state_dict().items()}
        save_file(state, temporary, metadata={"seal": OPEN})
        seal(temporary)
