"""The command `fsar`, run as a user runs it."""

import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib import import_module
from importlib.metadata import packages_distributions
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from fsar.cli.main import main
from fsar.predict.clips import list_clips, list_examples
from fsar.predict.few_shot_classifier import FewShotClassifier
from fsar.predict.page import Page
from tests.helpers.browser import visit
from tests.helpers.predicting import CLASSES, fsar, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("cli"))


def test_labels_as_table_objects_and_page(world, capsys):
    (world.folder / "new").mkdir()
    (world.folder / "new" / "broken.mp4").write_bytes(b"no video")
    clips = [world.examples, world.folder / "new"]
    arguments = ["--support", world.examples, "--model", world.model, "--device", "cpu", "--top", "2"]
    files = ["--csv", "out.csv", "--json", "out.json", "--html", "out.html", "--save", "support.safetensors"]
    run = fsar("predict", *clips, *arguments, *files, folder=world.folder, code=3)
    # What it is and knows is said at the start.
    assert run.stderr.index("Model: CLIP-FSAR (clip-fsar)") < run.stderr.index("Classes: 3, 4 examples each")
    assert "trained on tiny (4 classes, 16 videos)" in run.stderr and "1 of 13 clips cannot be read" in run.stderr
    table = pd.read_csv(world.folder / "out.csv", keep_default_na=False)
    lines = run.stdout.splitlines()
    assert len(lines) == len(table) == 13
    assert lines[-1].startswith(f"{world.folder}/new/broken.mp4: cannot be read (")
    for line, row in zip(lines[:-1], table.to_dict("records"), strict=False):
        assert re.fullmatch(rf"{re.escape(row['path'])}: {row['label']} [\d.]+ %, [a-z ]+ [\d.]+ %", line)
    objects = json.loads((world.folder / "out.json").read_text())
    assert [one["path"] for one in objects] == list(table["path"])
    assert set(objects[0]["probabilities"]) == set(CLASSES) and objects[0]["label"] == table["label"][0]
    assert set(objects[-1]) == {"path", "reason"}

    # The saved support set gives the same, in Python too.
    saved = ["--support", str(world.folder / "support.safetensors"), *map(str, arguments[2:])]
    assert main(["predict", str(clips[0]), *saved]) == 0
    assert capsys.readouterr().out.splitlines() == lines[:-1]
    page = (world.folder / "out.html").read_text()
    assert page.count("<article ") == 12 and "broken.mp4" in page


def test_mistakes_are_told_in_a_sentence_and_by_the_exit_code(world, capsys):
    model = ["--model", str(world.model)]
    clip = next((world.examples / CLASSES[0]).iterdir())
    for arguments, message in (
        (["predict", "x.mp4", *model], "either --support"),
        (["predict", *model, "--support", "nowhere"], "nothing to do"),
        (["predict", "x.mp4", *model, "--support", "nowhere"], "no examples at nowhere"),
        (["predict", "x.mp4", "--model", "no-such-net", "--names", "a"], "no architecture 'no-such-net'"),
        (["predict", "x.mp4", *model, "--names", "a", "--weights", "w.pt"], "leave out --weights"),
        (["predict", *model, "--names", "a", "b", str(clip)], "--names takes every word after it"),
        (["predict", *model, "--names", "a", str(clip.parent)], "name clips before --names, or put -- between"),
        (["predict", str(clip), *model, "--names", "a", "--decide-by", "both"], "leave out --decide-by"),
        (["predict", str(clip), *model, "--names", "a", "--csv", str(clip / "x.csv")], "x.csv cannot be written: "),
        (
            ["predict", str(clip), *model, "--names", "a", "--html", str(clip.parent)],
            "cannot be written: it is a folder",
        ),
        (["check", *model, "--support", str(world.examples), "--csv", "/proc/x.csv"], "/proc/x.csv cannot be written"),
        (["spot", str(clip), *model, "--names", "a", "--out", "/proc/x"], "cannot be written"),
        (["spot", str(clip), *model, "--names", "a", "--smooth", "2"], "odd number"),
        (["spot", *model, "--names", "a", str(clip), "--", "y.mp4"], "--names takes every word after it"),
        (
            ["predict", "x.mp4", "--model", "small-clip", "--weights", "nowhere.pt", "--names", "a"],
            "nowhere.pt (--weights)",
        ),
        (["predict", "x.mp4", "--model", "small-clip", "--weights", "laion", "--names", "a"], "(--weights, which"),
    ):
        assert main(arguments) == 1
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "--top", "many"])
    assert stopped.value.code == 2


def test_models_that_are_there_are_listed(world, capsys):
    assert main(["models", str(world.folder)]) == 0
    printed = capsys.readouterr()
    assert f"{world.model}: clip-fsar, trained on tiny" in printed.out and "ViT-B-16" in printed.err


