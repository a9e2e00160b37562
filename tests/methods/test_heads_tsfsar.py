"""TS-FSAR beside its golden tensors: what holds for any episode, a plain version, and how it starts from CLIP."""

import math

import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import Tensor

from fsar.errors import UserError
from fsar.methods import Components
from fsar.methods.head import TrainingEpisode, build_head
from fsar.methods.needs import Inputs, TransformerSizes
from fsar.methods.recipes import recipe_of
from fsar.methods.tsfsar.distance_correlation import descriptions
from fsar.methods.tsfsar.head import Tsfsar
from fsar.methods.tsfsar.principal import principal_scores, reduced, resized
from fsar.methods.tsfsar.record import TsfsarConfig
from fsar.methods.tsfsar.side_network import SideBlock, SideNetwork
from fsar.model.backbone import Backbone, VisualEncoder
from fsar.model.few_shot import FewShotModel

WIDTH, FRAMES, CLASSES, WAY = 8, 3, 6, 3  # D, T, C, N
BESIDE = TransformerSizes(depth=2, width=16, heads=2, patches=4)
SMALL = {"side_width": 8, "head_width": 4, "adapter_heads": 2, "temporal_layers": [1]}
POWERS = {"few_shot_power": [0.3, 0.8], "text_clip_power": [0.6, 0.05], "text_side_power": [0.1, 0.15]}
PARTS = Components(head="tsfsar", trains="head")


def make(classes: int = CLASSES, **settings) -> Tsfsar:
    """A head with random weights everywhere, gates and norms included."""
    torch.manual_seed(3)
    config = TsfsarConfig(**(SMALL | POWERS | {"text_scale": [5.0, 7.0]} | settings))
    head = build_head(PARTS, Inputs(WIDTH, FRAMES, classes, BESIDE), config)
    for parameter in head.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.2)
    return head


def features(videos: int) -> dict[str, Tensor]:
    torch.manual_seed(videos)
    shape = (videos, FRAMES, BESIDE.depth + 1, 1 + BESIDE.patches, BESIDE.width)
    return {"tokens": torch.randn(shape), "frames": torch.randn(videos, FRAMES, WIDTH)}


def texts() -> Tensor:
    return torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(1))


def scores(head: Tsfsar, stored: dict[str, Tensor], support: Tensor, queries: Tensor, classes: Tensor) -> Tensor:
    """Return the logits of episodes as the tests compute them: (B, N, K), (B, Q) and (B, N) rows → (B, Q, N)."""
    with torch.inference_mode():
        videos, text = head.video_stage(stored), head.class_stage(stored, texts())
        asked = {name: each[queries] for name, each in videos.items()}
        asked |= {name: each[queries].gather(2, classes.unsqueeze(1).expand(*queries.shape, -1))
                  for name, each in text.items()}  # fmt: skip
        shots = head.merge({name: each[support] for name, each in videos.items()})
        return head.decide(head.episode_stage(shots, asked, texts()[classes]))


def rows(shot: int, queries: int) -> tuple[Tensor, Tensor]:
    return torch.arange(WAY * shot).view(1, WAY, shot), WAY * shot + torch.arange(queries).unsqueeze(0)


def test_queries_and_episodes_are_apart_and_classes_are_not():
    head = make().eval()
    stored = head.store(features(14))
    support, queries = torch.arange(12).view(2, WAY, 2), torch.tensor([[12, 13], [13, 12]])
    classes = torch.tensor([[0, 1, 2], [5, 3, 4]])
    together = scores(head, stored, support, queries, classes)
    for each in range(2):
        alone = scores(head, stored, support[each : each + 1], queries[each : each + 1, 1:], classes[each : each + 1])
        torch.testing.assert_close(alone[0, 0], together[each, 1], rtol=1e-5, atol=1e-5)
    other = support[:1].clone()
    other[0, -1] = torch.tensor([8, 9])
    changed = scores(head, stored, other, queries[:1], classes[:1])
    assert not head.classes_apart and (changed - together[:1])[..., 0].abs().max() > 1e-3


