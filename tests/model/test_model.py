"""The backbone, with whatever weights, and the whole model's."""

import copy

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from fsar.config import BackboneConfig
from fsar.errors import UserError
from fsar.fabric import make_fabric
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.open_clip_backbone import random_backbone, random_clip
from fsar.model.trained_file import save_weights
from fsar.training.batch_norm import RunningStatistics


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small CLIP with random weights, as a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file(random_clip("small-clip").state_dict(), path)
    return str(path)


def test_a_local_file_loads_and_encodes(weights):
    backbone = load_backbone(BackboneConfig(model="small-clip", weights=weights)).eval()
    videos = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = backbone(videos)
    assert features.shape == (2, 3, backbone.width) and backbone.image_size == 64
    # the same as open_clip's own way: float pictures, normalised
    pixels = videos[1, 2].permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (backbone.visual.image_mean, backbone.visual.image_std))
    with torch.inference_mode():
        expected = backbone.encoders.encode_image(((pixels - mean) / std).unsqueeze(0))[0]
    torch.testing.assert_close(features[1, 2], expected, rtol=1e-4, atol=1e-5)
    assert backbone.encode_text(["a photo of a star"]).shape == (1, backbone.width)


def test_an_architecture_of_ones_own(weights, repository, tmp_path):
    own = tmp_path / "mine.json"
    own.write_text((repository / "fsar/model/architectures/small-clip.json").read_text())
    assert load_backbone(BackboneConfig(model=str(own), weights=weights)).width == 128
    own.write_text("{}")
    with pytest.raises(UserError, match="lacks embed_dim, text_cfg, vision_cfg"):
        load_backbone(BackboneConfig(model=str(own), weights=weights))


def test_wrong_weights_are_told(weights, tmp_path):
    with pytest.raises(UserError, match="do not fit the architecture RN50-quickgelu: they are of another one"):
        load_backbone(BackboneConfig(model="RN50-quickgelu", weights=weights))
    with pytest.raises(UserError, match=r"There is no weights file none\.safetensors"):
        load_backbone(BackboneConfig(model="small-clip", weights="none.safetensors"))
    with pytest.raises(UserError, match="did you mean RN50-quickgelu"):
        load_backbone(BackboneConfig(model="RN50-quickglu", weights=weights))
    with pytest.raises(UserError, match="has no weights 'opnai' for RN50-quickgelu; it has: openai"):
        load_backbone(BackboneConfig(model="RN50-quickgelu", weights="opnai"))
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(UserError, match="cannot be read"):
        load_backbone(BackboneConfig(model="small-clip", weights=str(tmp_path / "text.safetensors")))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"weights": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(UserError, match="cannot be read"):
        load_backbone(BackboneConfig(model="small-clip", weights=str(tmp_path / "harmful.pt")))
    assert not (tmp_path / "harm").exists()


def test_no_network(monkeypatch):
    def no_network(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("open_clip.factory.download_pretrained", no_network)
    with pytest.raises(UserError, match=r"(?s)could not be downloaded: .*Network is unreachable.*backbones.….weights"):
        load_backbone(BackboneConfig(model="RN50-quickgelu", weights="openai"))


def test_trained_weights_round_trip_and_misfit(weights, tmp_path):
    backbone = BackboneConfig(model="small-clip", weights=weights)
    config = ClipFsarConfig(feed_forward=64)
    torch.manual_seed(1)
    model = FewShotModel(
        load_backbone(BackboneConfig(model="small-clip", weights=weights)), MODELS["clip-fsar"], config
    )
    save_weights(model.trained_state(), tmp_path / "model.safetensors")
    loaded = FewShotModel(load_backbone(backbone), MODELS["clip-fsar"], config)
    load_weights(loaded, tmp_path / "model.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(UserError, match="of another backbone or method"):
        load_weights(
            FewShotModel(load_backbone(BackboneConfig(model="small-clip", weights=weights)), MODELS["otam"], config),
            tmp_path / "model.safetensors",
        )
    with pytest.raises(UserError, match=r"heads\.clip_fsar\.heads is 7, which does not divide"):
        FewShotModel(
            load_backbone(BackboneConfig(model="small-clip", weights=weights)),
            MODELS["clip-fsar"],
            ClipFsarConfig(heads=7),
        )


@pytest.mark.parametrize("apart", [True, False])
def test_support_and_queries_meet_batch_norm_apart(weights, apart):
    """Losses, gradients and running statistics are those of two plain calls, the support's first, or of one."""
    torch.manual_seed(2)
    model = FewShotModel(
        load_backbone(BackboneConfig(model="small-clip", weights=weights)), MODELS["otam"], ClipFsarConfig()
    ).train()
    model.set_training_text(model.backbone.encode_text(["a star", "a heart"]))
    visual = copy.deepcopy(model.backbone.visual)
    videos = torch.randint(0, 256, (2 * 1 + 2 * 3, 2, 64, 64, 3), dtype=torch.uint8)
    losses = model(videos, torch.arange(2), shot=1, apart=apart)
    losses.total.backward()

    pixels = model.backbone.normalise(videos)
    calls = [visual(part) for part in (pixels.split([4, 12]) if apart else [pixels])]
    features = torch.cat(calls).unflatten(0, (8, 2))
    logits = model.head.few_shot_logits(features[:2].unsqueeze(1), features[2:], torch.zeros(2, model.backbone.width))
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 0, 0, 1, 1, 1]))
    expected.backward()
    torch.testing.assert_close(losses.total, expected)
    for (name, ours), plain in zip(model.backbone.visual.named_parameters(), visual.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, plain.grad, msg=lambda m, name=name: f"{name}: {m}")
    for name, buffer in visual.named_buffers():
        torch.testing.assert_close(model.backbone.visual.get_buffer(name), buffer)
    assert model.backbone.visual.bn1.num_batches_tracked == (2 if apart else 1)


