"""After a run that failed in part: the table with the rows of what was made."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from fsar.plan.setting import Setting


def write_partial_table(settings: Sequence[Setting], unmade: Collection[str], csv: Path, markdown: Path) -> str | None:
    """Write the table of those settings whose files are there, where its own job could not run.

    Args:
        settings: what was asked for.
        unmade: files that the run should have made and did not.
        csv, markdown: the table's files.

    Returns:
        What to tell the user; None if the table is whole, or nothing of it was made.
    """
    missing = [s for s in settings if not {*s.predictions, s.counts}.isdisjoint(unmade)]
    there = [setting for setting in settings if setting not in missing]
    if str(csv) not in unmade or not there:
        return None
    from fsar.results.table import write_tables  # takes a second to import, and is rarely wanted

    write_tables(there, csv, markdown, missing)
    for path in (csv, markdown):
        # Older than everything, so that the next run never takes it for the whole (0 is no time for Snakemake).
        os.utime(path, (1, 1))
    names = ", ".join(dict.fromkeys(f"{s.benchmark} with {s.backbone}" for s in missing))
    return f"{csv} has the rows of what was made. Missing: rows of {names}. The log above says what failed."
