"""What is trained, at which rate, by which optimizer."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fsar.config import TrainingConfig
from fsar.fabric import make_fabric
from fsar.methods import MODELS
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs
from fsar.model.backbone import load_backbone
from fsar.training.optimizer import make_optimizer, parameter_groups
from fsar.training.schedule import learning_rate
from fsar.training.setup import set_up_model
from tests.helpers.small_models import small_head
from tests.helpers.training import job_and_files


def test_the_published_schedule():
    config = TrainingConfig()  # Kinetics: 5e-6 → 1e-5 over 250, milestones at 750 and 1250
    rates = [learning_rate(i, config) for i in (0, 125, 250, 749, 750, 1249, 1250, 4999)]
    np.testing.assert_allclose(rates, [5e-6, 7.5e-6, 1e-5, 1e-5, 1e-6, 1e-6, 1e-7, 1e-7])
    assert learning_rate(0, TrainingConfig(warmup_iterations=0)) == 1e-5


def test_schedules_of_other_methods():
    plain = {"learning_rate": 1.0, "warmup_from": 0.0, "warmup_iterations": 0}
    stepped = TrainingConfig(milestones=[3, 5, 7], factors=[0.5, 0.1, 0.01], iterations=10, **plain)
    assert [learning_rate(i, stepped) for i in (0, 2, 3, 4, 5, 6, 7, 9)] == [1, 1, 0.5, 0.5, 0.1, 0.1, 0.01, 0.01]
    cosine = TrainingConfig(schedule="cosine", iterations=100, **plain)
    np.testing.assert_allclose([learning_rate(i, cosine) for i in (0, 25, 50, 100)], [1, 0.5 + 0.5**1.5, 0.5, 0])
    assert list(TrainingConfig(factors=[0.5]).problems()) == ["factors are 1, but milestones 2: one for each"]


def test_optimizers_of_other_methods():
    """One step from a gradient of 1, with weight decay: as each is defined."""

    def step(**config):
        parameter = torch.nn.Parameter(torch.tensor([2.0]))
        settings = TrainingConfig(learning_rate=0.1, warmup_from=0.0, **config)
        optimizer = make_optimizer([{"params": [parameter], "factor": 1.0, "weight_decay": 0.5}], settings)
        for _ in range(2):
            parameter.grad = torch.tensor([1.0])
            optimizer.step()
        return parameter.item()

    sgd = 2 - 0.1 * 2  # the gradient and half the weight
    assert step(optimizer="sgd") == pytest.approx(sgd - 0.1 * (1 + 0.5 * sgd))
    assert step(optimizer="sgd", momentum=0.9) == pytest.approx(sgd - 0.1 * (1 + 0.5 * sgd + 0.9 * 2))
    first = 2 - 0.1 * (2 + 0.9 * 2)
    assert step(optimizer="sgd", momentum=0.9, nesterov=True) == pytest.approx(
        first - 0.1 * (1 + 0.5 * first + 0.9 * (1 + 0.5 * first + 0.9 * 2))
    )
    assert step(optimizer="adam") == pytest.approx(1.8, abs=1e-3)  # a step is as long as the learning rate
    assert step(optimizer="adamw") == pytest.approx((2 * 0.95 - 0.1) * 0.95 - 0.1, abs=1e-6)
    assert step(optimizer="adam", epsilon=1e3) == pytest.approx(2, abs=1e-3)


# Which parts of a model are trained, and have a gradient and a place in the optimizer.
PARTS = {
    "clip-fsar": {"visual", "head"},
    "clip-fsar-text-encoder": {"visual", "text", "head"},
    "clip-fsar-head": {"head"},
    "otam": {"visual"},
    "task-adapter": {"adapters"},
    "otam-lora": {"adapters"},
    "emp-net": {"head"},
    "molo": {"visual", "head"},
}


@pytest.mark.parametrize("model", PARTS)
def test_what_is_trained_is_what_the_record_says(world, model):
    job, _ = job_and_files(world, "parts", model, weight_decay=0.25, head_learning_rate_factor=2.0)
    wrapped, optimizer = set_up_model(job, load_backbone(job.backbone), 4, make_fabric("cpu", "fp32"))

    def part(name):
        where = {"head": "head", "backbone.adapters": "adapters", "backbone.encoders.visual": "visual"}
        return next((own for start, own in where.items() if name.startswith(start)), "text")

    parameters = {name: p for name, p in wrapped.module.named_parameters() if p.requires_grad}
    assert {part(name) for name in parameters} == PARTS[model]
    held = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert set(held) == {id(p) for p in parameters.values()}
    factors = {id(p): group["factor"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in parameters.items():
        assert factors[id(parameter)] == (2.0 if part(name) == "head" else 1.0), name
    # Of encoders those named so are spared; of the rest normalisation layers.
    encoders = {name: p for name, p in parameters.items() if part(name) in ("visual", "text")}
    for name, parameter in encoders.items():
        assert held[id(parameter)] == (0.0 if "bn" in name or "norm" in name else 0.25), name
    modules = dict(wrapped.module.named_modules())
    for name in parameters.keys() - encoders.keys():
        spared = isinstance(modules[name.rpartition(".")[0]], (torch.nn.LayerNorm, torch.nn.BatchNorm2d))
        assert held[id(parameters[name])] == (0.0 if spared else 0.25), name


def test_layers_named_norm_are_spared_as_those_named_bn():
    """Of encoders by name, wherever it stands in it."""
    encoder = torch.nn.ModuleDict(
        {
            "norm": torch.nn.Linear(2, 2),
            "layer": torch.nn.ModuleDict({"bn1": torch.nn.Linear(2, 2)}),
            "ln_1": torch.nn.LayerNorm(2),
        }
    )
    model = SimpleNamespace(
        backbone=SimpleNamespace(encoders=encoder, adapters=None),
        head=build_head(MODELS["otam"], Inputs(8, 2), small_head(MODELS["otam"])),
    )
    groups = parameter_groups(model, TrainingConfig(weight_decay=0.5))
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    found = {name: decay[id(p)] for name, p in encoder.named_parameters() if name.endswith("weight")}
    assert found == {"norm.weight": 0.0, "layer.bn1.weight": 0.0, "ln_1.weight": 0.5}


def test_a_step_has_the_rate_of_its_last_episode(uninterrupted, world):
    metrics = pd.read_parquet(uninterrupted / "metrics.parquet")
    config = job_and_files(world, "whole")[0].training
    expected = [learning_rate(iteration - 1, config) for iteration in (2, 4, 6, 8, 10, 12)]
    np.testing.assert_allclose(metrics["learning_rate"], expected)
    assert len(set(expected)) > 3
