"""What only a GPU can show: `make gpu-check` on a machine that has one (docs/gpu.md).

FSAR_GPU_CHECK_DEVICE=cpu rehearses it: a CPU then stands for the GPU.
"""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fsar.config import SamplingConfig, TextConfig, TrainingConfig
from fsar.episodes.stored import StoredEpisodes, draw_episodes, readable_videos
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.evaluation.episode_logits import predict
from fsar.evaluation.kept_features import Features
from fsar.fabric import make_fabric, set_deterministic, set_float32
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.open_clip_backbone import random_backbone
from fsar.model.text import encode_classes
from fsar.model.timm_backbone import bare
from fsar.training.checkpoint import Checkpoint
from fsar.training.data import TrainingEpisodes, load_episodes
from fsar.training.fit import fit
from fsar.videos.store_read import FrameStore
from tests.helpers.training import job_and_files, make_training_world

pytestmark = pytest.mark.gpu

DEVICE = os.environ.get("FSAR_GPU_CHECK_DEVICE", "cuda")
ON_GPU = pytest.mark.skipif(DEVICE != "cuda", reason="a CPU has nothing of this kind")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
# Of the largest value: what two orders of the same sums may differ by in fp32; and the share of other predictions.
NEAR, CHANGED = 1e-3, 0.01


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_training_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def device_is_there():
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.fail(f"PyTorch {torch.__version__} finds no NVIDIA GPU here: see nvidia-smi and CUDA_VISIBLE_DEVICES")


class Stopped(BaseException):
    """A training was stopped, as by Ctrl-C."""


def train(folder, name, model="clip-fsar", device=DEVICE, dropout=True, stop=None, then=None, **training):
    """Train a small model; return its weights and metrics.

    Args:
        folder: of the fixture `world`.
        name: of the folder with the outputs.
        model, device, training: what is trained, where, and settings of the section `training`.
        dropout: without it a CPU and a GPU, which draw other numbers from one seed, do the same. Of CLIP-FSAR alone.
        stop, then: the episodes after which the training stops for the first time, and the device that goes on.
    """
    job, files = job_and_files(folder, name, model, **{"iterations": 8, "validate_every": 8} | training)
    head = job.head if dropout else ClipFsarConfig(feed_forward=64, attention_dropout=0.0, feed_forward_dropout=0.0)
    job = replace(job, device=device, head=head)
    if stop is not None:
        forward, calls = FewShotModel.forward, []

        def counted(self, *arguments):
            calls.append(1)
            if len(calls) > stop:
                raise Stopped
            return forward(self, *arguments)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
            patch.setattr(FewShotModel, "forward", counted)
            fit(job, files)
        assert files.checkpoint.is_file()
        job = replace(job, device=then or device)
    fit(job, files)
    return load_file(files.output / "model.safetensors"), pd.read_parquet(files.output / "metrics.parquet")


def assert_same(one, other):
    """Two trainings came to the same bits, in weights, losses and gradients."""
    assert [name for name, value in one[0].items() if not torch.equal(value, other[0][name])] == []
    assert one[1][["loss", "gradient_norm"]].equals(other[1][["loss", "gradient_norm"]])


def relative(ours, theirs):
    """The largest difference, as a share of the largest value."""
    return float((ours.cpu() - theirs.cpu()).abs().max() / theirs.abs().max())


@pytest.fixture(scope="module")
def on_cpu(world):
    return train(world, "cpu", device="cpu", dropout=False, float32="fp32")


@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_trains_as_the_cpu_does(world, on_cpu, precision, recomputed):
    settings = {"precision": precision, "activation_checkpointing": recomputed, "float32": "fp32"}
    weights, metrics = train(world, f"{precision} {recomputed}", dropout=False, **settings)
    assert metrics["loss"].map(math.isfinite).all() and all(value.isfinite().all() for value in weights.values())
    assert metrics["loss"][0] == pytest.approx(on_cpu[1]["loss"][0], rel=1e-3 if precision == "32-true" else 0.05)
    norms = metrics["gradient_norm"]  # in fp16 the first steps overflow, until the scale is small enough
    assert norms.iloc[-1] > 0 and (precision == "16-mixed" or norms.map(math.isfinite).all())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_strict_trainings_give_the_same_bits_also_after_a_stop(world, precision):
    whole, again, stopped = (
        train(world, f"{name} {precision}", stop=stop, precision=precision, deterministic=True)
        for name, stop in (("whole", None), ("again", None), ("stopped", 4))
    )
    assert_same(whole, again)
    assert_same(whole, stopped)


