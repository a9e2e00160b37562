"""What the script of a job imports, for which each job waits before it begins."""

import ast
import json
import subprocess
import sys

import pytest

# The jobs that compute with a model; all others look at files, tables and pictures.
WITH_MODELS = (
    "encode_features", "encode_training", "evaluate_model", "evaluate_part", "gather_predictions", "predict_clips",
    "train_model", "train_small_clip", "train_small_video",
)  # fmt: skip
LIBRARIES = ("torch", "torchvision", "timm", "open_clip", "transformers", "sklearn")
TO_DRAW = ("matplotlib", "seaborn", "scipy.stats")


def imports_of(script):
    """Return the statements of a script that import, for a program of its own."""
    tree = ast.parse(script.read_text())
    return [ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]


def imported(repository, statements):
    """Return the modules that are there when a new process has run the statements."""
    program = "\n".join([*statements, "import sys, json; print(json.dumps(sorted(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("chosen", "without"),
    [
        (lambda name: name not in (*WITH_MODELS, "draw_figure"), (*LIBRARIES, *TO_DRAW)),
        (lambda name: name == "draw_figure", LIBRARIES),
    ],
    ids=["tables", "figures"],
)
def test_a_job_imports_no_library_that_it_does_not_use(chosen, without, repository):
    """Each takes from half a second to two, in every job of a run."""
    scripts = [path for path in sorted((repository / "workflow_scripts").glob("*.py")) if chosen(path.stem)]
    assert scripts
    found = imported(repository, [line for path in scripts for line in imports_of(path)])
    assert not found & set(without)
