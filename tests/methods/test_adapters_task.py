"""Task-Adapter++'s adapters beside their golden tensors: in backbones of both libraries, and what depends on what."""

import copy

import open_clip
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from fsar.config import TextConfig
from fsar.errors import UserError
from fsar.methods import Components
from fsar.methods.adapters import insert_adapters
from fsar.methods.needs import Needs
from fsar.methods.task_adapter.adapter import TaskAdapters
from fsar.methods.task_adapter.record import TaskAdapterConfig, TaskAdaptersConfig
from fsar.model.backbone import Backbone, VisualEncoder
from fsar.model.few_shot import FewShotModel
from fsar.model.text import ClassTokens

FRAMES, SIZE, TEXTS, CONTEXT = 3, 16, 2, 5
SETTINGS = TaskAdaptersConfig(blocks=2, text_blocks=1, texts=TEXTS)
VISION = {"image_size": SIZE, "patch_size": 8, "layers": 3, "width": 16, "head_width": 8}
TEXT = {"context_length": CONTEXT, "vocab_size": 20, "width": 16, "heads": 2, "layers": 2}
KINDS = ("clip", "custom-text", "timm")


def backbone_of(kind: str, vision: dict = VISION) -> Backbone:
    torch.manual_seed(1)
    if kind == "timm":
        encoders: nn.Module = VisualEncoder(
            VisionTransformer(SIZE, 8, embed_dim=16, depth=3, num_heads=2, num_classes=0)
        )
    else:
        encoders = {"clip": open_clip.model.CLIP, "custom-text": open_clip.model.CustomTextCLIP}[kind](12, vision, TEXT)
    width = 16 if kind == "timm" else 12
    return Backbone(
        encoders, width, SIZE, (0.5,) * 3, (0.2,) * 3, None if kind == "timm" else lambda: None, kind
    ).eval()


def adapted(kind: str, **changes: int) -> Backbone:
    """Return a backbone with adapters whose weights are drawn, those that start at zero too."""
    backbone = backbone_of(kind)
    without_text = {"text_blocks": 0} if kind == "timm" else {}
    adapters = insert_adapters("task_adapter", backbone, FRAMES, SETTINGS.model_copy(update=without_text | changes))
    for parameter in adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    return backbone


def videos(count: int) -> Tensor:
    return torch.randint(0, 256, (count, FRAMES, SIZE, SIZE, 3), generator=torch.Generator().manual_seed(count)).byte()


