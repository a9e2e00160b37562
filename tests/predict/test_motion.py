"""How much what moves counts for clips of one's own: given, told by the examples, and kept with saved examples."""

import numpy as np
import pytest
import torch

from fsar import FewShotClassifier
from fsar.cli.main import main
from fsar.errors import UserError
from fsar.methods.blocks.record import MOTION_SHARE
from fsar.methods.needs import Inputs
from fsar.methods.otam.head import Otam
from fsar.methods.otam.record import OtamConfig
from fsar.predict.decide import Decision
from fsar.predict.leave_out import LabelledExamples
from fsar.predict.motion import told_by
from tests.helpers.predicting import make_model, make_world

WIDTH, FRAMES, SHOTS = 32, 8, 5


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("motion"))


def examples(what: str, shots: int = SHOTS) -> LabelledExamples:
    """Examples of three classes that differ by how they move, or by what is there; the other is chance."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    labels = torch.arange(3).repeat_interleave(shots)
    there, ways = draw(3, 1, WIDTH)[labels], torch.linspace(-1, 1, FRAMES)[:, None] * draw(3, 1, WIDTH)[labels]
    if what == "moves":
        there = draw(len(labels), 1, WIDTH)
    else:
        ways = torch.linspace(-1, 1, FRAMES)[:, None] * draw(len(labels), 1, WIDTH)
    decision = Decision(Otam(Inputs(WIDTH, FRAMES), OtamConfig()).eval(), "few-shot", torch.empty(3, 0))
    return LabelledExamples(decision, {"frames": 2 * there + 0.5 * ways}, labels.numpy())


def test_examples_tell_whether_motion_helps():
    moving, standing = examples("moves"), examples("is there")
    assert told_by(moving, 0.0) > 0 and moving.decision.head.settings.motion_share == told_by(moving, 0.0)
    assert told_by(standing, 0.5) == 0 and standing.decision.head.settings.motion_share == 0


def test_too_few_examples_leave_it_as_it_is():
    few = examples("moves", shots=3)
    assert told_by(few, 0.0) == 0.0 and few.decision.head.settings.motion_share == 0.0
    assert told_by(None, 0.25) == 0.25


def logits(classifier, clips):
    return np.stack([each.logits for each in classifier.predictions(clips)])


def test_a_share_that_is_given_is_that_of_a_method_that_has_it(world):
    """Of one model: what is set when labelling is what a method's own share does."""
    clips = FewShotClassifier.load(world.model, device="cpu").support(world.examples)
    from fsar.predict.clips import list_clips

    listed = list_clips([world.examples / "waving"])
    of_model = logits(clips, listed)
    given = FewShotClassifier.load(world.model, device="cpu", motion=MOTION_SHARE).support(world.examples)
    own = FewShotClassifier.load(make_model(world.folder, "clip-fsar-motion"), device="cpu").support(world.examples)
    assert own.motion_share == MOTION_SHARE and not np.array_equal(logits(given, listed), of_model)
    given.model.model.load_state_dict(own.model.model.state_dict())
    given.support(world.examples)
    np.testing.assert_array_equal(logits(given, listed), logits(own, listed))
    none = FewShotClassifier.load(world.model, device="cpu", motion=0.0).support(world.examples)
    np.testing.assert_array_equal(logits(none, listed), of_model)


def test_saved_examples_know_their_share(world, tmp_path):
    from fsar.predict.clips import list_clips

    listed = list_clips([world.examples / "waving"])
    given = FewShotClassifier.load(world.model, device="cpu", motion=0.75).support(world.examples)
    given.save(tmp_path / "s.safetensors")
    again = FewShotClassifier.load(world.model, device="cpu").load_support(tmp_path / "s.safetensors")
    assert again.motion_share == 0.75 and again.temperature == given.temperature
    np.testing.assert_array_equal(logits(again, listed), logits(given, listed))
    other = FewShotClassifier.load(world.model, device="cpu", motion=0.0).load_support(tmp_path / "s.safetensors")
    assert other.motion_share == 0 and other.temperature != given.temperature


def test_the_commands_take_and_tell_it(world, tmp_path, capsys):
    model = ["--support", str(world.examples), "--model", str(world.model), "--device", "cpu"]
    assert main(["check", *model, "--motion", "auto"]) == 0
    told = capsys.readouterr().err
    assert "What moves counts for" in told and "of the cosine of two frames" in told
    assert main(["predict", str(world.examples / "waving"), *model, "--motion", "0.5"]) == 0
    assert "What moves counts for 0.5 of the cosine of two frames." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", str(world.examples), *model, "--motion", "2"])
    assert "2 is neither auto nor a share from 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["trx", "clip-fsar-trx", "molo"])
def test_a_method_that_cannot_says_so(world, model):
    with pytest.raises(UserError, match=rf"The method '{model}' cannot be told how much what moves counts"):
        FewShotClassifier.load(make_model(world.folder, model), device="cpu", motion=0.5)
    with pytest.raises(UserError, match="motion is 'much'; it can be auto, or a share from 0 to 1"):
        FewShotClassifier.load(world.model, device="cpu", motion="much")


def test_a_frozen_method_with_motion_has_it(world):
    frozen = FewShotClassifier("small-clip", str(world.backbone), "clip-freeze-motion", device="cpu")
    assert frozen.motion_share == MOTION_SHARE
