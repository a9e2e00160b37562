"""On which devices a job runs, and in which arithmetic; the GPUs here are pretended."""

import os
import subprocess
import sys
import warnings

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from safetensors.torch import save_file

from fsar.errors import UserError
from fsar.fabric import make_fabric, one_device, set_deterministic, set_float32
from fsar.model.open_clip_backbone import random_clip
from fsar.predict.classifier import Classifier
from fsar.predict.load import model_of_backbone
from fsar.predict.settings import ModelSettings


@pytest.fixture
def gpus(monkeypatch):
    """Pretend a number of GPUs."""

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.fixture(autouse=True)
def as_before():
    """Put back what is set for the whole process."""
    strict = torch.are_deterministic_algorithms_enabled()
    benchmark, filled = torch.backends.cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(strict)
    torch.backends.cudnn.benchmark, torch.utils.deterministic.fill_uninitialized_memory = benchmark, filled
    set_float32("tf32")


def test_auto_takes_a_gpu_if_there_is_one(gpus):
    gpus(0)
    assert make_fabric("auto", "tf32").device == one_device("auto", "tf32") == torch.device("cpu")
    gpus(2)
    assert make_fabric("auto", "tf32").device == one_device("auto", "tf32") == torch.device("cuda", 0)
    assert make_fabric("auto", "tf32", devices=2).strategy.parallel_devices == [torch.device("cuda", i) for i in (0, 1)]
    assert make_fabric("cpu", "tf32").device == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_told(gpus, monkeypatch, tmp_path):
    gpus(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match=r"device is cuda, but .* finds no GPU here \(CUDA_VISIBLE_DEVICES is ''\)"):
        one_device("cuda", "tf32")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    save_file(random_clip("small-clip").state_dict(), weights := tmp_path / "clip.safetensors")
    with pytest.raises(UserError, match=r"finds no GPU here\. See whether nvidia-smi lists one"):
        Classifier(model_of_backbone("small-clip", str(weights)), device="cuda")


@pytest.mark.parametrize(("there", "said"), [(1, "there is 1 GPU for"), (3, "there are 3 GPUs for")])
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_more_devices_than_there_are_is_told(gpus, device, there, said):
    gpus(there)
    with pytest.raises(UserError, match=f"training.devices is 4, but {said} this job"):
        make_fabric(device, "tf32", devices=4)


@pytest.mark.parametrize(("float32", "digits"), [("tf32", "tf32"), ("fp32", "ieee")])
def test_convolutions_and_matrix_products_are_computed_alike(float32, digits):
    on_a_cpu = torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.conv.fp32_precision
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_fabric("cpu", float32)
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is (float32 == "tf32")
    assert torch.backends.cuda.matmul.fp32_precision == digits
    assert (torch.backends.cudnn.conv.fp32_precision == "tf32") is (float32 == "tf32")
    # Fabric asks for this before a GPU is used, which fails once some were set by their newer names.
    assert torch.get_float32_matmul_precision() == ("high" if float32 == "tf32" else "highest")
    assert (torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.conv.fp32_precision) == on_a_cpu


def test_a_model_labels_in_the_arithmetic_of_its_training(tmp_path):
    save_file(random_clip("small-clip").state_dict(), weights := tmp_path / "clip.safetensors")
    model = model_of_backbone("small-clip", str(weights))
    record = model.settings.record()
    assert "float32" not in record and ModelSettings.of_record(record) == model.settings
    model.settings = ModelSettings.of_record(record | {"float32": "fp32"})
    assert model.settings.record()["float32"] == "fp32"
    Classifier(model)
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_deterministic_is_strict_or_not_at_all(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    set_deterministic(False)
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark
    assert not torch.utils.deterministic.fill_uninitialized_memory and "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    set_deterministic(True)
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_what_comes_before_pytorch_in_the_script_does_not_import_it(repository):
    """cuBLAS is told of its workspace by a variable, which must be set by then."""
    text = (repository / "workflow_scripts/train_model.py").read_text()
    before, after = text.split("    set_cublas_workspace(")
    imports = [line for line in before.splitlines() if line.startswith(("from", "import"))]
    program = "\n".join([*imports, "import sys", "print('torch' in sys.modules)"])
    run = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False" and "from fsar.training.fit import" in after


def test_a_job_of_a_cluster_with_several_tasks_is_one_process(monkeypatch):
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_JOB_NAME": "mine"}.items():
        monkeypatch.setenv(name, value)
    assert make_fabric("cpu", "tf32").world_size == 1
    two = make_fabric("cpu", "tf32", devices=2)
    assert two.world_size == 2 and isinstance(two.strategy.cluster_environment, LightningEnvironment)
