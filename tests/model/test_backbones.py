"""One small backbone of each family, through everything that is asked of one; and what is said where one does not fit.

Architectures are open_clip's with fewer and narrower layers, and timm's own for tests; weights are random.
"""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models._registry import _model_entrypoints

from fsar.config import BackboneConfig, TextConfig
from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import Backbone, VisualEncoder, load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import architecture_name, normalisation, random_clip
from fsar.model.text import encode_classes, no_text
from tests.helpers.undrawn import assert_same_undrawn
from tests.model.test_model import stored_by_activations

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
POOLED = {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4, "output_tokens": True}


def towers(name, pool="", proj="linear", size=160):
    """A visual tower of timm in a model of open_clip, as most of its newer architectures are."""
    vision = {"timm_model_name": name, "timm_pool": pool, "timm_proj": proj, "image_size": size}
    return {"embed_dim": 32, "vision_cfg": vision, "text_cfg": TEXT}


OPEN_CLIP = {
    "resnet": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "patch_size": None},
        "text_cfg": TEXT,
    },
    "vit": {"embed_dim": 32, "quick_gelu": True, "vision_cfg": VIT, "text_cfg": TEXT},
    "clipa": {
        "embed_dim": 32,
        "vision_cfg": VIT | {"pos_embed_type": "sin_cos_2d", "pool_type": "avg", "no_ln_pre": True},
        "text_cfg": TEXT | {"pool_type": "last", "no_causal_mask": True},
    },
    "coca": {
        "embed_dim": 32,
        "custom_text": True,
        "vision_cfg": VIT | POOLED,
        "text_cfg": TEXT | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 16, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
    },
    "convnext": towers("test_convnext"),
    "attention-pooled": towers("test_vit2", pool="map", proj="none") | {"embed_dim": 64, "custom_text": True},
    "eva": towers("small_eva", pool="token", size=28) | {"custom_text": True},
    "perception-encoder": towers("small_perception_encoder", pool="map", proj="none", size=32)
    | {"embed_dim": 64, "custom_text": True},
    "fastvit": towers("small_fastvit", pool="avg", size=64),
    "vitamin": towers("small_vitamin", pool="avg", size=64),
    "swin": towers("small_swin", pool="avg", size=56),
    "relative-positions": towers("test_vit_relpos", pool="avg"),
    "efficientnet": towers("test_efficientnet", pool="avg"),
    "mixed": towers("test_maxvit", pool="avg"),
}
# With fewer and narrower layers than timm builds them: model → base, and what is smaller.
SMALL_TOWERS = {
    "small_eva": ("eva02_base_patch16_clip_224", {"patch_size": 14, "img_size": 28}),
    "small_perception_encoder": ("vit_pe_core_tiny_patch16_384", {"img_size": 32}),
    "small_fastvit": ("fastvit_mci0", {"layers": (1, 1, 1, 1), "embed_dims": (8, 16, 32, 64)}),
    "small_vitamin": ("vitamin_small_224", {"depth": 1, "img_size": 64}),
    "small_swin": (
        "swin_tiny_patch4_window7_224",
        {"depths": (1, 2), "embed_dim": 16, "num_heads": (2, 4), "img_size": 56},
    ),
}
for name in ("small_eva", "small_perception_encoder"):
    SMALL_TOWERS[name][1].update({"embed_dim": 64, "depth": 2, "num_heads": 2})
TIMM = ("test_resnet", "test_vit", "test_convnext2", "test_efficientnet", "test_nfnet")


def small_tower(base, shape):
    """What timm calls to build an architecture."""

    def build(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **keys):
        return timm.create_model(base, **shape, **keys)

    return build


@pytest.fixture(params=[*OPEN_CLIP, *TIMM])
def about(request, tmp_path, monkeypatch):
    """A backbone with random weights in a file."""
    for name, (base, shape) in SMALL_TOWERS.items():
        monkeypatch.setitem(_model_entrypoints, name, small_tower(base, shape))
    torch.manual_seed(0)
    weights, name = tmp_path / "random.safetensors", request.param
    if name in OPEN_CLIP:
        architecture = tmp_path / f"small-{name}.json"
        architecture.write_text(json.dumps(OPEN_CLIP[name]))
        state = random_clip(architecture_name(str(architecture))).state_dict()
        # CoCa's library leaves a weight that nothing uses as its memory was.
        unset = "text_decoder.text_projection"
        save_file({key: torch.zeros_like(value) if key == unset else value for key, value in state.items()}, weights)
        return BackboneConfig(model=str(architecture), weights=str(weights))
    save_file(timm.create_model(name).state_dict(), weights)
    return BackboneConfig(library="timm", model=name, weights=str(weights))