def test_other_commands_are_reached(capsys):
    assert main(["records", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"]
    assert main(["exchange", "from-reference", "nowhere.pth", "x.safetensors"]) == 1
    assert "There is no weights file nowhere.pth" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        main(["draw", "--help"])
    assert "fsar draw" in capsys.readouterr().out


def test_the_command_says_what_it_can_without_what_takes_seconds_to_import(repository):
    code = "import sys; from fsar.cli.main import parser; parser().format_help(); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_the_command_is_installed_with_the_package(repository):
    entry = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["scripts"]["fsar"]
    module, function = entry.split(":")
    assert getattr(import_module(module), function) is main


class References(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.found, self.ids, self.open = [], set(), []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("src", "href", "xlink:href"):
                self.found.append(value)
            if name == "id":
                self.ids.add(value)


def test_the_page_is_complete_by_itself_and_begins_with_the_doubtful(world):
    name = '<b>"x" & y</b>'
    examples = {name: list_clips(world.examples / CLASSES[0]), "other": list_clips(world.examples / CLASSES[1])}
    classifier = FewShotClassifier.load(world.model, device="cpu")
    classifier.support({key: [clip.path for clip in clips] for key, clips in examples.items()})
    page = Page(world.folder / "page.html", classifier.support_set, classifier.describe())
    predictions = list(classifier.predictions(list_clips(world.examples)))
    for prediction in predictions:
        page.add(prediction)
    page.write()
    text = (world.folder / "page.html").read_text()
    assert "<b>" not in text and "http" not in text
    parser = References()
    parser.feed(text)
    inside = [one for one in parser.found if one.startswith(("data:", "#"))]
    assert all(one.startswith("data:") or one[1:] in parser.ids for one in inside)
    clips = {unquote(one) for one in parser.found if one not in inside}  # linked, and played where they lie
    assert len(clips) == len(predictions) and all((world.folder / clip).is_file() for clip in clips)
    pictures = {one for one in parser.ids if re.fullmatch(r"[qs]\d+", one)}
    assert len(pictures) == len(predictions) + len({one.nearest.number for one in predictions})
    margins = [float(margin) for margin in re.findall(r"margin ([\d.]+) %", text)]
    assert margins == sorted(margins) and len(margins) == len(predictions)
    np.testing.assert_allclose(margins, sorted(100 * one.margin for one in predictions), atol=0.051)


def test_corrections_on_the_page_become_examples(world):
    classifier = FewShotClassifier.load(world.model, device="cpu")
    name = 'a "b", c'
    classifier.support({name: [world.examples / CLASSES[0]], "other": [world.examples / CLASSES[1]]})
    predictions = list(classifier.predictions(list_clips(world.examples), strips=True))
    page = Page(world.folder / "page.html", classifier.support_set, classifier.describe())
    for prediction in predictions:
        page.add(prediction)
    page.write()
    found = visit(
        page.path,
        """
        const form = document.querySelector("form"), [first, , third] = choices;
        const list = document.getElementById("labels");
        first.value = "other";
        third.selectedIndex = 1;
        third.dispatchEvent(new Event("change"));
        form.elements.order.value = "path";
        form.elements.order.dispatchEvent(new Event("change"));
        const paths = items(list).map((item) => item.dataset.path);
        form.querySelector("[data-by]").value = "other";
        form.dispatchEvent(new Event("input"));
        const page = document.documentElement;
        return {
          csv: corrections(),
          off: document.getElementById("export").disabled,
          chosen: [first, third].map((choice) => choice.dataset.right),
          shown: items(list).filter((item) => item.checkVisibility()).length,
          paths,
          wide: page.scrollWidth - page.clientWidth,
        };
        """,
        world.folder,
        width=400,
    )
    (world.folder / "corrections.csv").write_text(found["csv"])
    examples = list_examples(world.folder / "corrections.csv")
    assert {key: [clip.path for clip in own] for key, own in examples.items()} == {
        "other": [world.folder / found["chosen"][0]],
        name: [world.folder / found["chosen"][1]],
    }
    assert not found["off"] and found["wide"] <= 0
    assert found["paths"] == sorted(found["paths"]) and len(found["paths"]) == len(predictions)
    assert found["shown"] == sum(one.label == "other" for one in predictions)


def test_help_waits_for_no_library(repository):
    """A table, an array and a model are a second and more to import, for which who asks for help does not wait."""
    program = """
import sys
from fsar.cli.main import parser
parser().format_help()
assert not {"torch", "pandas", "numpy", "pyarrow", "timm", "open_clip"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_labels_need_no_package_of_the_workflow(world, repository):
    """`pip install fsar` is enough: what the extra `workflow` adds is not there in this process."""
    extra = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]["workflow"]
    packages = {re.match(r"[\w-]+", entry)[0] for entry in extra}
    modules = {
        top for top, of in packages_distributions().items() if packages & {name.replace("_", "-") for name in of}
    }
    assert {"snakemake", "lightning_fabric", "requests", "sklearn"} <= modules
    program = f"""
import sys
sys.modules |= dict.fromkeys({sorted(modules)!r})
from fsar.cli.main import main
arguments = ["--support", {str(world.examples)!r}, "--model", {str(world.model)!r}, "--device", "cpu"]
clip = {str(next(world.examples.rglob("*.mp4")))!r}
assert main(["predict", clip, *arguments, "--html", "a.html", "--csv", "a.csv"]) == 0
assert main(["spot", clip, *arguments, "--window", "0.5"]) == 0
assert main(["export", {str(world.model)!r}, "exported"]) == 0
"""
    variables = {**os.environ, "PYTHONPATH": str(repository)}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=world.folder, env=variables, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
