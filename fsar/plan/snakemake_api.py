"""What this workflow takes from Snakemake beside its documented language. Another version may have moved it.

Each use is guarded: what cannot be found ends the run with a sentence, and changes nothing in silence. What is only
told on the terminal (`fsar.plan.time_left`, rules/terminal.smk) is left out with a warning. Beside these functions,
the workflow relies on how Snakemake compares parameters: by their `repr`, as a set (`fsar.plan.parameters`), recorded
when a job has ended (`fsar.plan.videos.Known`). tests/workflow/test_reruns.py would notice another way.
"""

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

from fsar.errors import UserError

SCRIPT_TIMES = "outputs_older_than_script_or_notebook"
_ours: set[str] = set()


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Turn what is no longer where it was into a sentence; raises UserError."""
    try:
        yield
    except (AttributeError, ImportError, TypeError) as error:
        raise UserError(
            f"Snakemake {version('snakemake')} keeps {what} elsewhere than the versions that this workflow was written "
            f"for ({error}). Use an earlier one (requirements.txt names one that was tested)."
        ) from None


def config_files(workflow: Any) -> list[Path]:
    """Return the files that a config is read from."""
    with needed("the names of config files"):
        return sorted({*map(Path, workflow.configfiles), *map(Path, workflow.overwrite_configfiles)})


def is_main_process(workflow: Any) -> bool:
    """Tell the process that plans a run from those that execute one job of it."""
    with needed("whether a process is the main one"):
        return bool(workflow.is_main_process)


def has_conda(workflow: Any) -> bool:
    """Tell whether jobs run in conda's environments."""
    with needed("how software is deployed"):
        from snakemake.settings.types import DeploymentMethod

        return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def is_moved(workflow: Any) -> bool:
    """Tell whether the workflow is a module whose files are moved, by `prefix` or `replace_prefix`."""
    with needed("the prefix of a module"):
        moved = workflow.modifier.path_modifier
        return bool(moved.prefix or moved.modifies_prefixes)


def plan_faster() -> None:
    """Look less often for circles of objects that nobody needs: a plan is half a million objects, nearly all needed.

    Python's own ways look at all of them again and again, a tenth of a plan's time.
    """
    gc.freeze()  # what is imported stays
    gc.set_threshold(100_000, 50, 1000)


def remember_parameters(workflow: Any) -> None:
    """Tell Snakemake once which parameters each function of a rule has, which it asks several times for each job.

    It looks at the function itself each time, a tenth of a plan's time. A version that asks otherwise goes on so.
    """
    with suppress(AttributeError, ImportError, TypeError):
        from snakemake.common import overwrite_function_params
        from snakemake.resources import Resource

        found: list[Any] = [Resource.evaluate]
        for rule in workflow.rules:
            found += [*rule.params, *(getattr(file, "_file", file) for file in rule.input)]
            found += [resource._evaluator for resource in rule.resources.values()]
        for item in found:
            function = getattr(item, "callable", item)
            if callable(function):
                with suppress(AttributeError, ValueError):  # of built-in functions
                    known = signature(function).parameters
                    overwrite_function_params(getattr(function, "__func__", function), known)  # type: ignore[arg-type]


def ignore_times_of_scripts(workflow: Any) -> None:
    """Let the times of the scripts that rules beside the caller name count for nothing.

    A script that is newer than what its rule has made counts as changed for Snakemake, even if a comment was written or
    a branch was checked out. Here the statements of a script count, by the parameter `code` of its rule. The setting
    `rerun-triggers` would say so for all rules of a run, those of a workflow that imports this one too, which keep
    Snakemake's ways.
    """
    with needed("which outputs are older than a script"):
        from snakemake.jobs import Job

        original = getattr(Job, SCRIPT_TIMES)
        if not _ours:
            setattr(Job, SCRIPT_TIMES, _but_for_ours(original))
        _ours.add(str(workflow.current_basedir))


def _but_for_ours(original: Callable[[Any], AsyncIterator[Any]]) -> Callable[[Any], AsyncIterator[Any]]:
    async def outputs_older_than_script_or_notebook(job: Any) -> AsyncIterator[Any]:
        if str(job.rule.basedir) not in _ours:
            async for path in original(job):
                yield path

    return outputs_older_than_script_or_notebook