@pytest.mark.parametrize("model", [name for name, components in MODELS.items() if components.trained])
def test_every_model_trains_with_strict_operations_and_goes_on_to_the_same_bits(world, model):
    settings = {"iterations": 4, "validate_every": 4, "deterministic": True}
    whole, stopped = (
        train(world, f"{model} {stop}", model, stop=stop, **settings) for stop in (None, 2)
    )  # fmt: skip
    assert (whole[1]["gradient_norm"] > 0).all()
    assert_same(whole, stopped)


def test_the_other_device_goes_on(world, on_cpu):
    for first, then in (("cpu", DEVICE), (DEVICE, "cpu")):
        moved = train(world, f"{first} first", device=first, stop=4, then=then, dropout=False, float32="fp32")
        np.testing.assert_allclose(moved[1]["loss"], on_cpu[1]["loss"], rtol=0.02)


@ON_GPU
def test_two_processes_train_as_one(world, repository):
    if torch.cuda.device_count() < 2:
        pytest.skip("this takes two GPUs")
    settings = {"tasks_per_step": 4, "float32": "fp32"}
    one = train(world, "one", dropout=False, **settings)
    (world / "two.py").write_text(
        "import json, sys\nfrom pathlib import Path\nfrom tests.test_gpu import train\n"
        "train(Path(sys.argv[1]), 'two', dropout=False, devices=2, **json.loads(sys.argv[2]))\n"
    )
    command = [sys.executable, str(world / "two.py"), str(world), json.dumps(settings)]
    subprocess.run(command, cwd=repository, env={**os.environ, "PYTHONPATH": str(repository)}, check=True)
    two = pd.read_parquet(world / "two/metrics.parquet")
    np.testing.assert_allclose(two["loss"], one[1]["loss"], rtol=1e-3)


@torch.inference_mode()
def seen(folder, device):
    """(V, T, D) features of the videos of the world's validation, and (E, N, Q) predicted labels."""
    set_float32("fp32")
    job, files = job_and_files(folder, "cpu")
    draw_episodes(files.manifest, files.index, "val", 3, 1, 1, 200, 0, folder / "200.parquet")
    episodes, where = StoredEpisodes.read(folder / "200.parquet"), torch.device(device)
    model = FewShotModel(load_backbone(job.backbone), job.components, job.head)
    load_weights(model, files.output / "model.safetensors")
    model = model.eval().to(where)
    size = model.backbone.image_size
    clips = load_clips(FrameStore(folder, files.index), episodes.video_ids, job.sampling, size, 0, where)
    kept = encode_videos(model.encode, clips, where)
    text = encode_classes(model.backbone, episodes.class_names, TextConfig())
    rows, classes = ({key: row for row, key in enumerate(keys)} for keys in (episodes.video_ids, episodes.class_names))
    stored = {name: videos.to(where) for name, videos in kept.items()}
    return kept["frames"], predict(model.head, episodes, Features(rows, stored, classes, text))


def test_features_and_predictions_are_the_cpu_s(world, on_cpu):
    ours, theirs = (seen(world, device) for device in (DEVICE, "cpu"))
    assert relative(ours[0], theirs[0]) < NEAR
    assert (ours[1] != theirs[1]).mean() <= CHANGED


@pytest.mark.parametrize("architecture", ["RN50-quickgelu", "ViT-B-16-quickgelu", "resnet50"])
def test_a_large_backbone_has_the_cpu_s_features_and_the_same_gradients_twice(architecture):
    torch.manual_seed(0)
    # timm's ResNet-50 begins with a max pool, which CLIP's does without.
    backbone = (
        bare(architecture, "tv_in1k", 0) if architecture == "resnet50" else random_backbone(architecture)
    ).eval()
    pixels = torch.randint(256, (1, 2, backbone.image_size, backbone.image_size, 3), dtype=torch.uint8)
    set_float32("fp32")
    with torch.no_grad():
        slow = backbone(pixels)
        backbone.to(DEVICE)
        assert relative(backbone(pixels.to(DEVICE)), slow) < NEAR
    set_deterministic(True)
    gradients = []
    for _ in range(2):
        backbone.zero_grad()
        with torch.autocast(DEVICE, torch.bfloat16):
            features = backbone(pixels.to(DEVICE))
        features.float().square().mean().backward()
        gradients.append([p.grad.clone() for p in backbone.visual.parameters() if p.grad is not None])
    assert gradients[0] and all(map(torch.equal, *gradients))


