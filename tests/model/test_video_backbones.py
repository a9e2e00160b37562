"""Small encoders of video, one of each family: equal to the library's own, with gradients, and loaded wholly or not."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from fsar.config import BackboneConfig, TextConfig
from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.needs import Needs
from fsar.model.backbone import bare_backbone, load_backbone
from fsar.model.few_shot import FewShotModel
from fsar.model.text import encode_classes, no_text
from fsar.video_encoders import FAMILIES, described
from tests.conftest import REPOSITORY
from tests.helpers.small_video import CLASSES, SMALL, library_model, save_model, save_tokenizer, small_video
from tests.helpers.undrawn import assert_same_undrawn
from tests.model.test_model import stored_by_activations

pytest.importorskip("transformers", reason="encoders of video need the extra `video`")


@pytest.fixture(params=list(SMALL))
def family(request):
    import transformers

    if not hasattr(transformers, CLASSES[request.param]):
        pytest.skip(f"transformers {transformers.__version__} has no such encoder")
    return request.param


def pixels(videos, about):
    """What the library is given: normalised by the family's mean and standard deviation."""
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in (about.mean, about.std))
    return (videos.permute(0, 1, 4, 2, 3).float() / 255 - mean) / std


def expected(family, model, given):
    """Features of time steps and of the clip, by the library's own outputs."""
    with torch.inference_mode():
        if family == "xclip":
            clips = model.get_video_features(given).pooler_output
            frames = model.visual_projection(model.vision_model(given.flatten(0, 1)).pooler_output)
            return model.mit(frames.unflatten(0, given.shape[:2])).last_hidden_state, clips
        if family == "pe_video":
            found = model.video_encoder(given)
            return model.video_head(found.last_hidden_state), model.video_head(found.pooler_output)
        if family == "vjepa2":
            tokens = model(given, skip_predictor=True).last_hidden_state
        else:
            tokens = model(given).last_hidden_state
    if family == "timesformer":  # a class token, then each place over time
        return tokens[:, 1:].reshape(len(given), -1, 4, tokens.shape[-1]).mean(dim=1), tokens[:, 0]
    if family == "vivit":
        return tokens[:, 1:].reshape(len(given), 2, -1, tokens.shape[-1]).mean(dim=2), tokens[:, 0]
    steps = 4 if family.startswith("videoprism") else 2
    return tokens.reshape(len(given), steps, -1, tokens.shape[-1]).mean(dim=2), tokens.mean(dim=1)


def test_features_are_the_librarys(family, tmp_path):
    model, config = library_model(family)
    backbone = load_backbone(save_model(model, config, tmp_path)).eval()
    about = backbone.about
    assert about.frames == 4 and about.size == backbone.image_size and about.family == family
    torch.manual_seed(0)
    videos = torch.randint(0, 256, (3, 4, about.size, about.size, 3), dtype=torch.uint8)
    steps, clips = expected(family, model, pixels(videos, about))
    with torch.inference_mode():
        assert backbone.steps(4) == about.steps == steps.shape[1]
        torch.testing.assert_close(backbone(videos), steps, rtol=1e-5, atol=1e-5)
        maps = backbone.give(videos, Needs("maps"))["maps"]
        assert maps.shape == (3, about.steps, backbone.width_of(Needs("maps")), about.grid, about.grid)
        backbone.features = "clips"
        torch.testing.assert_close(backbone(videos)[:, 0], clips, rtol=1e-5, atol=1e-5)
        # Two clips of a video, one after the other.
        long = torch.cat([videos[:1], videos[1:2]], dim=1)
        torch.testing.assert_close(backbone(long)[0], clips[:2], rtol=1e-5, atol=1e-5)
        # Half as many frames are each given twice.
        twice = backbone(videos[:, :2].repeat_interleave(2, dim=1))
        torch.testing.assert_close(backbone(videos[:, :2]), twice, rtol=0, atol=0)
        with pytest.raises(UserError, match="nearest valid value is 4"):
            backbone(videos[:, :3])
    with pytest.raises(UserError, match="looks into the layers"):
        backbone.give(videos, Needs("tokens", (1,)))
    if family == "pe_video":  # whose frames the library leaves open; sizes are in the name of the encoder of pictures
        (tmp_path / "least.json").write_text('{"model_type": "pe_video"}')
        least = described(str(tmp_path / "least.json"), "")
        assert (least.frames, least.steps, least.size, least.grid, least.width) == (16, 16, 336, 24, 1024)
        return
    # The library's own defaults, which a description may leave out.
    (tmp_path / "least.json").write_text(json.dumps({"model_type": family}))
    found, own = described(str(tmp_path / "least.json"), ""), type(config)()
    own = getattr(own, FAMILIES[family].section) if FAMILIES[family].section else own
    frames, _, size, patch, width, depth = (getattr(own, n, None) for n in FAMILIES[family].names)
    assert (found.frames, found.size, found.width, found.depth) == (frames, size, width, depth)
    tubelet = getattr(own, "tubelet_size", 1)
    assert found.steps == frames // (tubelet if isinstance(tubelet, int) else tubelet[0])
    assert found.grid == size // (patch or tubelet[1])


