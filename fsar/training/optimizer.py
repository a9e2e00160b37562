"""The optimizer, and the learning rate and weight decay of each parameter."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from fsar.config import TrainingConfig
from fsar.model.few_shot import FewShotModel

NORMALISATION = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def make_optimizer(groups: list[dict[str, Any]], config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the optimizer of a training."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, fused=True
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    first, second = config.betas
    return kind(groups, lr=config.learning_rate, betas=(first, second), eps=config.epsilon, fused=True)


def parameter_groups(model: FewShotModel, config: TrainingConfig) -> list[dict[str, Any]]:
    """Group the trained parameters by learning rate and weight decay.

    Normalisation layers have no decay: in heads and adapters by their type; in encoders, as published, only those
    named `bn` or `norm`. Few of CLIP's are: its LayerNorms are `ln_1`, `ln_2`, `ln_pre` (docs/fidelity.md).
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, factor, spared in _trained(model, config):
        decay = 0.0 if spared else config.weight_decay
        groups.setdefault((factor, decay), []).append(parameter)
    return [{"params": ps, "factor": factor, "weight_decay": decay} for (factor, decay), ps in groups.items()]


def _trained(model: FewShotModel, config: TrainingConfig) -> Iterator[tuple[nn.Parameter, float, bool]]:
    """Yield the trained parameters, the factor of their learning rate, and whether they have no decay."""
    backbone, head = model.backbone, model.head
    for name, parameter in backbone.encoders.named_parameters():
        if parameter.requires_grad:
            yield parameter, 1.0, "bn" in name or "norm" in name
    if backbone.adapters is not None:
        yield from ((parameter, 1.0, spared) for parameter, spared in _by_kind(backbone.adapters))
    own = {p: factor for part, factor in head.learning_rate_factors() for p in part.parameters()}
    for parameter, spared in _by_kind(head):
        yield parameter, config.head_learning_rate_factor * own.get(parameter, 1.0), spared


def _by_kind(module: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """Yield the trained parameters of a module, and whether each belongs to a normalisation layer."""
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if parameter.requires_grad:
                yield parameter, isinstance(part, NORMALISATION)