@pytest.mark.parametrize("shot", [1, 2])
def test_training_decides_as_the_tests_do(shot):
    head = make().eval()
    stored, classes = head.store(features(WAY * (shot + 2))), torch.tensor([4, 0, 5])
    logits, losses = head.losses(TrainingEpisode(WAY, shot, stored, classes, texts()))
    expected = scores(head, stored, *rows(shot, 2 * WAY), classes.unsqueeze(0))[0]
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    weights = head.loss_weights_at(shot)
    assert set(losses) == set(head.loss_names) == set(weights) and head.loss_names[0] == "few_shot"


def test_losses_reach_every_parameter():
    head = make().train()
    stored = head.store(features(WAY * 3))
    _, losses = head.losses(TrainingEpisode(WAY, 1, stored, torch.tensor([4, 0, 5]), texts()))
    sum(head.loss_weights()[name] * loss for name, loss in losses.items()).backward()
    # A key's bias adds the same to what a query sees of every token, and changes nothing.
    assert [n for n, p in head.named_parameters() if (p.grad is None or not p.grad.any()) and "key.bias" not in n] == []


def test_without_training_classes_nothing_is_for_training():
    bare, whole = make(classes=0), make()
    assert not bare.for_training
    assert {name for name in whole.state_dict() if not name.startswith("for_training.")} == set(bare.state_dict())
    stored = bare.store(features(WAY * 2))
    _, losses = bare.losses(TrainingEpisode(WAY, 1, stored, torch.tensor([4, 0, 5]), texts()))
    assert set(losses) == {"few_shot", "text_side", "text_clip"}


@pytest.mark.parametrize("shot", [1, 2])
def test_logits_are_those_of_the_product_of_powers(shot):
    head = make(text_side_weight=[0.1, 0.01], distillation_weight=[2.0, 3.0]).eval()
    stored, classes = head.store(features(WAY * (shot + 1))), torch.tensor([1, 2, 0])
    support, queries = rows(shot, WAY)
    ours = scores(head, stored, support, queries, classes.unsqueeze(0))[0].softmax(dim=-1)
    with torch.inference_mode():
        videos = head.video_stage(stored)
        few_shot = head.few_shot_scores(
            head.merge({n: each[support] for n, each in videos.items()}),
            {n: each[queries] for n, each in videos.items()},
        )[0]
        by_text = head.class_stage(stored, texts()[classes])
    product, scale = few_shot.softmax(dim=-1) ** POWERS["few_shot_power"][shot - 1], (5.0, 7.0)[shot - 1]
    for name in ("text_clip", "text_side"):
        product = product * (scale * by_text[name][queries[0]]).softmax(dim=-1) ** POWERS[f"{name}_power"][shot - 1]
    torch.testing.assert_close(ours, product / product.sum(dim=-1, keepdim=True), rtol=1e-4, atol=1e-6)
    weights = head.loss_weights_at(shot)
    assert (weights["text_side"], weights["text_clip"]) == ((0.1, 2.0), (0.01, 3.0))[shot - 1]
    assert weights["distillation"] == weights["text_clip"] and weights["few_shot"] == 1


def test_descriptions_are_what_the_paper_says():
    """Compare channels one by one, and centre by subtracting means twice."""
    torch.manual_seed(0)
    tokens, alpha, width, patches = torch.randn(1, 5, 3, dtype=torch.float64), 0.3, 3, 4
    weights = F.cosine_similarity(tokens[0, :1], tokens[0, 1:], dim=-1)
    channels = [[(weights[p] * tokens[0, 1 + p, i]).item() for p in range(patches)] for i in range(width)]
    distances = torch.tensor([
        [(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / (2 * patches) + 1e-5) ** alpha for b in channels]
        for a in channels
    ], dtype=torch.float64)  # fmt: skip
    centred = distances - distances.mean(dim=1, keepdim=True)
    centred = centred - centred.mean(dim=0, keepdim=True)
    expected = [centred[i, j].item() for i in range(width) for j in range(i, width)]
    torch.testing.assert_close(descriptions(tokens, alpha)[0], torch.tensor(expected, dtype=torch.float64))