def gradients(model, videos):
    model.train()
    model.zero_grad()
    torch.manual_seed(1)
    model(videos, torch.arange(2), 1).total.backward()
    return {name: parameter.grad for name, parameter in model.backbone.visual.named_parameters()}


def test_it_trains_recomputes_and_resumes(family, tmp_path):
    about = small_video(family, tmp_path)

    def loaded():
        backbone = load_backbone(about)
        parts = MODELS["clip-fsar"] if backbone.has_text else MODELS["otam"]
        assert backbone.has_text == about.has_text == (family in ("xclip", "pe_video"))
        settings = ClipFsarConfig(heads=2, feed_forward=16) if backbone.has_text else parts.settings
        model = FewShotModel(backbone, parts, settings, 4)
        names = ["waving", "running"]
        model.set_training_text(encode_classes(backbone, names, TextConfig()) if backbone.has_text else no_text(names))
        backbone.freeze_text()
        return model, backbone

    model, backbone = loaded()
    size = backbone.image_size
    videos = torch.randint(0, 256, (4, 4, size, size, 3), dtype=torch.uint8)
    found = gradients(model, videos)
    assert all(value is None or value.isfinite().all() for value in found.values())
    assert sum(value is not None and value.abs().sum() > 0 for value in found.values()) > 10
    again, other = loaded()
    again.load_trained_state(model.trained_state())
    kept = stored_by_activations(backbone, videos)
    other.train().checkpoint_activations()
    assert stored_by_activations(other, videos) < kept
    for name, value in gradients(again, videos).items():
        assert (value is None) == (found[name] is None), name
        if value is not None:
            torch.testing.assert_close(value, found[name], rtol=1e-3, atol=1e-5)
    # A step, and the weights after it in a backbone that is built without any.
    torch.optim.SGD(backbone.visual.parameters(), lr=1e-2).step()
    bare = bare_backbone(about).eval()
    bare.visual.load_state_dict(backbone.visual.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(bare(videos), backbone.eval()(videos), rtol=0, atol=0)
    # What maps do not come from is not trained.
    backbone.freeze_unused(Needs("maps"))
    backbone.give(videos, Needs("maps"))["maps"].sum().backward()
    assert all(p.grad is not None for p in backbone.visual.parameters() if p.requires_grad)


def test_xclip_compares_with_its_own_texts(tmp_path):
    model, config = library_model("xclip")
    backbone = load_backbone(save_model(model, config, tmp_path))
    texts = ["a photo of waving", "running"]
    tokens = backbone.tokens(texts)
    assert tokens.shape == (2, 16)
    with torch.inference_mode():
        own = model.get_text_features(input_ids=tokens).pooler_output
    torch.testing.assert_close(backbone.encode_text(texts), own, rtol=1e-5, atol=1e-5)
    backbone.load_text_state(backbone.text_state())


def test_weights_of_a_file_need_not_be_drawn_before(family, tmp_path):
    assert_same_undrawn(small_video(family, tmp_path))


def changed(about, path, change):
    """The same backbone with other weights."""
    state = change(load_file(about.weights))
    save_file(state, path)
    return about.model_copy(update={"weights": str(path)})


def test_weights_load_wholly_or_not_at_all(tmp_path):
    import transformers

    whole, config = library_model("videomae")
    about = save_model(whole, config, tmp_path / "encoder")
    with pytest.raises(UserError, match=r"they lack .*query\.bias"):
        load_backbone(
            changed(about, tmp_path / "a.safetensors", lambda s: without(s, "0.attention.attention.query.bias"))
        )
    with pytest.raises(UserError, match=r"it has no place for encoder\.extra"):
        load_backbone(changed(about, tmp_path / "b.safetensors", lambda s: s | {"encoder.extra": torch.zeros(2)}))
    with pytest.raises(UserError, match="do not fit the architecture"):
        load_backbone(
            changed(
                about,
                tmp_path / "c.safetensors",
                lambda s: s | {"embeddings.patch_embeddings.projection.bias": torch.zeros(7)},
            )
        )
    # Biases of queries and values by their older names, which some versions of the library drop without a word.
    older = changed(about, tmp_path / "d.safetensors", lambda s: {older_name(n): v for n, v in s.items()})
    assert any("q_bias" in name for name in load_file(older.weights))
    torch.testing.assert_close(
        load_backbone(older).visual.state_dict(), load_backbone(about).visual.state_dict(), rtol=0, atol=0
    )
    # Trained to classify: the norm after the mean is the encoder's, and the classifier nobody's.
    classifier = transformers.VideoMAEForVideoClassification(config)
    torch.nn.init.normal_(classifier.fc_norm.weight)
    config.architectures = ["VideoMAEForVideoClassification"]
    backbone = load_backbone(save_model(classifier, config, tmp_path / "classifier")).eval()
    torch.testing.assert_close(backbone.visual.fc_norm.weight, classifier.fc_norm.weight, rtol=0, atol=0)
    with pytest.raises(UserError, match="has a norm before a classifier"):
        load_backbone(BackboneConfig(library="transformers", model=backbone_model(tmp_path), weights=about.weights))
    pretrained = transformers.VideoMAEForPreTraining(config)
    config.architectures = ["VideoMAEForPreTraining"]
    load_backbone(save_model(pretrained, config, tmp_path / "pretraining"))


def backbone_model(folder):
    return str(folder / "classifier" / "config.json")


def without(state, end):
    return {name: value for name, value in state.items() if not name.endswith(end)}


def older_name(name):
    for part in ("query", "value"):
        name = name.replace(f"{part}.bias", f"{part[0]}_bias")
    return name


def test_what_is_said_where_it_does_not_fit(tmp_path, monkeypatch):
    about = small_video("videomae", tmp_path)
    with pytest.raises(UserError, match="takes pictures of 32 pixels and no others"):
        load_backbone(about.model_copy(update={"size": 48}))
    (tmp_path / "bert.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="'bert', which is not among the encoders of video: videomae"):
        described(str(tmp_path / "bert.json"), "")
    (tmp_path / "odd.json").write_text('{"model_type": "videomae", "num_frames": 5}')
    with pytest.raises(UserError, match="5 frames in steps of 2"):
        described(str(tmp_path / "odd.json"), "")
    with pytest.raises(UserError, match="cannot be read"):
        described(str(tmp_path / "none.json"), "")
    with pytest.raises(UserError, match="40 hexadecimal digits"):
        described("MCG-NJU/videomae-base", "main")

    import huggingface_hub

    def offline(*_, **__):
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(UserError, match="no route to the hub\nWithout a network"):
        described("MCG-NJU/videomae-base", "0" * 40)


def test_open_clip_does_not_import_transformers():
    """Which every job would wait for; a text encoder of Hugging Face gets it when it is asked for."""
    code = (
        "import sys; from fsar.clip_library import open_clip, with_transformers; "
        "assert not any(name.split('.')[0] == 'transformers' for name in sys.modules); "
        "with_transformers(); from open_clip import hf_model; assert hf_model.transformers is not None; "
        "assert open_clip.model.HFTextEncoder.__init__.__globals__['transformers'] is hf_model.transformers"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_libraries_do_not_import_the_compiler():
    """PyTorch's, which takes as long as PyTorch itself; who asks it for something gets it."""
    code = (
        "import sys, torch; whole = torch.compiler.disable; "
        "import fsar.model.open_clip_backbone, fsar.model.timm_backbone; "
        "assert 'torch._dynamo' not in sys.modules; assert 'torch._dynamo.utils' not in sys.modules; "
        "assert torch.compiler.disable is whole; "
        "import torchvision; boxes = torch.tensor([[0, 0.0, 0.0, 2.0, 2.0]]); "
        "assert torchvision.ops.roi_align(torch.ones(1, 1, 4, 4), boxes, 2).tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]; "
        "asked = torchvision.ops.roi_align.__globals__['is_compile_supported']; "
        "import torch._dynamo.utils as real; assert asked('cpu') == real.is_compile_supported('cpu')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_perception_encoder_compares_with_its_own_texts(tmp_path):
    model, config = library_model("pe_video")
    backbone = load_backbone(save_model(model, config, tmp_path)).eval()
    save_tokenizer(tmp_path)
    tokens = backbone.tokens(["a photo of waving", "running"])
    assert tokens.shape == (2, 6) and (tokens[1, 3:] == 0).all()
    pixels_of_a_clip = torch.zeros(1, 4, 3, 32, 32)
    with torch.inference_mode():
        own = model(tokens, pixels_of_a_clip, attention_mask=(tokens != 0).long())
        torch.testing.assert_close(backbone.encode_tokens(tokens), own.text_video_embeds, rtol=1e-5, atol=1e-5)
        # A text alone is what it is beside longer ones; words begin with it, and are nothing after its end.
        torch.testing.assert_close(backbone.encode_text(["running"])[0], own.text_video_embeds[1], rtol=1e-5, atol=1e-5)
        words = encode_classes(backbone, ["waving", "running"], TextConfig(templates=["{class_name}"]), "tokens")
    assert words.shape == (2, 3, backbone.width)
    torch.testing.assert_close(backbone.encoders.logit_scale.exp(), model.text_video_logit_scale.clamp_min(0.0))