def texts(classes: int) -> Tensor:
    return torch.randint(0, 20, (classes * TEXTS, CONTEXT), generator=torch.Generator().manual_seed(classes))


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_start_only_the_adapter_along_videos_speaks(kind):
    bare, backbone = backbone_of(kind), backbone_of(kind)
    names = list(backbone.visual.state_dict())
    adapters = insert_adapters(
        "task_adapter", backbone, FRAMES, TaskAdaptersConfig(text_blocks=0 if kind == "timm" else 1, texts=TEXTS)
    )
    assert list(backbone.visual.state_dict()) == names
    assert (backbone(videos(2)) - bare(videos(2))).abs().max() > 1e-3
    if kind != "timm":
        torch.testing.assert_close(backbone.encode_tokens(texts(2)), bare.encode_tokens(texts(2)))
    for block in adapters.visual:
        nn.init.zeros_(block.videos.expand.weight)
        nn.init.zeros_(block.videos.expand.bias)
    torch.testing.assert_close(backbone(videos(2)), bare(videos(2)))
    assert backbone.adapters is adapters and adapters.first_across == 1


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_adapter(kind):
    backbone = adapted(kind)
    backbone.give(videos(2), Needs())["frames"].square().sum().backward()
    if kind != "timm":
        backbone.encode_tokens(texts(2)).square().sum().backward()
    assert [name for name, p in backbone.adapters.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_two_stages_are_as_one_call_for_each_episode(kind):
    backbone = adapted(kind)
    transformer, adapters = backbone.transformer, backbone.adapters
    alone = transformer.through(transformer.embed(backbone.normalise(videos(5))), 0, adapters.first_across)
    episodes = torch.tensor([[0, 3, 1], [2, 0, 4]])
    adapters.videos_together = 3
    tokens = adapters.by_frame(alone)[episodes]  # (B, V, T, L, W)
    frames = transformer.frames(transformer.through(tokens.flatten(0, 2), adapters.first_across))
    adapters.videos_together = None
    for found, own in zip(frames.unflatten(0, (2, 3, FRAMES)), videos(5)[episodes], strict=True):
        torch.testing.assert_close(found, backbone.give(own, Needs())["frames"], rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_videos_of_a_call_look_at_one_another():
    backbone = adapted("clip")
    together, alone = backbone(videos(3)), backbone(videos(3)[:1])
    assert (together[:1] - alone).abs().max() > 1e-3
    torch.testing.assert_close(backbone(videos(3)[[0, 2, 1]])[0], together[0])  # in whatever order


@torch.inference_mode()
def test_frames_of_a_video_look_at_one_another():
    backbone = adapted("clip")
    other = videos(1).clone()
    other[:, -1] = videos(2)[:1, -1]
    assert (backbone(videos(1)) - backbone(other))[:, 0].abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["clip", "custom-text"])
@torch.inference_mode()
def test_texts_of_a_class_look_at_one_another_and_at_no_other_class(kind):
    backbone = adapted(kind)
    both = backbone.encode_tokens(texts(3))
    torch.testing.assert_close(backbone.encode_tokens(texts(3)[TEXTS : 2 * TEXTS]), both[TEXTS : 2 * TEXTS])
    other = texts(3).clone()
    other[0] = other[4]
    changed = (backbone.encode_tokens(other) - both).abs().amax(dim=1)
    assert changed[1] > 1e-4 and changed[2:].max() < 1e-6
    with pytest.raises(
        UserError, match=r"2 texts of each class together \(key adapters.task_adapter.texts\), and 3 texts"
    ):
        backbone.encode_tokens(texts(2)[:3])


def test_many_texts_are_split_between_classes(monkeypatch):
    backbone = adapted("clip")
    whole = backbone.encode_tokens(texts(4))
    monkeypatch.setattr("fsar.model.backbone.TEXTS", 5)
    torch.testing.assert_close(backbone.encode_tokens(texts(4)), whole)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_what_is_saved_is_enough_for_a_fresh_backbone(kind):
    trained, fresh = adapted(kind), adapted(kind)
    for parameter in fresh.adapters.parameters():
        nn.init.zeros_(parameter)
    state = {name: value.clone() for name, value in trained.adapters.state_dict().items()}
    assert {name.split(".")[0] for name in state} == {"positions", "visual"} | ({"text"} if kind != "timm" else set())
    fresh.adapters.load_state_dict(state)
    assert torch.equal(fresh(videos(2)), trained(videos(2)))
    if kind != "timm":
        assert torch.equal(fresh.encode_tokens(texts(2)), trained.encode_tokens(texts(2)))


@torch.inference_mode()
def test_a_copy_has_adapters_of_its_own():
    backbone = adapted("clip")
    before = backbone(videos(2))
    copied = copy.deepcopy(backbone)
    nn.init.zeros_(copied.adapters.positions)
    for parameter in copied.adapters.visual.parameters():
        nn.init.zeros_(parameter)
    assert torch.equal(backbone(videos(2)), before)
    torch.testing.assert_close(copied(videos(2)), backbone_of("clip")(videos(2)))


@pytest.mark.parametrize("kind", ["clip", "timm"])
def test_activations_computed_again_give_the_same(kind):
    found = []
    for again in (False, True):
        backbone = adapted(kind)
        if again:
            backbone.checkpoint_activations()
        backbone(videos(2)).square().sum().backward()
        found.append(torch.cat([p.grad.flatten() for p in backbone.adapters.parameters() if p.grad is not None]))
    torch.testing.assert_close(*found)


def test_mixed_precision_is_near():
    backbone = adapted("clip")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough, rough_text = backbone(videos(2)), backbone.encode_tokens(texts(1))
    assert rough.dtype == rough_text.dtype == torch.float32
    torch.testing.assert_close(rough, backbone(videos(2)), rtol=0.1, atol=0.1)
    torch.testing.assert_close(rough_text, backbone.encode_tokens(texts(1)), rtol=0.1, atol=0.1)


def test_backbones_that_do_not_fit():
    resnet = VISION | {"layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "patch_size": None, "image_size": 32}
    for kind, vision, changes, message in (
        (
            "clip",
            VISION,
            {"blocks": 4},
            r"visual encoder of clip has 3 blocks: set adapters.task_adapter.blocks to at most",
        ),
        (
            "clip",
            VISION,
            {"text_blocks": 3},
            r"text encoder of clip has 2 blocks: set adapters.task_adapter.text_blocks",
        ),
        ("clip", resnet, {}, "is no visual transformer with plain blocks"),
        ("timm", VISION, {}, r"no text encoder with plain blocks.*set adapters.task_adapter.text_blocks to 0"),
    ):
        with pytest.raises(UserError, match=message):
            TaskAdapters(backbone_of(kind, vision), FRAMES, SETTINGS.model_copy(update=changes))


def test_a_training_episode_reaches_the_adapters_of_both_encoders():
    """The texts of the classes are encoded anew in each episode; those of other classes are left out."""
    components = Components(head="task_adapter", trains="adapters", adapters="task_adapter")
    head = TaskAdapterConfig(aligned_norm=True)
    model = FewShotModel(backbone_of("clip"), components, head, FRAMES, adapters=SETTINGS).train()
    model.set_training_tokens(ClassTokens(texts(5), [TEXTS] * 5), TextConfig())
    for parameter in model.backbone.adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    outcome = model(videos(6), torch.tensor([4, 1]), 2, {})
    outcome.total.backward()
    trained = [*model.backbone.adapters.named_parameters(), *model.head.named_parameters()]
    assert [name for name, p in trained if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()] == []
    assert {name.split(".")[0] for name in model.trained_state()} == {"adapters", "head"}
