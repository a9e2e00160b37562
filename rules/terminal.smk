# What the terminal says of a run: how long it takes, what came out and where, and what is missing when it fails. Nothing of
# it stops a run. A workflow that imports this one has its own (Snakemake takes none of a module's).

from fsar.plan.costs import costs_of_tests
from fsar.plan.time_left import PlannedJob, Teller, TimeLeft, beside_the_run
from fsar.results.partial_table import partial_table, remove_partial_table


def planned_job(job):
    """A job of Snakemake as its time is told by: its measured time lies beside its log."""
    measured = Path(job.log[0]).with_suffix(".tsv") if job.log else None
    needs = frozenset(other.jobid for other in workflow.dag.dependencies[job])
    return PlannedJob(job.rule.name, job.threads, measured, needs)


onstart:
    take_any_text(logger)  # the log's file is opened after the rules are read
    if workflow.is_main_process:
        with beside_the_run(logger):
            for told in costs_of_tests(PLAN):
                logger.info(told)
            jobs = {job.jobid: planned_job(job) for job in workflow.dag.needrun_jobs()}
            teller = Teller(TimeLeft(jobs, workflow.resource_settings.cores), logger)
            teller.tell("of this run")
            logger.addHandler(teller)


def asked_for(path):
    """Tell whether a file is among those of this run, whether or not it had to be made."""
    return any(path in map(str, job.output) for job in workflow.dag.jobs)


onsuccess:
    if workflow.is_main_process and asked_for(f"{paths.TABLE}.csv"):
        remove_partial_table(Path(paths.PARTIAL_TABLE))
    if workflow.is_main_process and asked_for(paths.INDEX_PAGE):
        from fsar.results.headline import on_the_terminal  # takes a second to import

        table, comparisons = (
            rules.write_tables.output.csv,
            rules.write_statistics.output.comparisons,
        )
        with beside_the_run(logger):
            logger.info(on_the_terminal(Path(table), Path(comparisons), Path(paths.INDEX_PAGE)))


onerror:
    if workflow.is_main_process:
        names = Path(f"{paths.TABLE}.csv"), Path(paths.PARTIAL_TABLE)
        if told := partial_table(PLAN.settings, unmade_files(), *names):
            logger.error(told)
