"""What only a GPU can show: `python -m pytest -m gpu tests/test_cuda.py` on a machine that has one (docs/gpu.md)."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from fsar.config import Counts, SamplingConfig, TrainingConfig
from fsar.fabric import make_fabric, set_float32
from fsar.methods import MODELS
from fsar.training.data import TrainingEpisodes, load_episodes
from perf.gpu_check.agreement import relative, seen
from perf.gpu_check.correctness import same
from perf.gpu_check.device import Device
from perf.gpu_check.findings import Findings
from perf.gpu_check.sizes import REHEARSAL
from perf.gpu_check.small_training import train
from perf.gpu_check.world import SMALL, SMALL_FRAMES, frames, make_world, videos
from perf.training_step import Step

pytestmark = pytest.mark.gpu

EACH = Counts(train=4, val=4, test=4)
SIZES = replace(
    REHEARSAL,
    demo=REHEARSAL.demo.model_copy(update={"classes": EACH, "videos_per_class": EACH}),
    frames=4,
    episodes=200,
    training={
        "way": 3, "queries": 2, "iterations": 12, "tasks_per_step": 2, "validate_every": 12, "checkpoint_minutes": 0,
    },
)  # fmt: skip
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@pytest.fixture(scope="module")
def gpu():
    if not torch.cuda.is_available():
        pytest.skip(f"PyTorch {torch.__version__} finds no NVIDIA GPU here")
    return "cuda"


@pytest.fixture(scope="module")
def world(gpu, tmp_path_factory):
    """Rendered videos as frames, drawn episodes, and random weights."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder, SIZES, Device("cpu"), Findings(folder, "world", 600))
    return folder


@pytest.fixture(scope="module")
def on_cpu(world):
    return train(world, SIZES, "cpu", "cpu", dropout=False)


@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_trains_as_the_cpu_does(world, gpu, on_cpu, precision, recomputed):
    name = f"{precision} {recomputed}"
    settings = {"precision": precision, "activation_checkpointing": recomputed, "float32": "fp32"}
    own = train(world, SIZES, gpu, name, dropout=False, **settings)
    losses = list(own.metrics["loss"])
    assert all(map(math.isfinite, losses)) and all(value.isfinite().all() for value in own.weights.values())
    assert losses[0] == pytest.approx(on_cpu.metrics["loss"].iloc[0], rel=0.05)
    norms = own.metrics["gradient_norm"]  # in fp16 the first steps overflow, until the scale is small enough
    assert norms.iloc[-1] > 0 and (precision == "16-mixed" or norms.map(math.isfinite).all())


def test_a_training_tells_its_gpu_and_memory(world, gpu):
    own = train(world, SIZES, gpu, "told", iterations=2)
    about = json.loads(own.file.with_name("training.json").read_text())
    assert about["environment"]["device"] == torch.cuda.get_device_name()
    assert (own.metrics["gpu_memory_mb"] > 1).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_strict_trainings_give_the_same_bits_also_after_a_stop(world, gpu, precision):
    whole, again, stopped = (
        train(world, SIZES, gpu, f"{name} {precision}", stop=stop, precision=precision, deterministic=True)
        for name, stop in (("whole", None), ("again", None), ("stopped", 6))
    )
    assert same(whole, again) == (True, "")
    assert same(whole, stopped) == (True, "")


@pytest.mark.parametrize("model", [name for name, components in MODELS.items() if components.trained])
def test_every_model_trains_with_strict_operations(world, gpu, model):
    queries = 1 if dict(MODELS[model].fixed).get("orientation") == "published" else 2
    own = train(world, SIZES, gpu, model, model, iterations=2, deterministic=True, queries=queries)
    assert (own.metrics["gradient_norm"] > 0).all()


def test_the_other_device_goes_on(world, gpu, on_cpu):
    for first, then in (("cpu", gpu), (gpu, "cpu")):
        moved = train(world, SIZES, first, f"from {first}", stop=6, then=then, dropout=False, float32="fp32")
        assert list(moved.metrics["loss"]) == pytest.approx(list(on_cpu.metrics["loss"]), rel=0.02)


def test_features_and_predictions_are_the_cpu_s(world, gpu, on_cpu):
    ours, theirs = (seen(world, SIZES, on_cpu, device, "fp32") for device in (gpu, "cpu"))
    assert relative(ours.features, theirs.features) < 1e-3
    assert (ours.predicted != theirs.predicted).mean() < 0.01


def test_an_overflow_in_fp16_is_left_out_and_halves_the_scale(gpu):
    step = Step(SMALL, "16-mixed", gpu, 1)
    step.whole()  # makes Adam's moments
    scaler = step.fabric.strategy.precision.scaler
    scaler.load_state_dict(scaler.state_dict() | {"scale": 2.0**100})
    before = {name: value.clone() for name, value in step.model.module.head.state_dict().items()}
    step.whole()
    assert scaler.get_scale() == 2.0**99
    assert all(torch.equal(value, before[name]) for name, value in step.model.module.head.state_dict().items())


def test_pinned_copies_arrive_whole(world, gpu):
    """The loader's memory is used again while copies of it are under way."""
    config = TrainingConfig(way=3, queries=2, iterations=24)
    sampling = SamplingConfig(frames=4)
    episodes = TrainingEpisodes(frames(world, "small"), videos(world, "train"), config, sampling, SMALL_FRAMES, 0)
    loader = load_episodes(episodes, range(24), workers=2, pin_memory=True)
    moved = [batch.videos.to(gpu, non_blocking=True) for batch in loader]
    assert all(torch.equal(clips.cpu(), episodes[number].videos) for number, clips in enumerate(moved))


def test_float32_means_what_it_says(gpu):
    assert make_fabric("auto", "fp32").device.type == gpu
    if torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no TF32")
    torch.manual_seed(0)
    pictures, weights = torch.randn(4, 64, 28, 28, device=gpu), torch.randn(64, 64, 3, 3, device=gpu)
    rows, columns = torch.randn(512, 512, device=gpu), torch.randn(512, 512, device=gpu)
    for made in (lambda: torch.nn.functional.conv2d(pictures, weights), lambda: rows @ columns):
        errors = {}
        for float32 in ("fp32", "tf32"):
            set_float32(float32)
            errors[float32] = made()
        assert relative(errors["fp32"], errors["tf32"]) > 1e-5  # 10 bits are not 23
        set_float32("fp32")
        torch.testing.assert_close(made(), errors["fp32"])


TAKE = """
import sys
from pathlib import Path
from fsar.gpus import own_gpus
with own_gpus(1, "auto", Path(sys.argv[1])):
    import torch
    print(torch.cuda.device_count(), torch.cuda.get_device_properties(0).uuid, flush=True)
    sys.stdin.read()
"""


def test_each_job_has_a_gpu_of_its_own(gpu, tmp_path, repository):
    there = torch.cuda.device_count()
    command = [sys.executable, "-c", TAKE, str(tmp_path)]
    jobs = [
        subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(min(there, 2))
    ]
    told = [job.stdout.readline().split() for job in jobs]
    for job in jobs:
        job.communicate()
    assert [count for count, _ in told] == ["1"] * len(jobs)
    assert len({uuid for _, uuid in told}) == len(jobs)