def test_the_metric_is_what_the_paper_says():
    head = make().eval()
    stored = head.store(features(WAY * 3))
    support, queries = rows(2, WAY)
    with torch.inference_mode():
        videos = head.video_stage(stored)
        ours = head.few_shot_scores(
            head.merge({n: each[support] for n, each in videos.items()}),
            {n: each[queries] for n, each in videos.items()},
        )[0]
        for q, query in enumerate(queries[0]):
            task = stored["side"][: WAY * 2].flatten(0, 1).mean(dim=0) + stored["side"][query].mean(dim=0)
            pairs = head.generator(task)
            for n in range(WAY):
                prototype = stored["described"][support[0, n]].mean(dim=0)
                score = 0.0
                for t in range(FRAMES):
                    for u in range(FRAMES):
                        x, y = stored["described"][query, t], prototype[u]
                        score += pairs[t * FRAMES + u] * (x @ y) / (x.norm() * y.norm() + 0.01)
                torch.testing.assert_close(ours[q, n], score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("temporal", [False, True])
def test_blocks_look_over_frames_or_within_them(temporal):
    torch.manual_seed(0)
    block = SideBlock(8, 2, temporal)
    tokens = torch.randn(1, 3, 5, 8)
    other = tokens.clone()
    other[0, 1, 2] = torch.randn(8)
    changed = (block(tokens) - block(other)).abs().amax(dim=(0, 3)) > 1e-6  # (T, L)
    expected = torch.zeros(3, 5, dtype=torch.bool)
    expected[:, 2] = temporal
    expected[1] = not temporal
    expected[1, 2] = True
    assert torch.equal(changed, expected)


def test_gates_are_half_open_at_the_start():
    torch.manual_seed(0)
    side = SideNetwork(TransformerSizes(1, 16, 2, 4), 8, 2, [], 0.1)
    tokens = torch.randn(1, 2, 2, 5, 16)
    first, second = side.let_in(tokens, 0), side.let_in(tokens, 1)
    torch.testing.assert_close(side(tokens), (side.blocks[0](first) + second) / 2)
    with torch.no_grad():
        side.gates.fill_(0.1)
    gate = 1 / (1 + math.exp(-1))
    torch.testing.assert_close(side(tokens), gate * side.blocks[0](first) + (1 - gate) * second)


def backbones() -> dict[str, Backbone]:
    torch.manual_seed(5)
    clip = VisionTransformer(8, 4, BESIDE.width, BESIDE.depth, BESIDE.heads, 4.0, output_dim=WIDTH)
    plain = TimmTransformer(8, 4, embed_dim=BESIDE.width, depth=BESIDE.depth, num_heads=BESIDE.heads, num_classes=0)
    rest = (8, (0.5,) * 3, (0.5,) * 3, None)
    made = {
        "open_clip": Backbone(VisualEncoder(clip), WIDTH, *rest, "clip"),
        "timm": Backbone(VisualEncoder(plain), BESIDE.width, *rest, "plain"),
    }
    for backbone in made.values():
        for parameter in backbone.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made


@pytest.mark.parametrize("library", ["open_clip", "timm"])
def test_it_starts_from_the_blocks_beside(library):
    backbone = backbones()[library]
    head = FewShotModel(backbone, PARTS, TsfsarConfig(**SMALL), FRAMES).head
    drawn = {name: value.clone() for name, value in head.state_dict().items()}
    head.initialise(backbone)
    beside = backbone.transformer.blocks
    names = {"open_clip": ("in_proj_bias", "mlp.c_proj"), "timm": ("qkv.bias", "mlp.fc2")}[library]
    for side, block in zip(head.side.blocks, beside, strict=True):
        holder, name = block.projections
        key = getattr(holder, name)[16:32]
        torch.testing.assert_close(side.attention.key.weight, reduced(key, 8, 8).float())
        bias = dict(block.module.named_parameters())[f"attn.{names[0]}"][32:]
        torch.testing.assert_close(side.attention.value.bias, resized(bias, 8))
        torch.testing.assert_close(side.attention.output.weight, reduced(block.output.weight, 8, 8).float())
        contract = block.module.get_submodule(names[1])
        torch.testing.assert_close(side.contract.weight, reduced(contract.weight, 8, 32).float())
        torch.testing.assert_close(side.norm_2.weight, resized(block.norm_2.weight, 8))
    changed = {name for name, value in head.state_dict().items() if not torch.equal(value, drawn[name])}
    assert {name.split(".")[0] for name in changed} == {"side", "adapter"}
    assert all(name.startswith(("side.blocks", "adapter.attention")) for name in changed)
    assert len(changed) == 16 * BESIDE.depth + 8
    again = FewShotModel(backbone, PARTS, TsfsarConfig(**SMALL), FRAMES).head
    again.initialise(backbone)
    assert all(
        torch.equal(value, head.state_dict()[name]) for name, value in again.state_dict().items() if name in changed
    )


def test_an_adapter_wider_than_the_blocks_stays_as_drawn():
    clip = VisionTransformer(8, 4, BESIDE.width, BESIDE.depth, BESIDE.heads, 4.0, output_dim=24)
    backbone = Backbone(VisualEncoder(clip), 24, 8, (0.5,) * 3, (0.5,) * 3, None, "wide")
    head = FewShotModel(backbone, PARTS, TsfsarConfig(**SMALL), FRAMES).head
    drawn = {name: value.clone() for name, value in head.adapter.state_dict().items()}
    head.initialise(backbone)
    assert all(torch.equal(value, drawn[name]) for name, value in head.adapter.state_dict().items())


def test_principal_scores():
    torch.manual_seed(0)
    matrix = torch.randn(7, 4)
    scores = principal_scores(matrix, 3)
    products = scores.T @ scores
    variances = torch.linalg.eigvalsh((matrix - matrix.mean(dim=0)).double().T @ (matrix - matrix.mean(dim=0)).double())
    torch.testing.assert_close(products, torch.diag(variances.flip(0)[:3]))
    torch.testing.assert_close(principal_scores(matrix + 5, 3), scores, rtol=0, atol=1e-5)
    axes = torch.linalg.lstsq(scores, (matrix - matrix.mean(dim=0)).double()).solution  # (3, 4)
    assert all(axis[axis.abs().argmax()] > 0 for axis in axes)
    assert reduced(matrix, 2, 3).shape == (2, 3) and torch.equal(reduced(matrix, 5, 3), scores[:5])


def test_a_frozen_clip_is_trained_beside():
    model = FewShotModel(backbones()["open_clip"], PARTS, TsfsarConfig(**SMALL), FRAMES, CLASSES)
    model.backbone.requires_grad_(False)
    model.set_training_text(texts())
    videos = torch.randint(0, 256, (WAY * 2, FRAMES, 8, 8, 3), dtype=torch.uint8)
    model(videos, torch.tensor([4, 0, 5]), 1, {}).total.backward()
    assert not any(p.grad is not None for p in model.backbone.parameters())
    assert {name.split(".")[0] for name in model.tested_state()} == {"head"}
    kept = {name: each.shape[1:] for name, each in model.eval().encode(videos).items()}
    assert kept == {"described": (FRAMES, 36), "side": (FRAMES, 8), "frames": (FRAMES, WIDTH)}


def test_learning_rates_and_dropout_are_of_the_settings():
    head = make(generator_learning_rate_factor=0.25, adapter_learning_rate_factor=2.0, dropout=0.11)
    assert list(head.learning_rate_factors()) == [(head.generator, 0.25), (head.adapter, 2.0)]
    assert [m.p for m in head.modules() if isinstance(m, torch.nn.Dropout)] == [0.11]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"side_width": 32}, "side_width is 32, but .* of width 16"),
        ({"head_width": 3}, "head_width is 3, which does not divide side_width 8"),
        ({"adapter_heads": 3}, "adapter_heads is 3, which does not divide the backbone's width 8"),
        ({"temporal_layers": [0, 2, 5]}, r"names the blocks \[2, 5\], but the backbone has 2"),
    ],
)
def test_settings_that_do_not_fit(settings, says):
    with pytest.raises(UserError, match=says):
        make(**settings)


def test_other_networks_have_no_layers_to_look_into():
    with pytest.raises(UserError, match="a visual transformer"):
        Tsfsar(Inputs(WIDTH, FRAMES, CLASSES), TsfsarConfig())


@pytest.mark.parametrize("benchmark", ["kinetics100", "ssv2_full", "ssv2_small", "ucf101", "hmdb51"])
def test_published_powers_add_up_to_one(benchmark):
    settings = TsfsarConfig(**recipe_of("ts-fsar", benchmark, "heads", "CLIP-ViT-B/16"))
    powers = zip(settings.few_shot_power, settings.text_clip_power, settings.text_side_power, strict=True)
    assert [sum(own) for own in powers] == pytest.approx([1, 1])
