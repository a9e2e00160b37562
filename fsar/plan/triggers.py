"""Where what Snakemake goes by is not what decides a result here, for the rules of this workflow alone."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from snakemake.jobs import Job

NAME = "outputs_older_than_script_or_notebook"
_ours: set[str] = set()


def ignore_times_of_scripts(folder: str) -> None:
    """Let the times of the scripts that rules in this folder name count for nothing.

    A script that is newer than what its rule has made counts as changed for Snakemake, even if a comment was written or
    a branch was checked out. Here the statements of a script count, by the parameter `code` of its rule, and what was
    downloaded stays, whatever became of the script. The setting `rerun-triggers` would say so for all rules of a run,
    those of a workflow that imports this one too, which keep Snakemake's ways. A version of Snakemake that asks in
    another way is left as it is.

    Args:
        folder: of the files of rules, as Snakemake names it.
    """
    original = getattr(Job, NAME, None)
    if original is not None and not _ours:
        setattr(Job, NAME, _but_for_ours(original))
    _ours.add(folder)


def _but_for_ours(original: Callable[[Any], AsyncIterator[Any]]) -> Callable[[Any], AsyncIterator[Any]]:
    async def outputs_older_than_script_or_notebook(job: Any) -> AsyncIterator[Any]:
        if str(job.rule.basedir) not in _ours:
            async for path in original(job):
                yield path

    return outputs_older_than_script_or_notebook
