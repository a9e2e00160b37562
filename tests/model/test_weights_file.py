"""Files of pretrained weights as training programs, hubs and broken downloads leave them."""

import gzip
import io
import json
import re
import zipfile
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import timm
import torch
from safetensors.torch import save, save_file
from torch import nn

from fsar.backbone_facts import is_weights_file
from fsar.config import BackboneConfig, TextConfig
from fsar.errors import UserError
from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.feature_file import write_features
from fsar.evaluation.load_head import load_head
from fsar.methods import MODELS
from fsar.methods.needs import Inputs
from fsar.model.backbone import bare_backbone, load_backbone
from fsar.model.open_clip_backbone import random_clip
from fsar.model.text import class_tokens
from fsar.model.weights_file import read_weights
from fsar.model.weights_names import find_part
from fsar.training.texts import EpisodeTexts
from tests.evaluation.test_evaluation import episodes_of, store_episodes


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return random_clip("small-vit-clip").state_dict()


def load(path, model="small-vit-clip", **keys):
    return load_backbone(BackboneConfig(model=model, weights=str(path), **keys))


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


def same(backbone, state, part=""):
    own = backbone.encoders.state_dict()
    assert own and all(value.dtype == torch.float32 for value in own.values() if value.is_floating_point())
    for name, value in own.items():
        if name.startswith(part):
            torch.testing.assert_close(value, state[name].to(value.dtype), rtol=0, atol=0)


PREFIXES = ["module.", "_orig_mod.", "model.", "clip.", "clip_model.", "backbone.", "net.", "state_dict."]
NESTED = ["module._orig_mod.", "_orig_mod.module.", "model.clip_model.", "model.net.module.backbone.", "learner.inner."]


@pytest.mark.parametrize("prefix", [*PREFIXES, *NESTED])
def test_prefixes_of_any_wrapper_are_taken_off(state, prefix, tmp_path):
    save_file(prefixed(state, prefix), tmp_path / "w.safetensors")
    backbone = load(tmp_path / "w.safetensors")
    same(backbone, state)
    assert backbone.has_text


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "_fsdp_wrapped_module.", "_orig_mod._checkpoint_wrapped_module."])
def test_wrappers_of_single_modules_are_taken_off(state, wrapper, tmp_path):
    given = {re.sub(r"(resblocks\.\d+\.|visual\.)", rf"\1{wrapper}", name): value for name, value in state.items()}
    assert given.keys() != state.keys()
    save_file(prefixed(given, "model."), tmp_path / "w.safetensors")
    same(load(tmp_path / "w.safetensors"), state)


@pytest.mark.parametrize("suffix", ["ckpt", "pth.tar", "bin", "PTH", "pt", "weights"])
def test_a_checkpoint_of_lightning_with_a_head_and_an_optimizer(state, suffix, tmp_path, caplog):
    caplog.set_level("INFO")
    whole = prefixed(state, "model.clip.") | {"head.weight": torch.ones(3, 2), "loss.scale": torch.ones(1)}
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    path = tmp_path / f"last.{suffix}"
    torch.save({"epoch": 3, "state_dict": whole, "optimizer_states": [optimizer], "callbacks": {}}, path)
    same(load(path), state)
    assert "left out head.weight, loss.scale" in caplog.text
    flat = {"epoch": 3, "optimizer": optimizer, "lr_scheduler": None, **prefixed(state, "module.")}
    torch.save({"state_dict": {"model": flat}}, path)
    same(load(path), state)
    assert "left out epoch, optimizer, lr_scheduler, which are no tensors" in caplog.text


