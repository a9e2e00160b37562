"""The weight of class names is chosen on validation classes, used in the tests, and kept with their predictions."""

import numpy as np
import pytest
import torch

from fsar.evaluation.evaluate import PlannedTest, evaluate_model
from fsar.evaluation.feature_file import write_features
from fsar.evaluation.predictions import read_predictions, text_weight_of
from fsar.methods.clip_classifier.record import ClipClassifierConfig
from fsar.methods.head import build_head
from fsar.methods.needs import Inputs
from fsar.methods.record import Components
from tests.evaluation.test_evaluation import CLASSES, SIZES, VIDEOS, WIDTH, episodes_of, write_episodes


def classifier(**settings):
    return build_head(Components(head="clip_classifier", trains="nothing"), SIZES, ClipClassifierConfig(**settings))


def write_world(path, useful_text):
    """Write features of videos that know their classes a little, and texts that do or do not."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    labels = torch.arange(VIDEOS) // 5
    frames = centres[labels][:, None] + 3 * torch.randn(VIDEOS, 8, WIDTH, generator=generator)
    text = centres if useful_text else torch.randn(CLASSES, WIDTH, generator=generator)
    names = [f"c{n}" for n in range(CLASSES)]
    write_features(path, [f"v{n}" for n in range(VIDEOS)], {"frames": frames}, names, text, Inputs(WIDTH, 8))
    return path


@pytest.fixture
def run(tmp_path):
    """Test with one and with two shots; return the file of predictions."""

    def run(head, useful_on_validation=None):
        features = write_world(tmp_path / "test.safetensors", useful_text=False)
        known = write_world(tmp_path / "val.safetensors", useful_text=bool(useful_on_validation))
        stored = {}
        for shot in (1, 2):
            stored[shot] = tmp_path / f"{shot}.parquet"
            write_episodes(stored[shot], episodes_of(shot))
        tests = [PlannedTest("clip-classifier", "few-shot", 5, shot, path) for shot, path in stored.items()]
        validation = None if useful_on_validation is None else (known, list(stored.values()))
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.out.parquet"
        evaluate_model(head, tests, features, path, "cpu", 1, validation=validation)
        return path

    return run


def test_tests_take_what_validation_classes_chose(run):
    """Also where it is bad for the test classes, whose texts know nothing."""
    chosen = {}
    for useful in (True, False):
        path = run(classifier(), useful)
        chosen[useful] = {shot: text_weight_of(path, shot) for shot in (1, 2)}
        for shot, weight in chosen[useful].items():
            given = run(classifier(text_weight=weight))
            assert text_weight_of(given, shot) is None
            ours, same = (read_predictions(each, "clip-classifier", 5, shot) for each in (path, given))
            np.testing.assert_array_equal(np.stack(ours["logits"]), np.stack(same["logits"]))
    assert all(chosen[True][shot] > chosen[False][shot] + 0.2 for shot in (1, 2)), chosen
