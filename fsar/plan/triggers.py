"""Where what Snakemake goes by is not what decides a result here."""

from collections.abc import AsyncIterator
from typing import Any

from snakemake.jobs import Job

_forget = Job.reset_params_and_resources


def set_triggers() -> None:
    """Let a job run again for what decides its result, on a cluster too (written for Snakemake 9.27).

    A parameter may follow from files that the run itself makes, as the fingerprint of a shard's videos does. Before a
    job runs, Snakemake forgets what the job was given when the run was planned, but not what will be recorded; that is
    found anew only where the job runs beside Snakemake. The next run would take every shard for changed.

    A script that is newer than what its rule has made counts as changed for Snakemake, even if a comment was written or
    a branch was checked out. Here the statements of a script count, by the parameter `code` of its rule, and what was
    downloaded stays, whatever became of the script.
    """

    def forget_both(job: Any) -> None:
        _forget(job)
        job._non_derived_params = None

    async def none(job: Any) -> AsyncIterator[str]:
        nothing: tuple[str, ...] = ()
        for path in nothing:
            yield path

    Job.reset_params_and_resources = forget_both
    Job.outputs_older_than_script_or_notebook = none