def test_suffixes_are_no_promise(state, tmp_path):
    (tmp_path / "really_safetensors.bin").write_bytes(save(state))
    same(load(tmp_path / "really_safetensors.bin"), state)
    torch.save(state, tmp_path / "OLD.PT", _use_new_zipfile_serialization=False)
    same(load(tmp_path / "OLD.PT"), state)
    for file in ("a.safetensors", "a.CKPT", "a.pth.tar", "a.Bin", "folder/weights", "a.onnx", "./openai"):
        assert is_weights_file(file)
    tags = {tag for _, tag in open_clip.list_pretrained()} | {n.partition(".")[2] for n in timm.list_pretrained()}
    assert len(tags) > 50 and not any(map(is_weights_file, tags))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_32_bits(state, kind, tmp_path):
    given = {name: value.to(kind) if value.is_floating_point() else value for name, value in state.items()}
    save_file(given, tmp_path / "w.safetensors")
    same(load(tmp_path / "w.safetensors"), {n: v.float() if v.is_floating_point() else v for n, v in given.items()})
    whole = given | {"ln_final.weight": torch.ones_like(state["ln_final.weight"]).bool()}
    save_file(whole, tmp_path / "bool.safetensors")
    assert load(tmp_path / "bool.safetensors").encoders.ln_final.weight.tolist() == [1.0] * len(
        state["ln_final.weight"]
    )


@pytest.mark.parametrize("prefix", ["visual.", "", "model.visual.", "module."])
def test_a_visual_encoder_alone_has_no_text(state, prefix, tmp_path, caplog):
    caplog.set_level("INFO")
    visual = {name.removeprefix("visual."): v for name, v in state.items() if name.startswith("visual.")}
    save_file(prefixed(visual, prefix) | {"head.weight": torch.ones(2)}, tmp_path / "w.safetensors")
    backbone = load(tmp_path / "w.safetensors")
    same(backbone, state, "visual.")
    assert not backbone.has_text and "holds a visual encoder alone" in caplog.text
    assert backbone(torch.zeros(1, 2, 64, 64, 3, dtype=torch.uint8)).shape == (1, 2, backbone.width)
    told = r"small-vit-clip with weights .*w\.safetensors has no text encoder: choose methods that do not look at class"
    with pytest.raises(UserError, match=told):
        class_tokens(backbone, ["waving"], TextConfig())
    model = SimpleNamespace(backbone=backbone, components=MODELS["clip-fsar"])
    with pytest.raises(UserError, match=told):
        EpisodeTexts(model, TextConfig(), ["waving"], ["running"])


def test_a_method_that_needs_texts_says_so_where_there_are_none(tmp_path):
    episodes = episodes_of(1, queries=1)
    store_episodes(episodes, tmp_path / "e.parquet")
    names = [f"v{i}" for i in range(40)], [f"c{i}" for i in range(8)]
    write_features(tmp_path / "f", names[0], {"frames": torch.randn(40, 8, 32)}, names[1], torch.empty(8, 0),
                   Inputs(32, 8))  # fmt: skip
    for components, method, decides in (
        (MODELS["frozen"], "clip-zero-shot", "text"),
        (MODELS["clip-fsar"], "clip-fsar", "few-shot"),
    ):
        head = load_head(components, components.settings, tmp_path / "f", None)
        test = PlannedTest(method, decides, 5, 1, tmp_path / "e.parquet")
        with pytest.raises(UserError, match=rf"The method {method} .* looks at class names, but .* no text encoder"):
            evaluate_model(head, [test], tmp_path / "f", tmp_path / "out.parquet", "cpu", 1)
    head = load_head(MODELS["frozen"], MODELS["frozen"].settings, tmp_path / "f", None)
    evaluate_model(head, [PlannedTest("clip-freeze", "few-shot", 5, 1, tmp_path / "e.parquet")], tmp_path / "f",
                   tmp_path / "out.parquet", "cpu", 1)  # fmt: skip


