"""What Snakemake records of a job, by which the next run sees whether anything has changed."""

from typing import Any

from snakemake.jobs import Job

_forget = Job.reset_params_and_resources


def record_as_run() -> None:
    """Let Snakemake record a job's parameters as they are when it runs, on a cluster too.

    A parameter may follow from files that the run itself makes, as the fingerprint of a shard's videos does. Before a
    job runs, Snakemake (9.27) forgets what the job was given when the run was planned, but not what will be recorded;
    that is found anew only where the job runs beside Snakemake. The next run would take every shard for changed.
    """

    def forget_both(job: Any) -> None:
        _forget(job)
        job._non_derived_params = None

    Job.reset_params_and_resources = forget_both