def test_without_batch_norm_an_episode_is_one_call(weights, monkeypatch):
    model = FewShotModel(
        load_backbone(BackboneConfig(model="small-clip", weights=weights)), MODELS["otam"], ClipFsarConfig()
    )
    model.set_training_text(model.backbone.encode_text(["a star", "a heart"]))
    give, seen = model.backbone.give, []
    monkeypatch.setattr(
        model.backbone, "give", lambda videos, needs: (seen.append(len(videos)), give(videos, needs))[1]
    )
    videos = torch.randint(0, 256, (6, 2, 64, 64, 3), dtype=torch.uint8)
    for training in (True, False):  # in evaluation mode BatchNorm normalises by no batch, like other layers
        model.train(training)
        model(videos, torch.arange(2), shot=1)
    assert seen == [2, 4, 6]


def test_activations_computed_again_change_nothing(weights):
    gradients, statistics = [], []
    for again in (False, True):
        backbone = load_backbone(BackboneConfig(model="small-clip", weights=weights)).train()
        if again:
            backbone.checkpoint_activations()
        videos = torch.randint(0, 256, (3, 2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        followed = RunningStatistics(backbone.encoders.visual)
        followed.before_task()
        features = backbone(videos)
        followed.after_task(0, 1)
        features.square().sum().backward()
        followed.finish(make_fabric("cpu", "tf32"), 1)
        gradients.append({n: p.grad for n, p in backbone.visual.named_parameters()})
        statistics.append({n: b for n, b in backbone.visual.named_buffers() if "running" in n})
    for first, second in (gradients, statistics):
        for name, value in first.items():
            torch.testing.assert_close(second[name], value)


def stored_by_activations(backbone, videos):
    """Bytes that the forward pass keeps for the backward pass, parameters not counted."""
    parameters = {p.untyped_storage().data_ptr() for p in backbone.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        backbone(videos).sum()
    return sum(kept.values())


@pytest.mark.parametrize("name", ["RN50-quickgelu", "ViT-B-16-quickgelu"])
def test_recomputing_activations_saves_memory(name):
    backbone = random_backbone(name).train()
    videos = torch.randint(0, 256, (1, 2, 224, 224, 3), dtype=torch.uint8)
    plain = stored_by_activations(backbone, videos)
    backbone.checkpoint_activations()
    assert stored_by_activations(backbone, videos) < plain / 2


@pytest.mark.parametrize("name", ["RN50-quickgelu", "ViT-B-16-quickgelu"])
def test_state_dicts_in_openai_format_load(name, tmp_path):
    torch.manual_seed(0)
    clip = open_clip.create_model(name, load_weights=False)
    state = {key: value.half() if value.is_floating_point() else value for key, value in clip.state_dict().items()}
    sizes = {
        "input_resolution": torch.tensor(224),
        "context_length": torch.tensor(77),
        "vocab_size": torch.tensor(49408),
    }
    torch.save(state | sizes, tmp_path / "openai.pt")
    loaded = load_backbone(BackboneConfig(model=name, weights=str(tmp_path / "openai.pt")))
    for key, value in loaded.encoders.state_dict().items():
        torch.testing.assert_close(value, state[key].to(value.dtype), rtol=0, atol=0)
    assert next(loaded.parameters()).dtype == torch.float32


def test_a_program_in_place_of_weights_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "jit.pt"))
    with pytest.raises(UserError, match=r"is a TorchScript archive.*(?s:.*)torch\.jit\.load"):
        load_backbone(BackboneConfig(model="RN50-quickgelu", weights=str(tmp_path / "jit.pt")))
