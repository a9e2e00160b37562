"""D²ST-Adapter, LoRA and AIM in small backbones of both libraries; tensors of D²ST's public code are elsewhere."""

import math
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import VisionTransformer
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import nn

from fsar.errors import UserError
from fsar.methods import Components
from fsar.methods.adapters import insert_adapters
from fsar.methods.aim.record import AimConfig
from fsar.methods.d2st.deformable import interpolation
from fsar.methods.d2st.record import D2stAdaptersConfig, D2stConfig
from fsar.methods.lora.record import LoraConfig
from fsar.methods.needs import Needs
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel, load_weights
from fsar.model.trained_file import save_weights

FRAMES = 4
SETTINGS = {
    "d2st": D2stAdaptersConfig(
        heads=2,  # of two channels: the norm of one would be constant
        spatial_kernel=[4, 3, 3],
        spatial_stride=[4, 2, 2],
        temporal_kernel=[1, 3, 3],
        stage_spatial_kernels=[[4, 2, 2], [4, 2, 2], [4, 1, 1], [4, 1, 1]],
        stage_spatial_strides=[[4, 2, 2], [4, 2, 2], [4, 1, 1], [4, 1, 1]],
        stage_temporal_kernels=[[1, 4, 4], [1, 4, 4], [1, 2, 2], [1, 2, 2]],
    ),
    "lora": LoraConfig(rank=2, alpha=6),
    "aim": AimConfig(),
}
TIMM = {"img_size": 14, "patch_size": 2, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 0}
VISUAL = {
    "open_clip": lambda: VisionTransformer(14, 2, 16, 2, 2, 2.0, output_dim=12),
    "open_clip-mean": lambda: VisionTransformer(14, 2, 16, 2, 2, 2.0, output_dim=12, pool_type="avg", no_ln_pre=True),
    "timm": lambda: TimmTransformer(**TIMM, init_values=0.5),
    "timm-mean": lambda: TimmTransformer(**TIMM, global_pool="avg", class_token=False),
    "open_clip-resnet": lambda: ModifiedResNet([1, 1, 1, 1], 12, 2, image_size=64, width=8),
    "timm-resnet": lambda: ResNet(BasicBlock, [1, 1, 1, 1], num_classes=0, channels=(8, 16, 32, 64)),
}
CASES = [(kind, visual) for kind in SETTINGS for visual in VISUAL if kind == "d2st" or "resnet" not in visual]


class Encoders(nn.Module):
    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual


def make(visual: str, seed: int = 1) -> Backbone:
    torch.manual_seed(seed)
    size = 64 if "resnet" in visual else 14
    width = 64 if visual == "timm-resnet" else 16 if "timm" in visual else 12
    made = VISUAL[visual]().eval()
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.ones_(norm.weight)  # some start at 0
    if isinstance(made, TimmTransformer):  # whose weights start so small that a block does little
        with torch.no_grad():
            for weight in (p for p in made.blocks.parameters() if p.dim() == 2):
                weight.mul_(10)
    return Backbone(Encoders(made), width, size, [0.5] * 3, [0.25] * 3, None, visual)


def videos(backbone: Backbone, count: int = 2) -> torch.Tensor:
    torch.manual_seed(count)
    return torch.randint(0, 256, (count, FRAMES, backbone.image_size, backbone.image_size, 3), dtype=torch.uint8)


def disturb(module: nn.Module) -> None:
    """Move what starts at zero away from it."""
    torch.manual_seed(9)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


def features(backbone: Backbone, given: torch.Tensor) -> torch.Tensor:
    return backbone.give(given, Needs("unprojected"))["unprojected"]


