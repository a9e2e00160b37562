"""Where the workflow lies, as `fsar workflow` and Python ask for it."""

import pytest

from fsar import workflow_files
from fsar.cli.main import main
from fsar.errors import UserError


def test_a_checkout_is_its_own_workflow(repository, capsys):
    assert main(["workflow", "--path"]) == 0
    assert capsys.readouterr().out == f"{repository / 'Snakefile'}\n"
    assert workflow_files.workflow_file("configs/tiny.yaml") == repository / "configs/tiny.yaml"


def test_an_installed_package_has_it_in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "fsar/workflow").mkdir(parents=True)
    monkeypatch.setattr(workflow_files, "PACKAGE", tmp_path / "fsar")
    with pytest.raises(UserError, match="There is no workflow beside the package"):
        workflow_files.workflow_folder()
    (tmp_path / "Snakefile").touch()  # of something else, beside an installed package
    (tmp_path / "fsar/workflow/Snakefile").touch()
    assert workflow_files.workflow_folder() == tmp_path / "fsar/workflow"


def test_a_file_that_is_not_there_is_told_with_those_that_are(capsys):
    assert main(["workflow", "--path", "configs/mehtods.yaml"]) == 1
    told = capsys.readouterr().err
    assert "no file configs/mehtods.yaml" in told and "configs/methods.yaml" in told


def test_the_wheel_carries_all_that_the_workflow_is(repository):
    """What setup.py puts into the package is what a run of a copied project needs, and what a source archive has."""
    from tests.helpers.workflow import PROJECT

    text = (repository / "setup.py").read_text()
    named = set(text.partition("WORKFLOW = [")[2].partition("]")[0].replace('"', "").replace(" ", "").split(","))
    archived = set((repository / "MANIFEST.in").read_text().replace("include", "").replace("graft", "").split())
    assert named == set(PROJECT) - {"fsar"} and named <= archived