def gradients(model, videos, classes):
    """Take a step's losses and return the gradients of the visual encoder."""
    model.train()
    model.zero_grad()
    torch.manual_seed(1)  # dropout
    model(videos, torch.arange(classes), 1, {"video_text": 1.0}).total.backward()
    return {name: parameter.grad for name, parameter in model.backbone.visual.named_parameters()}


def test_a_backbone_encodes_trains_recomputes_and_resumes(about, tmp_path):
    classes = ["waving", "running"]
    facts = about.facts()

    def loaded():
        backbone = load_backbone(about)
        components = MODELS["clip-fsar"] if backbone.has_text else MODELS["otam"]
        model = FewShotModel(backbone, components, ClipFsarConfig(heads=2, feed_forward=16))
        text = encode_classes(backbone, classes, TextConfig()) if backbone.has_text else no_text(classes)
        assert text.shape == (2, backbone.width if backbone.has_text else 0) and not text.requires_grad
        model.set_training_text(text)
        backbone.freeze_text()
        return model, backbone

    torch.manual_seed(2)
    model, backbone = loaded()
    size = backbone.image_size
    assert facts.size == size and facts.needs == ""
    videos = torch.randint(0, 256, (4, 2, size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = backbone.eval()(videos)
    assert features.shape == (4, 2, backbone.width) and features.isfinite().all()

    found = gradients(model, videos, 2)
    trained = {name for name, parameter in backbone.visual.named_parameters() if parameter.requires_grad}
    assert trained and {name for name, value in found.items() if value is not None} <= trained
    assert all(value.isfinite().all() for value in found.values() if value is not None)
    assert all(p.grad is None for name, p in backbone.encoders.named_parameters() if not name.startswith("visual."))

    # Computed again: the same gradients, with less kept for them.
    state = model.trained_state()
    again, other = loaded()
    again.load_trained_state(state)
    kept = stored_by_activations(backbone, videos)
    other.train().checkpoint_activations()
    assert stored_by_activations(other, videos) < kept
    for name, value in gradients(again, videos, 2).items():
        assert (value is None) == (found[name] is None)
        if value is not None:
            torch.testing.assert_close(value, found[name], rtol=1e-3, atol=1e-5)

    # A step, and the weights after it in another model.
    torch.optim.SGD(model.backbone.visual.parameters(), lr=1e-2).step()
    with torch.inference_mode():
        after = backbone.eval()(videos)
        again.load_trained_state(model.trained_state())
        assert not torch.equal(after, features)
        torch.testing.assert_close(other.eval()(videos), after, rtol=1e-4, atol=1e-5)


def test_weights_of_a_file_need_not_be_drawn_before(about):
    assert_same_undrawn(about)


def saved(state, path):
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


def test_a_file_of_timm_loads_with_every_weight_or_not_at_all(tmp_path):
    torch.manual_seed(0)
    state = timm.create_model("test_vit").state_dict()
    about = BackboneConfig(library="timm", model="test_vit", weights=saved(state, tmp_path / "whole.safetensors"))
    backbone = load_backbone(about)
    for name, value in backbone.visual.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)
    # The features are what its classifier would get.
    videos = torch.randint(0, 256, (2, 1, 160, 160, 3), dtype=torch.uint8)
    whole = timm.create_model("test_vit").eval()
    whole.load_state_dict(state)
    mean, std = (torch.tensor(whole.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    pictures = (videos[:, 0].permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.inference_mode():
        expected = whole.forward_head(whole.forward_features(pictures), pre_logits=True)
        torch.testing.assert_close(backbone.eval()(videos)[:, 0], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="has no text encoder"):
        backbone.encode_text(["waving"])

    without = {name: value for name, value in state.items() if not name.startswith("head.")}
    for file, kept in (("bare", without), ("of 7 classes", without | {"head.weight": torch.zeros(7, 64)})):
        kept = kept | ({"head.bias": torch.zeros(7)} if "head.weight" in kept else {})
        weights = saved(kept, tmp_path / f"{file}.safetensors")
        loaded = load_backbone(about.model_copy(update={"weights": weights}))
        torch.testing.assert_close(loaded.visual.state_dict(), backbone.visual.state_dict(), rtol=0, atol=0)
    del without["blocks.0.norm1.weight"]
    torn = about.model_copy(update={"weights": saved(without, tmp_path / "torn.safetensors")})
    with pytest.raises(UserError, match=r"do not fit the architecture test_vit: they are of another one.*norm1"):
        load_backbone(torn)
    with pytest.raises(UserError, match="do not fit the architecture test_resnet"):
        load_backbone(about.model_copy(update={"model": "test_resnet"}))


def test_names_and_tags_of_timm_are_told():
    def facts(**keys):
        return BackboneConfig(library="timm", **keys).facts()

    assert facts(model="resnet50", weights="tv_in1k").size == 224
    assert facts(model="vit_base_patch14_dinov2", weights="lvd142m").size == 518
    assert facts(model="vit_base_patch14_dinov2", weights="lvd142m", size=224).size == 224
    with pytest.raises(UserError, match=r"timm has no architecture 'resnet5O'.*did you mean .*resnet50"):
        facts(model="resnet5O", weights="tv_in1k")
    with pytest.raises(UserError, match=r"timm has no weights 'tv_in2k' for resnet50; it has: .*tv_in1k"):
        facts(model="resnet50", weights="tv_in2k")
    with pytest.raises(UserError, match="two tags; leave 'a1_in1k' out"):
        facts(model="resnet50.a1_in1k", weights="tv_in1k")


def test_no_network_for_timm(monkeypatch):
    def no_network(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", no_network)
    with pytest.raises(UserError, match=r"(?s)could not be downloaded: .*Network is unreachable.*backbones.….weights"):
        load_backbone(BackboneConfig(library="timm", model="test_resnet", weights="r160_in1k"))


def test_pictures_of_another_size(tmp_path):
    weights = saved(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    backbone = load_backbone(BackboneConfig(library="timm", model="test_vit", weights=weights, size=64))
    assert backbone.image_size == 64
    assert backbone(torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)).shape == (1, 1, backbone.width)
    architecture = tmp_path / "small.json"
    architecture.write_text(json.dumps(OPEN_CLIP["vit"]))
    weights = saved(random_clip(architecture_name(str(architecture))).state_dict(), tmp_path / "clip.safetensors")
    backbone = load_backbone(BackboneConfig(model=str(architecture), weights=weights, size=64))
    assert backbone.image_size == 64
    assert backbone(torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)).shape == (1, 1, 32)

    architecture.write_text(json.dumps(OPEN_CLIP["resnet"]))
    weights = saved(random_clip(architecture_name(str(architecture))).state_dict(), tmp_path / "resnet.safetensors")
    with pytest.raises(UserError, match="cannot be given pictures of 128 pixels"):
        load_backbone(BackboneConfig(model=str(architecture), weights=weights, size=128))

    oblong = OPEN_CLIP["vit"] | {"vision_cfg": VIT | {"image_size": [32, 64]}}
    architecture.write_text(json.dumps(oblong))
    with pytest.raises(UserError, match="32 × 64 pixels; stored frames are square"):
        BackboneConfig(model=str(architecture), weights=weights).facts()


def test_pixels_are_normalised_as_the_weights_expect():
    assert normalisation("ViT-B-16-SigLIP") == {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    assert normalisation("RN50-quickgelu")["mean"][0] == pytest.approx(0.48145466)
    assert normalisation("small-clip") is None  # open_clip's default, OpenAI's


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "ViT-L-14-CLIPA", "roberta-ViT-B-32"])
def test_a_text_encoder_of_hugging_face_is_told_by_its_package(name):
    assert BackboneConfig(model=name, weights="webli").facts().needs == "transformers"


def test_a_text_encoder_of_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers", reason='needs the extra "text"')
    words = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "photo": 5, "of": 6, "waving": 7}
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(tmp_path / "text")
    transformers.RobertaConfig(
        vocab_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    ).save_pretrained(tmp_path / "text")
    folder = str(tmp_path / "text")
    text = {"hf_model_name": folder, "hf_tokenizer_name": folder, "hf_pooler_type": "mean_pooler", "context_length": 8}
    architecture = tmp_path / "small-roberta.json"
    architecture.write_text(json.dumps({"embed_dim": 32, "vision_cfg": VIT, "text_cfg": text}))
    weights = saved(random_clip(architecture_name(str(architecture))).state_dict(), tmp_path / "clip.safetensors")
    backbone = load_backbone(BackboneConfig(model=str(architecture), weights=weights)).eval()
    features = encode_classes(backbone, ["waving", "a photo"], TextConfig())
    assert features.shape == (2, 32) and features.isfinite().all() and not torch.equal(features[0], features[1])


def test_strided_convolutions_of_single_pixels_get_pictures_as_they_survive():
    visual = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1, stride=2), torch.nn.Flatten())
    seen = []
    visual[0].register_forward_pre_hook(lambda _, pictures: seen.append(pictures[0].is_contiguous()))
    backbone = Backbone(VisualEncoder(visual), 8, 4, (0.5,) * 3, (0.5,) * 3, None, "small")
    backbone(torch.zeros(1, 1, 4, 4, 3, dtype=torch.uint8))
    assert seen == [True]