@pytest.mark.parametrize(("kind", "visual"), CASES)
def test_what_adapters_are(kind, visual):
    backbone = make(visual)
    given = videos(backbone)
    own = {name: value.clone() for name, value in backbone.visual.state_dict().items()}
    with torch.inference_mode():
        before = [features(backbone, given), backbone(given)]
    adapters = insert_adapters(kind, backbone, FRAMES, SETTINGS[kind])
    with torch.inference_mode():
        for found, expected in zip([features(backbone, given), backbone(given)], before, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # nothing changes at the start

    backbone.visual.requires_grad_(False)
    disturb(adapters)
    found = features(backbone, given)
    assert (found - before[0]).abs().max() > 1e-3
    found.square().sum().backward()
    assert [name for name, p in adapters.named_parameters() if p.grad is None or not p.grad.any()] == []
    after = backbone.visual.state_dict()
    assert list(after) == list(own) and all(torch.equal(after[name], own[name]) for name in own)
    held = {id(module) for module in backbone.visual.modules()}
    assert not [name for name, module in adapters.named_modules() if id(module) in held]


@pytest.mark.parametrize(("kind", "visual"), CASES)
def test_videos_are_apart_and_frames_are_not(kind, visual):
    backbone = make(visual)
    disturb(insert_adapters(kind, backbone, FRAMES, SETTINGS[kind]))
    given = videos(backbone)
    with torch.inference_mode():
        together = features(backbone, given)
        torch.testing.assert_close(features(backbone, given[1:]), together[1:], rtol=1e-4, atol=1e-5)
        given[0, -1] = 255 - given[0, -1]
        moved = (features(backbone, given)[0, :-1] - together[0, :-1]).abs().max()
    assert moved > 1e-4 if kind != "lora" else moved < 1e-5


@pytest.mark.parametrize(
    ("kind", "visual"), [("d2st", "timm"), ("d2st", "timm-resnet"), ("lora", "open_clip"), ("aim", "open_clip")]
)
def test_activations_may_be_computed_again(kind, visual):
    found = []
    for again in (False, True):
        backbone = make(visual)
        disturb(adapters := insert_adapters(kind, backbone, FRAMES, SETTINGS[kind]))
        if again:
            backbone.checkpoint_activations()
        result = backbone(videos(backbone, count=1))
        result.square().sum().backward()
        found.append([result, *(p.grad for p in adapters.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kind", "visual"), CASES)
def test_mixed_precision(kind, visual):
    backbone = make(visual)
    disturb(insert_adapters(kind, backbone, FRAMES, SETTINGS[kind]))
    given = videos(backbone, count=1)
    with torch.inference_mode():
        exact = features(backbone, given)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = features(backbone, given)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("kind", SETTINGS)
def test_maps_of_an_adapted_backbone(kind):
    backbone = make("open_clip")
    insert_adapters(kind, backbone, FRAMES, SETTINGS[kind])
    assert backbone.width_of(Needs("maps")) == 16
    assert backbone.give(videos(backbone), Needs("maps"))["maps"].shape == (2, FRAMES, 16, 7, 7)


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_model_is_its_adapters_and_its_head(kind, tmp_path):
    components = Components(head="d2st", trains="adapters", adapters=kind)

    def model(seed: int) -> FewShotModel:
        made = FewShotModel(make("open_clip"), components, D2stConfig(), FRAMES, adapters=SETTINGS[kind])
        torch.manual_seed(seed)
        return made.eval()

    first, second = model(1), model(2)
    disturb(first.backbone.adapters)
    state = first.tested_state()
    assert {name.split(".")[0] for name in state} == {"adapters"}
    save_weights(state, tmp_path / "model.safetensors")
    load_weights(second, tmp_path / "model.safetensors")
    given = videos(first.backbone)
    assert torch.equal(first.encode(given)["unprojected"], second.encode(given)["unprojected"])
    copied = deepcopy(first)  # with its hooks
    disturb(first.backbone.adapters)
    assert torch.equal(copied.encode(given)["unprojected"], second.encode(given)["unprojected"])


@pytest.mark.parametrize("size", [1, 4, 7])
def test_interpolation_is_that_of_grid_sample(size):
    torch.manual_seed(size)
    cells = torch.randn(size, 3)
    at = [*torch.empty(20).uniform_(-1.6, 1.6).tolist(), *torch.linspace(-1, 1, size).tolist()]
    ours, theirs = (torch.tensor(at, requires_grad=True) for _ in range(2))
    found = interpolation(ours, size) @ cells  # (n, 3)
    grid = torch.stack([theirs, torch.zeros_like(theirs)], dim=-1)[None, None]  # (1, 1, n, 2), in the middle of one row
    expected = F.grid_sample(cells.T[None, :, None], grid, align_corners=True)[0, :, 0].T
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad[:20], theirs.grad[:20], rtol=1e-4, atol=1e-5)


def test_as_many_places_as_published():
    """Of 8 frames of 224 pixels: 32 and 32 in a visual transformer; in a ResNet as its stages have them."""
    settings = D2stAdaptersConfig()
    backbone = Backbone(Encoders(VisionTransformer(28, 2, 16, 1, 2, 2.0)), 512, 28, [0.5] * 3, [0.5] * 3, None, "wide")
    adapter = insert_adapters("d2st", backbone, 8, settings).inserted[0]
    assert [attention.places.start.shape[:3] for attention in (adapter.spatial, adapter.temporal)] == [
        (2, 4, 4),
        (8, 2, 2),
    ]
    large = Backbone(Encoders(VISUAL["timm-resnet"]()), 64, 224, [0.5] * 3, [0.5] * 3, None, "ResNet")
    stages = insert_adapters("d2st", large, 8, settings).inserted
    assert [tuple(stage.spatial.places.start.shape[:3]) for stage in stages] == [
        (2, 8, 8),
        (2, 4, 4),
        (2, 4, 4),
        (2, 2, 2),
    ]
    assert [tuple(stage.temporal.places.start.shape[:3]) for stage in stages] == [
        (8, 4, 4),
        (8, 2, 2),
        (8, 2, 2),
        (8, 1, 1),
    ]
    assert [stage.spatial.heads for stage in stages] == [1, 2, 4, 8]
    one = stages[-1].spatial.places
    assert one.reach.tolist() == [1, 1, 1] and one.start[1, 0, 1].tolist() == [0.5, -0.5, 0.5]
    assert adapter.temporal.places.reach.tolist() == [0.25, 1, 1]


def test_how_adapters_start():
    for kind in ("d2st", "aim"):
        ends = insert_adapters(kind, backbone := make("open_clip"), FRAMES, SETTINGS[kind]).ends
        assert not ends.temporal_embedding.any() and ends.temporal_embedding.shape == (1, FRAMES, 16)
        assert torch.equal(ends.last_norm.weight, backbone.visual.ln_post.weight)
        assert (ends.class_embedding is None) == (kind == "aim")
    for adapter in insert_adapters("lora", make("open_clip"), FRAMES, SETTINGS["lora"]).inserted:
        assert not adapter.up.any() and adapter.up.shape == (2, 16, 2) and adapter.down.shape == (2, 2, 16)
        assert math.isclose(adapter.down.abs().max().item(), 1 / math.sqrt(16), rel_tol=0.1)
    assert insert_adapters("aim", make("timm"), FRAMES, SETTINGS["aim"]).inserted[0].joint.contract.out_features == 4


def test_the_ends_are_those_of_the_adapters():
    backbone = make("open_clip")
    ends = insert_adapters("d2st", backbone, FRAMES, SETTINGS["d2st"]).ends
    given = videos(backbone)
    with torch.inference_mode():
        before = features(backbone, given)
        ends.last_norm.bias.add_(1.0)
        torch.testing.assert_close(features(backbone, given), before + 1)
        ends.last_norm.bias.sub_(1.0)
        ends.temporal_embedding[:, 2].add_(torch.randn(16))
        changed = (features(backbone, given) - before).abs().amax(dim=(0, 2)) > 1e-3
        assert changed.tolist() == [False, False, True, False]
        ends.temporal_embedding.zero_()
        ends.class_embedding.add_(torch.randn(16))
        moved = features(backbone, given)
        insert = make("open_clip")
        insert.visual.class_embedding.copy_(ends.class_embedding)
        torch.testing.assert_close(moved, features(insert, given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visual", ["open_clip", "timm"])
def test_lora_is_a_change_of_the_weights_it_names(visual):
    backbone, merged = make(visual), make(visual)
    settings = LoraConfig(rank=2, alpha=6, projections=["values", "keys"])
    adapters = insert_adapters("lora", backbone, FRAMES, settings)
    disturb(adapters)
    with torch.inference_mode():
        for block, adapter in zip(merged.transformer.blocks, adapters.inserted, strict=True):
            weight = getattr(*block.projections)
            weight[32:] += 3 * adapter.up[0] @ adapter.down[0]
            weight[16:32] += 3 * adapter.up[1] @ adapter.down[1]
        given = videos(backbone)
        torch.testing.assert_close(backbone(given), merged(given), rtol=1e-4, atol=1e-5)


def test_what_lora_puts_there_goes_when_a_block_fails():
    backbone = make("open_clip")
    insert_adapters("lora", backbone, FRAMES, SETTINGS["lora"])
    attention = backbone.visual.transformer.resblocks[0].attn
    with pytest.raises((AssertionError, RuntimeError)):
        attention(*[torch.zeros(1, 2, 3)] * 3)
    assert isinstance(attention.in_proj_weight, nn.Parameter)


@pytest.mark.parametrize("visual", ["open_clip", "timm"])
def test_aim_is_what_its_paper_says(visual):
    """One block, token by token."""
    backbone = make(visual)
    adapters = insert_adapters("aim", backbone, FRAMES, AimConfig(joint_scale=0.7))
    disturb(adapters)
    block, own = backbone.transformer.blocks[0], adapters.inserted[0]
    tokens = torch.randn(2 * FRAMES, 50, 16)
    with torch.inference_mode():
        found = block.module(tokens)
        x = tokens.unflatten(0, (2, FRAMES)).clone()
        for video in range(2):
            for place in range(50):
                moments = block.norm_1(tokens.unflatten(0, (2, FRAMES))[video, :, place])
                x[video, :, place] += own.temporal(block.attention(moments.unsqueeze(0))[0])
        x = x.flatten(0, 1)
        attended = torch.cat([block.attention(block.norm_1(frame).unsqueeze(0)) for frame in x])
        x = x + block.scale_1(attended + own.spatial(attended))
        expected = x + block.scale_2(block.mlp(block.norm_2(x))) + 0.7 * own.joint(block.norm_2(x))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("visual", "frames", "settings", "message"),
    [
        ("open_clip", 3, {}, r"adapters.d2st.spatial_kernel is \[4, 5, 5\], larger than .* \[3, 7, 7\] frames"),
        ("timm", 4, {"temporal_kernel": [1, 8, 1]}, "adapters.d2st.temporal_kernel"),
        ("timm", 4, {"heads": 3}, "adapters.d2st.heads is 3, which does not divide the width 4"),
        ("timm", 4, {"bottleneck": 0.01}, "does not divide the width 0"),
        ("open_clip-resnet", 8, {}, r"adapters.d2st.stage_temporal_kernels\[1\] is .* \[8, 8, 8\] frames"),
    ],
)
def test_what_d2st_does_not_fit(visual, frames, settings, message):
    with pytest.raises(UserError, match=message):
        insert_adapters("d2st", make(visual), frames, D2stAdaptersConfig(**settings))


@pytest.mark.parametrize("kind", SETTINGS)
def test_networks_without_blocks_or_stages(kind):
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    backbone = Backbone(Encoders(network), 4, 2, [0.5] * 3, [0.5] * 3, None, "a line")
    with pytest.raises(UserError, match="a line"):
        insert_adapters(kind, backbone, FRAMES, SETTINGS[kind])
