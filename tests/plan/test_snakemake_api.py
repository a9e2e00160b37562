"""What is taken from Snakemake beside its documented language: its loss is a sentence, and no silent change."""

from types import SimpleNamespace

import pytest
from snakemake.common import get_function_params
from snakemake.jobs import Job

from fsar.errors import UserError
from fsar.plan import snakemake_api

ELSEWHERE = r"^Snakemake [\d.]+ keeps {} elsewhere than the versions that this workflow was written for"


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (snakemake_api.config_files, "the names of config files"),
        (snakemake_api.is_main_process, "whether a process is the main one"),
        (snakemake_api.has_conda, "how software is deployed"),
        (snakemake_api.is_moved, "the prefix of a module"),
    ],
)
def test_what_a_version_lacks_is_told(function, what):
    with pytest.raises(UserError, match=ELSEWHERE.format(what)):
        function(SimpleNamespace())


def test_times_of_scripts_are_asked_for_where_they_were(monkeypatch):
    monkeypatch.delattr(Job, snakemake_api.SCRIPT_TIMES)
    with pytest.raises(UserError, match=ELSEWHERE.format("which outputs are older than a script")):
        snakemake_api.ignore_times_of_scripts(SimpleNamespace(current_basedir="here"))
    assert not hasattr(Job, snakemake_api.SCRIPT_TIMES)


def test_a_version_that_asks_otherwise_for_parameters_goes_on(monkeypatch):
    def asked(wildcards):
        return wildcards

    rule = SimpleNamespace(params=[asked, len], input=[], resources={})
    snakemake_api.remember_parameters(SimpleNamespace(rules=[rule]))
    assert list(get_function_params(asked)) == ["wildcards"] and vars(asked)
    monkeypatch.setattr("snakemake.common.overwrite_function_params", lambda function: None)
    snakemake_api.remember_parameters(SimpleNamespace(rules=[rule]))
    snakemake_api.remember_parameters(SimpleNamespace())
