"""What tests compute once for many queries or episodes, against the plain way, on 200 episodes."""

import pytest
import torch
from torch import Tensor

from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods import Components
from fsar.methods.blocks.temporal_transformer import TemporalLayer
from fsar.methods.clipspm.record import ClipspmConfig
from fsar.methods.clipspm.sums import attended, fed_means, joined, parts_of, table_of
from fsar.methods.empnet.record import EmpnetConfig
from fsar.methods.head import Head, TrainingEpisode, build_head
from fsar.methods.needs import Inputs, Tensors, TransformerSizes
from fsar.methods.tsfsar.record import TsfsarConfig

WIDTH, FRAMES, CLASSES, WAY, EPISODES, VIDEOS_OF_CLASS = 16, 4, 6, 3, 200, 7


def shaken(head: Head) -> Head:
    """A head in evaluation with no weight at its start: norms shift and scale."""
    torch.manual_seed(5)
    for parameter in head.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.5, 0.3)
    return head.eval()


def episodes(shot: int) -> tuple[Tensor, Tensor, Tensor]:
    """Support (E, N, K), one query per class (E, N) and classes (E, N); videos are in the order of their classes."""
    torch.manual_seed(shot)
    classes = torch.stack([torch.randperm(CLASSES)[:WAY] for _ in range(EPISODES)])
    drawn = torch.stack([torch.stack([torch.randperm(VIDEOS_OF_CLASS) for _ in range(WAY)]) for _ in range(EPISODES)])
    rows = drawn + VIDEOS_OF_CLASS * classes.unsqueeze(-1)
    return rows[..., :shot], rows[..., shot], classes


def logits(head: Head, stored: Tensors, text: Tensor, shot: int, inductive: bool = True) -> Tensor:
    """The logits of all episodes as the tests compute them, (E, N, N)."""
    support, queries, classes = episodes(shot)
    with torch.inference_mode():
        of = FewShotLogits(head, stored, text, support, classes, inductive)
        at_once = head.at_once(WAY)
        parts = [slice(start, start + at_once) for start in range(0, EPISODES, at_once)]
        return torch.cat([of(part, queries[part])[0] for part in parts])


def same(ours: Tensor, plain: Tensor) -> None:
    """Logits within rounding, and the same labels."""
    assert plain.std(dim=-1).mean() > 1e-3
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)
    assert torch.equal(ours.argmax(dim=-1), plain.argmax(dim=-1))


@pytest.mark.parametrize("inductive", [True, False])
@pytest.mark.parametrize("shot", [1, 5])
def test_clipspm(shot, inductive):
    config = ClipspmConfig(heads=2, head_width=4, feed_forward=20, attention_dropout=0, feed_forward_dropout=0)
    head = shaken(build_head(Components(head="clipspm"), Inputs(WIDTH, FRAMES), config))
    stored, text = {"frames": torch.randn(CLASSES * VIDEOS_OF_CLASS, FRAMES, WIDTH)}, torch.randn(CLASSES, WIDTH)
    ours = logits(head, stored, text, shot, inductive)
    # Without dropout training computes the same, the plain way.
    same(ours, logits(head.train(), stored, text, shot, inductive))


def test_tokens_that_are_sums_go_through_a_layer_as_any_others():
    torch.manual_seed(1)
    layer = shaken(TemporalLayer(WIDTH, 2, 20, 0.2, 0.2, 4))
    first, second = torch.randn(3, 4, WIDTH), torch.randn(3, 2, WIDTH)
    sums, groups = torch.randn(5, 6), torch.tensor([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 1, 0]])
    with torch.no_grad():
        table = joined(*(table_of(layer, parts_of(layer, own)) for own in (first, second)))
        ours = fed_means(layer, attended(layer, table, sums), groups)
        plain = groups @ layer(sums @ torch.cat([first, second], dim=1), outputs=5)
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shot", [1, 5])
def test_tsfsar(shot):
    sizes = TransformerSizes(depth=2, width=16, heads=2, patches=4)
    config = TsfsarConfig(side_width=8, head_width=4, adapter_heads=2, temporal_layers=[1])
    head = shaken(build_head(Components(head="tsfsar"), Inputs(WIDTH, FRAMES, transformer=sizes), config))
    videos, text = CLASSES * VIDEOS_OF_CLASS, torch.randn(CLASSES, WIDTH)
    with torch.no_grad():
        tokens = torch.randn(videos, FRAMES, 3, 5, 16)
        stored = head.store({"tokens": tokens, "frames": torch.randn(videos, FRAMES, WIDTH)})
        plain = [
            head.decide(head.episode_stage(*plainly(head, stored, text, *each)))[0]
            for each in zip(*episodes(shot), strict=True)
        ]
    same(logits(head, stored, text, shot), torch.stack(plain))


def plainly(head: Head, stored: Tensors, text: Tensor, shots: Tensor, asked: Tensor, classes: Tensor):
    """What `episode_stage` is given of one episode, by the stages of training."""
    rows = torch.cat([shots.flatten(), asked])
    own = {name: each[rows] for name, each in stored.items()}
    return head.staged(TrainingEpisode(WAY, shots.shape[1], own, classes, text))


@pytest.mark.parametrize("patches", [1, 17])
@pytest.mark.parametrize("shot", [1, 5])
def test_empnet(shot, patches, monkeypatch):
    config = EmpnetConfig(levels=[1], top_patches=2, merge_before=True)
    head = shaken(build_head(Components(head="empnet"), Inputs(WIDTH, FRAMES), config))
    text = torch.randn(CLASSES, 3, WIDTH)
    with torch.no_grad():
        stored = head.store({"tokens": torch.randn(CLASSES * VIDEOS_OF_CLASS, FRAMES, 1, 1 + patches, WIDTH)})
        plain = [
            head.decide(head.episode_stage(*plainly(head, stored, text, *each)))[0]
            for each in zip(*episodes(shot), strict=True)
        ]
    found = logits(head, stored, text, shot)
    same(found, torch.stack(plain))
    # Prototypes of 50 episodes at once, which end within a call.
    monkeypatch.setattr("fsar.evaluation.episode_logits.PROTOTYPES", 50 * WAY)
    torch.testing.assert_close(logits(head, stored, text, shot), found, rtol=1e-5, atol=1e-6)
