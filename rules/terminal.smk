# What the terminal says of a run: how long it takes, what came out and where, and what is missing when it fails. Nothing of
# it stops a run. A workflow that imports this one has its own (Snakemake takes none of a module's).

from fsar.plan.costs import costs_of_tests
from fsar.plan.time_left import PlannedJob, Teller, TimeLeft, beside_the_run
from fsar.results.partial_table import partial_table, remove_partial_table


def planned_job(job):
    """A job of Snakemake as its time is told by: what it took lies in benchmarks/, under the name of its log."""
    log = Path(job.log[0]) if job.log else None
    measured = Path("benchmarks", *log.parts[1:]).with_suffix(".tsv") if log else None
    needs = frozenset(other.jobid for other in workflow.dag.dependencies[job])
    return PlannedJob(job.rule.name, job.threads, measured, needs)


onstart:
    take_any_text(logger)  # the log's file is opened after the rules are read
    if IN_FRONT:
        with beside_the_run(logger):
            for told in costs_of_tests(PLAN):
                logger.info(told)
            jobs = {job.jobid: planned_job(job) for job in workflow.dag.needrun_jobs()}
            teller = Teller(TimeLeft(jobs, workflow.resource_settings.cores), logger)
            teller.tell("of this run")
            logger.addHandler(teller)


def unmade_files():
    """The outputs of jobs that should have run and did not."""
    return {str(path) for job in workflow.dag.needrun_jobs() for path in job.output}


def asked_for(path):
    """Tell whether a file is among those of this run, whether or not it had to be made."""
    return any(path in map(str, job.output) for job in workflow.dag.jobs)


onsuccess:
    if IN_FRONT and asked_for("results/table.csv"):
        remove_partial_table(Path(paths.PARTIAL_TABLE))
    if IN_FRONT and asked_for("results/index.html"):
        from fsar.results.headline import on_the_terminal  # takes a second to import

        table = rules.write_tables.output.csv
        with beside_the_run(logger):
            logger.info(on_the_terminal(Path(table), Path("results/index.html")))


onerror:
    if IN_FRONT:
        names = Path("results/table.csv"), Path(paths.PARTIAL_TABLE)
        if told := partial_table(ROWS, unmade_files(), *names):
            logger.error(told)
