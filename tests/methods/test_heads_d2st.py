"""The head of D²ST-Adapter beside its golden tensors."""

import torch
import torch.nn.functional as F

from fsar.methods.d2st.head import D2st
from fsar.methods.d2st.record import D2stConfig
from fsar.methods.head import TrainingEpisode
from fsar.methods.needs import Inputs

WIDTH, FRAMES, CLASSES, WAY = 6, 4, 5, 3


def make(classes: int = CLASSES) -> D2st:
    torch.manual_seed(3)
    return D2st(Inputs(WIDTH, FRAMES, classes), D2stConfig(classification_weight=0.7))


def test_the_metric_frame_by_frame():
    """Of two episodes at once, with several shots and queries, as with loops."""
    torch.manual_seed(0)
    support, queries = torch.randn(2, WAY, 2, FRAMES, WIDTH), torch.randn(2, 4, FRAMES, WIDTH)
    head = make(classes=0)
    merged = head.merge({"unprojected": support})
    found = head.decide(head.episode_stage(merged, {"unprojected": queries}, torch.empty(2, WAY, 0)))
    assert found.shape == (2, 4, WAY) and head.queries_apart and head.classes_apart
    for episode in range(2):
        for query in range(4):
            for number in range(WAY):
                prototype = support[episode, number].mean(dim=0)
                cosines = F.cosine_similarity(queries[episode, query].unsqueeze(1), prototype, dim=-1)
                expected = (1 - cosines).amin(dim=0).sum() + (1 - cosines).amin(dim=1).sum()
                torch.testing.assert_close(found[episode, query, number], -expected, rtol=1e-4, atol=1e-5)


def test_training_decides_as_the_tests_do():
    head = make()
    videos = torch.randn(WAY * 4, FRAMES, WIDTH)
    episode = TrainingEpisode(WAY, 2, {"unprojected": videos}, torch.tensor([4, 0, 2]), torch.empty(CLASSES, 0))
    logits, losses = head.losses(episode)
    support, queries = videos[:6].unflatten(0, (WAY, 2)), videos[6:]
    torch.testing.assert_close(logits, head.few_shot_logits(support, queries, torch.empty(WAY, 0)))
    assert set(losses) == set(head.loss_names) and head.loss_weights() == {"few_shot": 1.0, "classification": 0.7}
    classes = torch.tensor([4, 4, 0, 0, 2, 2] * 2)  # of support, then of queries
    expected = F.cross_entropy(head.for_training["classifier"](videos.mean(dim=1)), classes)
    torch.testing.assert_close(losses["classification"], expected)


def test_without_training_classes_there_is_nothing_to_train():
    assert not list(make(classes=0).parameters())
    assert {name.split(".")[0] for name in make().state_dict()} == {"for_training"}
