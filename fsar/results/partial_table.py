"""After a run that failed in part: a table of its own with the rows of what was made.

No rule makes it, so that it can never be taken for the whole one, whatever follows: another failure, a stop, or a run
that has nothing left to do.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from fsar.results.setting import Setting
from fsar.seal import beside


def partial_table(settings: Sequence[Setting], unmade: Collection[str], whole: Path, name: Path) -> str | None:
    """Write the table of those settings whose files are there, where its own job could not run; never raises.

    Args:
        settings: what was asked for.
        unmade: files that the run should have made and did not.
        whole: the table that the run was asked for.
        name: of the partial table, without suffix.

    Returns:
        What to tell the user; None if the whole table is there, or nothing of it was made.
    """
    if str(whole) not in unmade:
        return None
    try:
        remove_partial_table(name)
        missing = [s for s in settings if not {*s.predictions, s.counts}.isdisjoint(unmade)]
        made = [setting for setting in settings if setting not in missing]
        if not made:
            return None
        from fsar.results.table import write_tables  # takes a second to import, and is rarely wanted

        write_tables(made, *_files(name), missing)
    except Exception as error:  # the run has failed, and says so: this may not hide why
        return f"The table of what was made cannot be written: {error}"
    names = ", ".join(dict.fromkeys(f"{s.benchmark} with {s.backbone}" for s in missing))
    return f"{name}.csv has the rows of what was made. Missing: rows of {names}. The log above says what failed."


def remove_partial_table(name: Path) -> None:
    """Remove the partial table of an earlier run, if there is one: the whole one is there."""
    csv, markdown = _files(name)
    for path in (csv, markdown, beside(csv)):
        path.unlink(missing_ok=True)


def _files(name: Path) -> tuple[Path, Path]:
    return Path(f"{name}.csv"), Path(f"{name}.md")
