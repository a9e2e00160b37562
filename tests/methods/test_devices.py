"""Every model on a GPU that a CPU pretends to be: in training and tests no tensor of it meets one of main memory."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from fsar import FewShotClassifier
from fsar.config import TextConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.evaluation.episode_logits import DecidesBy, episode_answers
from fsar.evaluation.kept_features import Features, rows_of
from fsar.fabric import set_deterministic
from fsar.methods import MODELS
from fsar.methods.needs import Given
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_clip
from fsar.model.text import encode_classes, looks_of, no_text
from fsar.training.texts import EpisodeTexts
from tests.helpers.predicting import make_world
from tests.helpers.pretended_gpu import GPU, pretended_gpu
from tests.helpers.small_models import backbone_section, small_adapters, small_backbone, small_head, small_text

NAMES = ["walking", "running", "waving"]
QUICK = ("clip-fsar", "otam-frdisc", "linear-probe", "mml-fsar")  # the other models are slow tests


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name in ("small-clip", "small-vit-clip"):
        save_file(random_clip(name).state_dict(), made / f"{name}.safetensors")
    return made


@pytest.fixture(autouse=True)
def strictly():
    set_deterministic(True)
    yield
    set_deterministic(False)


def episodes(videos: list[str], shot: int) -> StoredEpisodes:
    """Two episodes of two classes, with a query of each and one of neither."""
    classes, each = np.array([[0, 1], [1, 2]]), len(videos) // len(NAMES)
    support = classes[..., None] * each + np.arange(shot)
    unknown = np.array([[2 * each], [0]])
    return StoredEpisodes(videos, NAMES, classes, support, support[..., -1:] + 1, unknown, unknown // each)


def trains(model: FewShotModel, videos: torch.Tensor, text: TextConfig) -> None:
    """Take the gradient of an episode of two classes, with two unknown queries where the model learns from them."""
    EpisodeTexts(model, text, NAMES, NAMES)
    if model.components.encoded_once:
        model.backbone.eval()
    unknown = 2 if model.components.unknown else 0
    seen, classes = videos[: 4 + unknown], torch.tensor([2, 0], device=GPU)
    torch.manual_seed(2)
    outcome = model(seen, classes, 1, True, unknown)
    outcome.total.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert gradients and all(each.device == GPU and each.isfinite().all() for each in gradients)
    if model.components.encoded_once:  # of stored features the loss is the same
        torch.manual_seed(2)
        given = Given(model.backbone.give(seen, model.head.needs))
        assert torch.equal(model(given, classes, 1, True, unknown).total.cpu(), outcome.total.cpu())


def is_asked(model: FewShotModel, videos: torch.Tensor, text: torch.Tensor) -> None:
    """Answer stored episodes of one shot and of two, each query alone and all together; and by class names."""
    stored = model.encode(videos)
    names = [str(number) for number in range(len(videos))]
    features = Features(rows_of(names), stored, rows_of(NAMES), text)
    known = model.components.reads_text and "frames" in stored and text.dim() == 2
    decisions: list[DecidesBy] = ["few-shot", "text", "both"] if known else ["few-shot"]
    for shot in (1, 2):
        for inductive in (True, False):
            for decides_by in decisions:
                for answers in episode_answers(
                    model.tested_head(), episodes(names, shot), features, decides_by, inductive
                ):
                    assert answers.logits.device == GPU and answers.logits.isfinite().all()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]
)
def test_every_model_trains_and_is_tested(name, folder):
    parts = MODELS[name]
    torch.manual_seed(1)
    backbone = load_backbone(backbone_section(small_backbone(parts), folder))
    model = FewShotModel(backbone, parts, small_head(parts), 8, len(NAMES), small_adapters(parts))
    model.head.initialise(backbone)
    backbone.requires_grad_(parts.trains == "encoder")
    if backbone.adapters is not None:
        backbone.adapters.requires_grad_(True)
    size = backbone.image_size
    with pretended_gpu() as moved:
        videos = moved(torch.randint(256, (9, 8, size, size, 3), dtype=torch.uint8))
        model = moved(model)
        if parts.trained:
            trains(model, videos, small_text(parts))
        model.eval()
        read = (
            encode_classes(backbone, NAMES, small_text(parts), looks_of(parts))
            if parts.reads_text
            else no_text(NAMES, GPU)
        )
        is_asked(model, videos, read)


def test_what_cuda_refuses_is_refused():
    """Else the tests above could not fail."""
    with pretended_gpu() as moved:
        there, here = moved(torch.randn(2, 3)), torch.randn(2, 3)
        for mixed in (lambda: there + here, lambda: torch.cat([there, here]), lambda: here[moved(torch.tensor([1]))]):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()
        assert torch.equal((there[torch.tensor([1])] * torch.tensor(2.0)).cpu(), there.held[1:] * 2)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        pictures = moved(torch.randn(1, 1, 4, 4)).requires_grad_()
        with pytest.raises(RuntimeError, match="deterministic"):
            torch.nn.functional.adaptive_avg_pool2d(pictures, 3).sum().backward()


@pytest.mark.slow
def test_a_classifier_labels_on_a_gpu(tmp_path, monkeypatch):
    world = make_world(tmp_path)
    monkeypatch.setattr("fsar.predict.classifier.one_device", lambda *_: GPU)
    with pretended_gpu():
        classifier = FewShotClassifier.load(world.model, decides_by="both").support(world.examples)
        labels = classifier.predict(world.examples)
        assert classifier.model.device == GPU and not labels["reason"].any() and classifier.check().tested
        classifier.save(tmp_path / "support.safetensors")
        again = FewShotClassifier.load(world.model).load_support(tmp_path / "support.safetensors")
        pd.testing.assert_frame_equal(again.predict(world.examples), labels)
