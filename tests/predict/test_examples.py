"""The examples of the API page (docs/api.md) run as they are written, on real weights and rendered clips."""

import doctest
import importlib
import inspect
import re
import shutil
from importlib.util import find_spec

import pytest

from fsar import own_training
from fsar.packaged_weights import OFFLINE, module_of
from fsar.predict.few_shot_classifier import FewShotClassifier
from tests.helpers.predicting import make_world
from tests.helpers.videos import make_video

pytestmark = pytest.mark.skipif(
    find_spec(module_of(OFFLINE["efficientnet-lite0"])) is None, reason="the extra `offline` is not installed"
)
# What users of the page call, of a class whose other functions are for this package; in the order in which they run.
CALLED = ("load", "support", "save", "add", "load_support", "predict", "check", "spot", "stream", "describe")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The files that the examples name."""
    world = make_world(tmp_path_factory.mktemp("examples"))
    shutil.copy(next((world.examples / "waving").glob("*.mp4")), world.folder / "new.mp4")
    world.model.rename(world.folder / "model")
    make_video(world.folder / "long.mp4", 60)
    return world.folder


def shown(repository):
    """What docs/api.md shows, by its name."""
    names = re.findall(r"^::: (fsar[\w.]+)$", (repository / "docs/api.md").read_text(), re.MULTILINE)
    found = {name: getattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in names}
    return found | {f"{FewShotClassifier.__name__}.{name}": getattr(FewShotClassifier, name) for name in CALLED}


def run(name, documented, names):
    """Run the examples of one docstring, which may use what those before have named."""
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(documented), names, name, None, None)
    assert examples.examples, f"{name} has no example"
    told = []
    result = doctest.DocTestRunner(verbose=False).run(examples, out=told.append, clear_globs=False)
    assert not result.failed, "".join(told)
    return examples.globs


def test_every_example_prints_what_it_says(repository, place, monkeypatch):
    monkeypatch.chdir(place)
    documented = shown(repository)
    assert own_training.train in documented.values()
    names = {}
    classes = [(name, one) for name, one in documented.items() if inspect.isclass(one)]
    calls = [(name, one) for name, one in documented.items() if not inspect.isclass(one)]
    # The class comes first, whose example makes the classifier of the others; what is returned last.
    for name, one in [*classes[:1], *calls, *classes[1:]]:
        if one is not own_training.train:
            names = run(name, one, names)


@pytest.mark.slow
def test_the_example_of_training_prints_what_it_says(place, monkeypatch):
    monkeypatch.chdir(place)
    rows = ["path,class,split\n"]
    for split in ("train", "val", "test"):
        for number in range(8):
            clip = make_video(place / f"{split} {number}.mp4", 24)
            rows.append(f"{clip.name},{split} {number // 4},{split}\n")
    (place / "videos.csv").write_text("".join(rows))
    run("train", own_training.train, {})