def test_another_architecture_is_no_part(state, tmp_path):
    deeper = state | {"visual.transformer.resblocks.99.ln_1.weight": torch.ones(4)}
    torn = {name: value for name, value in state.items() if name != "ln_final.weight"}
    blind = {name: value for name, value in state.items() if name != "visual.conv1.weight"}
    text = {name: value for name, value in state.items() if not name.startswith("visual.")}
    for given in (deeper, torn, blind, text, prefixed(torn, "model."), {"some.weight": torch.ones(3)}):
        save_file(given, tmp_path / "w.safetensors")
        with pytest.raises(
            UserError, match=r"w\.safetensors do not fit the architecture small-vit-clip: they are of an"
        ):
            load(tmp_path / "w.safetensors")
    torch.save(prefixed(state, "student.") | prefixed(state, "teacher."), tmp_path / "w.pt")
    with pytest.raises(UserError, match=r"several such models, below 'student\.', 'teacher\.': save the one"):
        load(tmp_path / "w.pt")
    torch.save(prefixed(state, "model.") | prefixed(state, "teacher."), tmp_path / "w.pt")
    same(load(tmp_path / "w.pt"), state)
    assert find_part({"a.b": torch.ones(1)}, {"b", "c"}, "w") is None


def test_names_of_transformers_are_told(tmp_path):
    names = ["vision_model.embeddings.patch_embedding.weight", "vision_model.encoder.layers.0.layer_norm1.weight"]
    save_file({name: torch.ones(2) for name in names}, tmp_path / "model.safetensors")
    for model, library in (("small-vit-clip", "open_clip"), ("test_vit", "timm")):
        with pytest.raises(UserError, match=r"names of Hugging Face's transformers .*open_clip_model\.safetensors"):
            load(tmp_path / "model.safetensors", model, library=library)
    save_file({"visual.conv1.weight": torch.ones(2)}, tmp_path / "model-00001-of-00003.safetensors")
    with pytest.raises(UserError, match="It is one of several files: put all of them into one"):
        load(tmp_path / "model-00001-of-00003.safetensors")


@pytest.mark.parametrize("prefix", ["", "module.model.", "visual.", "learner.visual."])
def test_an_encoder_of_timm_among_other_things(prefix, tmp_path):
    torch.manual_seed(0)
    own = timm.create_model("test_vit").state_dict()
    save_file(prefixed(own, prefix) | {"criterion.weight": torch.ones(2)}, tmp_path / "w.safetensors")
    backbone = load(tmp_path / "w.safetensors", "test_vit", library="timm")
    for name, value in backbone.visual.state_dict().items():
        torch.testing.assert_close(value, own[name], rtol=0, atol=0)
    deeper = own | {"blocks.99.norm1.weight": torch.ones(64)}
    save_file(prefixed(deeper, prefix), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="do not fit the architecture test_vit"):
        load(tmp_path / "w.safetensors", "test_vit", library="timm")


class Harmful:
    def __reduce__(self):
        return (open, ("harm", "w"))