def test_an_overflow_in_fp16_is_left_out_and_halves_the_scale(world, monkeypatch):
    """The first scale of 2¹⁶ is too much for these weights."""
    save, states = Checkpoint.save, []

    def keep(self, state):
        save(self, state)
        self.wait()
        states.append(self.load())

    monkeypatch.setattr(Checkpoint, "save", keep)
    _, metrics = train(world, "fp16", precision="16-mixed", tasks_per_step=1, validate_every=1000)
    finite = metrics["gradient_norm"].map(math.isfinite)
    assert not finite[0] and finite.iloc[-1]
    scale, weights = 2.0**16, load_file(world / "small-clip.safetensors")["visual.conv1.weight"]
    for taken, state in zip(finite, states, strict=False):
        scale *= 1 if taken else 0.5
        trained = state["model"]["visual.conv1.weight"].cpu()
        assert state["precision"]["scale"] == scale and torch.equal(trained, weights) is not taken
        weights = trained


@ON_GPU
def test_a_training_tells_its_gpu_and_memory(world):
    _, metrics = train(world, "told", iterations=2)
    about = json.loads((world / "told/training.json").read_text())
    assert about["environment"]["device"] == torch.cuda.get_device_name()
    assert (metrics["gpu_memory_mb"] > 1).all()


def test_copies_arrive_whole(world):
    """The loader's memory is used again while copies of it are under way."""
    config, files = TrainingConfig(way=3, queries=2, iterations=24), job_and_files(world, "copies")[1]
    listed = readable_videos(files.manifest, files.index, "train")
    episodes = TrainingEpisodes(FrameStore(world, files.index), listed, config, SamplingConfig(frames=4), 72, 0)
    loader = load_episodes(episodes, range(24), workers=2, pin_memory=DEVICE == "cuda")
    moved = [batch.videos.to(DEVICE, non_blocking=True, copy=True) for batch in loader]
    assert all(torch.equal(clips.cpu(), episodes[number].videos) for number, clips in enumerate(moved))


@ON_GPU
def test_float32_means_what_it_says():
    assert make_fabric("auto", "fp32").device.type == "cuda"
    if torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no TF32")
    torch.manual_seed(0)
    pictures, weights = torch.randn(4, 64, 28, 28, device=DEVICE), torch.randn(64, 64, 3, 3, device=DEVICE)
    rows, columns = torch.randn(512, 512, device=DEVICE), torch.randn(512, 512, device=DEVICE)
    for made in (lambda: torch.nn.functional.conv2d(pictures, weights), lambda: rows @ columns):
        results = {}
        for float32 in ("fp32", "tf32"):
            set_float32(float32)
            results[float32] = made()
        assert relative(results["fp32"], results["tf32"]) > 1e-5  # 10 bits are not 23
        set_float32("fp32")
        torch.testing.assert_close(made(), results["fp32"])


TAKE = """
import sys
from pathlib import Path
from fsar.gpus import own_gpus
with own_gpus(1, "auto", Path(sys.argv[1])):
    import torch
    print(torch.cuda.device_count(), torch.cuda.get_device_properties(0).uuid, flush=True)
    sys.stdin.read()
"""


@ON_GPU
def test_each_job_has_a_gpu_of_its_own(tmp_path, repository):
    command = [sys.executable, "-c", TAKE, str(tmp_path)]
    jobs = [
        subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(min(torch.cuda.device_count(), 2))
    ]
    told = [job.stdout.readline().split() for job in jobs]
    for job in jobs:
        job.communicate()
    assert [count for count, _ in told] == ["1"] * len(jobs)
    assert len({uuid for _, uuid in told}) == len(jobs)
