"""Chamfer++ and its metrics beside their golden tensors: against a plain version, and what holds for any episode."""

from itertools import chain, combinations, product
from typing import get_args

import pytest
import torch

from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.chamferpp.head import Chamferpp
from fsar.methods.chamferpp.record import ChamferppConfig
from fsar.methods.chamferpp.visil import Visil
from fsar.methods.needs import Inputs
from fsar.methods.otam.record import TableMetric
from tests.helpers import plain

WIDTH, FRAMES, WAY, SHOT = 6, 5, 3, 2
METRICS = get_args(TableMetric)
BY_PLACE = ("otam", "otam_one_way", "diagonal", "linear")
CASES = [
    {"metric": metric, "shots": shots, "tuple_length": length, "projection": projection, "visil": visil}
    for metric, shots, (length, projection, visil) in product(
        METRICS, ("joint", "separate", "side_by_side"), ((1, 0, False), (2, 7, False), (3, 0, True))
    )
]


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make(**settings) -> Chamferpp:
    torch.manual_seed(0)
    return Chamferpp(Inputs(WIDTH, FRAMES), ChamferppConfig(**settings)).double().eval()


def logits(head: Chamferpp, support, queries) -> torch.Tensor:
    with torch.no_grad():
        return head.few_shot_logits(support, queries, torch.empty(len(support), 0))


@pytest.mark.parametrize("settings", CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_what_holds_of_every_metric(settings):
    """Queries, classes and orders: none of them may matter, but where shots stand side by side."""
    head = make(**settings, motion_share=0.3)
    support, queries = random(WAY, SHOT, FRAMES, WIDTH), random(4, FRAMES, WIDTH, seed=1)
    found = logits(head, support, queries)
    assert found.shape == (4, WAY) and found.isfinite().all()
    torch.testing.assert_close(logits(head, support, queries[1:2]), found[1:2])
    torch.testing.assert_close(logits(head, support[:2], queries), found[:, :2])
    turned = logits(head, support.flip(1), queries)
    of_places = settings["metric"] in BY_PLACE[:3] or settings["visil"]
    if settings["shots"] != "side_by_side" and not settings["visil"]:
        torch.testing.assert_close(turned, found)
    elif settings["shots"] == "side_by_side" and of_places and settings["metric"] != "linear":
        assert not torch.allclose(turned, found)


@pytest.mark.parametrize(
    "metric", ["chamfer", "chamfer_query", "chamfer_support", "mean_pairs", "max_pair", "diagonal"]
)
@pytest.mark.parametrize("shots", ["joint", "separate", "side_by_side"])
@pytest.mark.parametrize(("length", "projection"), [(1, 0), (2, 0), (3, 7)])
def test_it_equals_the_plain_one(metric, shots, length, projection):
    head = make(metric=metric, shots=shots, tuple_length=length, projection=projection, temperature=3.0, weight=0.5)
    support, queries = random(WAY, SHOT, FRAMES, WIDTH), random(2, FRAMES, WIDTH, seed=1)

    def tuples(video):
        found = [[number for i in chosen for number in video[i]] for chosen in combinations(range(FRAMES), length)]
        if not projection:
            return found
        layer, norm = head.tuples.layer, head.tuples.norm
        made = [plain.linear(each, layer.weight.tolist(), layer.bias.tolist()) for each in found]
        return [plain.layer_norm(each, norm.weight.tolist(), norm.bias.tolist()) for each in made]

    def score(query, videos):
        tables = [[[plain.cosine(a, b) for b in tuples(video)] for a in tuples(query)] for video in videos]
        if shots == "separate" or (metric == "diagonal" and shots == "joint"):
            return sum(plain.alike(metric, table) for table in tables) / len(tables)
        return plain.alike(metric, [list(chain(*rows)) for rows in zip(*tables, strict=True)])

    expected = [[1.5 * score(query, videos) for videos in support.tolist()] for query in queries.tolist()]
    torch.testing.assert_close(logits(head, support, queries), torch.tensor(expected, dtype=torch.float64))


def test_visil_equals_its_definition():
    """Of a table that is not square: the poolings drop what is left over, nothing follows the third convolution."""
    network = Visil().double()
    table = random(2, 3, 9, 14)
    steps = torch.nn.functional
    first, second, third = (part.weight for part in network.convolutions)
    found = []
    for each in table.flatten(0, 1):
        x = steps.relu(steps.max_pool2d(steps.conv2d(each[None, None], first, padding=1), 2))
        x = steps.relu(steps.max_pool2d(steps.conv2d(x, second, padding=1), 2))
        found.append(steps.conv2d(steps.conv2d(x, third, padding=1), network.last.weight).clamp(-1, 1)[0, 0])
    torch.testing.assert_close(network(table), torch.stack(found).view(2, 3, 2, 3))


@pytest.mark.parametrize(
    ("settings", "frames", "said"),
    [
        ({}, 2, r"compares tuples of 3 frames \(heads.chamferpp.tuple_length\).* at least 3, and not 2"),
        ({"tuple_length": 1, "visil": True}, 3, r"pools tables .* at least 4, and not 3"),
        ({"tuple_length": 1, "motion_share": 0.5}, 1, "compares what moves, .* at least 2, and not 1"),
    ],
)
def test_too_few_frames_are_told(settings, frames, said):
    with pytest.raises(UserError, match=said):
        Chamferpp(Inputs(WIDTH, frames), ChamferppConfig(**settings))


def test_rows_differ_in_what_their_names_say():
    trained = {name: parts for name, parts in MODELS.items() if parts.head == "chamferpp" and parts.trained}
    assert set(trained) == {"chamferpp"} and trained["chamferpp"].settings.any_share is False
    assert MODELS["chamfer"].settings.metric == "chamfer" and MODELS["chamfer"].settings.any_share
    head = Chamferpp(Inputs(WIDTH, FRAMES), MODELS["mean-pairs"].settings)
    assert [name for name, _ in head.named_parameters()] == ["weight"]