def zipped(**entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def saved(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


WHOLE = save({"a.weight": torch.ones(1000)})
FILES = {
    "lfs.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
    "page.pt": (b"\n  <!DOCTYPE html><html><body>Sign in</body></html>", "a web page, so its download failed"),
    "page.safetensors": (b"<HTML><body>", "a web page, so its download failed"),
    "error.bin": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "XML, such as a server's error"),
    "empty.ckpt": (b"", "is empty: its download or copy failed"),
    "cut.safetensors": (WHOLE[:200], "cannot be read: .*cut short or damaged, fetch it again"),
    "headless.safetensors": (WHOLE[:5], "cannot be read: .*cut short or damaged, fetch it again"),
    "cut.pt": (saved({"a.weight": torch.ones(1000)})[:900], "damaged and cannot be read: fetch it again"),
    "random.pt": (bytes(range(128, 256)) * 4, "cannot be read: .*fetch it again"),
    "text.pth": (b"not weights", "cannot be read: .*fetch it again"),
    "photos.pt": (zipped(**{"photo.jpg": "x"}), "a zip archive and no weights file: unpack it"),
    "packed.pth": (gzip.compress(WHOLE), "a gzip archive: unpack it"),
    "weights.h5": (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    "model.index.json": (json.dumps({"weight_map": {}}).encode(), "index of weights .*several files"),
    "list.pt": (saved([1, 2]), "holds no state dict"),
    "note.pt": (saved({"epoch": 3}), "holds no state dict"),
    "tensor.pt": (saved(torch.ones(3)), "holds no state dict"),
    "numbers.pt": (saved({0: torch.ones(3)}), "has 0 for a name, which is no text"),
    "lists.pt": (saved({"a.weight": torch.ones(3), "b.weight": [1.0]}), "else than a tensor as 'b.weight' .list."),
    "complex.pt": (saved({"a.weight": 1j * torch.ones(3)}), "complex numbers .complex64. as 'a.weight'"),
    "sparse.pt": (saved({"a.weight": torch.ones(3).to_sparse()}), "no plain numbers .* as 'a.weight'"),
    "nan.pt": (saved({"a.weight": torch.tensor([1.0, float("nan")])}), "nan.pt are damaged: 'a.weight' hold"),
    "inf.safetensors": (save({"a.b": torch.tensor([float("inf")]).half()}), "inf.safetensors are damaged: 'a.b' hold"),
    "module.pt": (saved(nn.Linear(2, 2)), "cannot be read: .*state_dict.. alone"),
    "harmful.pt": (saved({"weights": Harmful()}), "cannot be read: .*state_dict.. alone"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("library", ["open_clip", "timm"])
def test_what_is_no_file_of_weights_is_told(name, library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, told = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"(?s){name.replace('.', '[.]')}.*") as error:
        load(tmp_path / name, "small-vit-clip" if library == "open_clip" else "test_vit", library=library)
    assert re.search(told, str(error.value), re.DOTALL), error.value
    assert "Traceback" not in str(error.value) and not (tmp_path / "harm").exists()


def test_what_is_not_there_is_no_tag(tmp_path):
    for name in ("none.ckpt", "none.pth.tar", "none.SAFETENSORS", "folder/none"):
        with pytest.raises(UserError, match=rf"There is no weights file {name} \(key backbones\.….weights\)"):
            load(name)
    with pytest.raises(UserError, match=r"is a folder .*name the weights file in it"):
        load(tmp_path)


def test_numpy_is_not_unpickled(tmp_path):
    torch.save({"a.weight": np.ones(3)}, tmp_path / "numpy.pt")
    with pytest.raises(UserError, match=r"numpy\.pt cannot be read"):
        read_weights(str(tmp_path / "numpy.pt"))


SIZES = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}


def test_openais_weights_are_not_loaded_with_plain_gelu(tmp_path, caplog):
    sizes = {name: torch.tensor(value) for name, value in SIZES.items()}
    torch.manual_seed(0)
    state = random_clip("ViT-B-32-quickgelu").state_dict()
    torch.save(prefixed(state | sizes, "module."), tmp_path / "openai.pt")
    with pytest.raises(
        UserError, match=r"openai\.pt are OpenAI's.*plain GELU.*backbones\.….model is ViT-B-32-quickgelu"
    ):
        load(tmp_path / "openai.pt", "ViT-B-32")
    same(load(tmp_path / "openai.pt", "ViT-B-32-quickgelu"), state)
    about = BackboneConfig(model="ViT-B-32", weights=str(tmp_path / "openai.pt"))
    assert load_backbone(about, trained=True).name == "ViT-B-32" and "This model was trained with plain" in caplog.text
    small = random_clip("small-vit-clip").state_dict()
    torch.save(small | sizes, tmp_path / "small.pt")
    with pytest.raises(UserError, match=r'"quick_gelu" is true in small-vit-clip'):
        load(tmp_path / "small.pt")


@pytest.mark.parametrize(("model", "tag"), [("RN50", "openai"), ("ViT-B-16", "openai"), ("ViT-B-16", "dfn2b")])
def test_a_tag_of_quickgelu_is_not_loaded_with_plain_gelu(model, tag, monkeypatch, caplog):
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(UserError, match=rf"backbones\.….model is {model}-quickgelu"):
        load(tag, model)
    # What was trained so is what it is.
    bare = bare_backbone(BackboneConfig(model=model, weights=tag))
    assert bare.name == model and f"model is {model}-quickgelu. This model was trained with plain GELU" in caplog.text
