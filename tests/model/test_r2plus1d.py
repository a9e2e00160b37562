"""R(2+1)D: equal to torchvision's, loaded wholly or not at all, and as the networks of 34 layers are built."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import video

from fsar.config import BackboneConfig
from fsar.errors import UserError
from fsar.methods.needs import Needs
from fsar.model.backbone import bare_backbone, load_backbone
from fsar.model.r2plus1d import inner_width, network
from fsar.predict.load import as_it_is
from fsar.video_encoders import described, read_description
from tests.helpers.undrawn import assert_same_undrawn
from tests.model.test_model import stored_by_activations

SMALL = {"model_type": "r2plus1d", "layers": [1, 2, 1, 1], "widths": [8, 12, 16, 24], "num_frames": 8, "image_size": 32}


@pytest.fixture
def small(tmp_path):
    """A narrow R(2+1)D as files."""
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    torch.manual_seed(0)
    save_file(network(SMALL).state_dict(), tmp_path / "small.safetensors")
    return BackboneConfig(
        library="torchvision", model=str(tmp_path / "small.json"), weights=str(tmp_path / "small.safetensors")
    )


def test_weights_of_a_file_need_not_be_drawn_before(small):
    assert_same_undrawn(small)


def videos(count, frames, size):
    torch.manual_seed(1)
    return torch.randint(0, 256, (count, frames, size, size, 3), dtype=torch.uint8)


def test_features_are_torchvisions(tmp_path):
    torch.manual_seed(0)
    theirs = video.r2plus1d_18().eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.normal_(module.bias)
    torch.save({"state_dict": {f"module.{n}": v for n, v in theirs.state_dict().items()}}, tmp_path / "w.pth.tar")
    (tmp_path / "here.json").write_text(json.dumps(read_description("r2plus1d_18", "") | {"image_size": 32}))
    about = BackboneConfig(
        library="torchvision", model=str(tmp_path / "here.json"), weights=str(tmp_path / "w.pth.tar"), features="clips"
    )
    backbone = load_backbone(about).eval()
    assert (backbone.about.frames, backbone.about.steps, backbone.about.grid, backbone.width) == (16, 2, 2, 512)
    clips = videos(2, 16, 32)
    preset = video.R2Plus1D_18_Weights.KINETICS400_V1.transforms()
    mean, std = (torch.tensor(value).view(3, 1, 1, 1) for value in (preset.mean, preset.std))
    given = (clips.permute(0, 4, 1, 2, 3).float() / 255 - mean) / std
    theirs.fc = torch.nn.Identity()
    with torch.inference_mode():
        wanted = theirs(given)
        torch.testing.assert_close(backbone(clips)[:, 0], wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max())
        windows = backbone(clips.flatten(0, 1).unsqueeze(0))  # of one video
        torch.testing.assert_close(windows[0], backbone(clips)[:, 0], rtol=1e-4, atol=1e-5 * wanted.abs().max())
        maps = backbone.give(clips, Needs("maps"))["maps"]
    assert maps.shape == (2, 2, 512, 2, 2)
    torch.testing.assert_close(maps.mean(dim=(1, 3, 4)), wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max())


def test_34_layers_have_inner_widths_of_their_own():
    about = described("r2plus1d_34", "")
    assert (about.frames, about.depth, about.width) == (16, 16, 512)
    with torch.device("meta"):
        shapes = {
            name: value.shape for name, value in network(read_description("r2plus1d_34", "")).state_dict().items()
        }
        narrow = {
            name: value.shape for name, value in network(read_description("r2plus1d_18", "")).state_dict().items()
        }
    # Both have 230 channels where the width doubles first; the second pair has 288 in place of as many again.
    for place, width, other in (("layer2.0", 128, 230), ("layer3.0", 256, 460), ("layer4.0", 512, 921)):
        assert shapes[f"{place}.conv1.0.0.weight"][0] == narrow[f"{place}.conv1.0.0.weight"][0] == other
        assert shapes[f"{place}.conv2.0.0.weight"][0] == inner_width(width, width) == width * 9 // 4
        assert narrow[f"{place}.conv2.0.0.weight"][0] == other
    assert {name.split(".")[0] + name.split(".")[1] for name in shapes if name.startswith("layer3")} == {
        f"layer3{number}" for number in range(6)
    }


def test_it_trains_recomputes_and_resumes(small):
    clips, backbone, other = videos(3, 16, 32), load_backbone(small), load_backbone(small)
    assert backbone.steps(16) == 2 and backbone(clips).shape == (3, 2, 24)

    def gradients(one):
        one.train().zero_grad()
        one(clips).square().mean().backward()
        return {name: parameter.grad for name, parameter in one.visual.named_parameters()}

    kept, found = stored_by_activations(backbone, clips), gradients(backbone)
    assert all(value.isfinite().all() and value.any() for value in found.values())
    other.load_state_dict(load_backbone(small).state_dict())
    other.checkpoint_activations()
    assert stored_by_activations(other, clips) < kept
    again = gradients(other)
    for name, value in found.items():
        torch.testing.assert_close(again[name], value, rtol=1e-3, atol=1e-5 * value.abs().max())
    bare = bare_backbone(small).eval()
    bare.visual.load_state_dict(backbone.visual.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(bare(clips), backbone.eval()(clips), rtol=0, atol=0)


def test_what_does_not_fit_is_told(small, tmp_path):
    state = network(SMALL).state_dict()
    del state["layer2.1.conv1.0.0.weight"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(UserError, match=r"do not fit the architecture .*layer2\.1\.conv1"):
        load_backbone(small.model_copy(update={"weights": str(tmp_path / "less.safetensors")}))
    with pytest.raises(UserError, match="set library to torchvision"):
        small.model_copy(update={"library": "transformers"}).facts()
    with pytest.raises(UserError, match=re.escape("it has KINETICS400_V1 for r2plus1d_18")):
        BackboneConfig(library="torchvision", model="r2plus1d_34", weights="KINETICS400_V1").facts()
    (tmp_path / "odd.json").write_text(json.dumps(SMALL | {"num_frames": 12}))
    with pytest.raises(UserError, match="12 frames in steps of 8"):
        described(str(tmp_path / "odd.json"), "")
    for number, (changed, told) in enumerate(
        (
            ({"layers": None}, "needs four layers and four widths"),
            ({"layers": [1, 2, 1, "1"]}, "whole numbers from 1 on"),
            ({"widths": [8, -12, 16, 24]}, "whole numbers from 1 on"),
            ({"inner_width": "of_blocks"}, "'of_blocks' for inner_width; it is of_block or of_convolution"),
        )
    ):
        (tmp_path / f"wrong{number}.json").write_text(json.dumps(SMALL | changed))
        with pytest.raises(UserError, match=told):
            described(str(tmp_path / f"wrong{number}.json"), "")


def test_commands_know_it_by_name(small):
    for name, weights, library, found in (
        ("r2plus1d_18", None, "torchvision", "KINETICS400_V1"),
        ("r2plus1d_18", "own.pth", "torchvision", "own.pth"),
        ("r2plus1d_34", "own.pth", "torchvision", "own.pth"),
        ("small-videomae", "own.safetensors", "transformers", "own.safetensors"),
        (small.model, small.weights, "torchvision", small.weights),
    ):
        about = as_it_is(name, weights)
        assert (about.library, about.model, about.weights) == (library, name, found)
    with pytest.raises(UserError, match="r2plus1d_34 is an encoder of video: name its weights by --weights"):
        as_it_is("r2plus1d_34", None)


def test_weights_are_downloaded_by_their_checksum(monkeypatch):
    asked = {}

    def offline(url, **options):
        asked.update(options, url=url)
        raise OSError("no route to torchvision")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(UserError, match=r"no route to torchvision\nWithout a network, .*r2plus1d_18-[0-9a-f]{8}\.pth"):
        load_backbone(BackboneConfig(library="torchvision", model="r2plus1d_18", weights="KINETICS400_V1"))
    assert asked["check_hash"] and asked["weights_only"]
