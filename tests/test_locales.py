"""Terminals and logs in a locale of ASCII alone: nothing that is printed or logged ends a run or is lost."""

import os
import subprocess
import sys

import pytest

TEXT = "85.0 ± 0.4 % … 動画 فتح 🚪"
ESCAPED = TEXT.encode("ascii", "backslashreplace").decode()
LOCALES = {
    "C": {"LC_ALL": "C"},
    "ascii": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    "utf-8": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"},
}


@pytest.fixture(params=LOCALES)
def run(request, repository, tmp_path):
    """Run a program in a folder of its own, in one of the locales, and return what it printed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    forced = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(repository)}

    def started(*command, ok=True):
        ended = subprocess.run(command, cwd=tmp_path, env=plain | forced | LOCALES[request.param], capture_output=True)
        printed = (ended.stdout + ended.stderr).decode()
        assert (ended.returncode == 0) is ok and "Logging error" not in printed and "UnicodeEncode" not in printed, (
            printed
        )
        return printed

    started.shown = TEXT if request.param == "utf-8" else ESCAPED
    return started


def python(*lines):
    return sys.executable, "-c", "\n".join([f"TEXT = {TEXT!a}", "import logging, sys", *lines])


@pytest.mark.parametrize("ending", ["", "raise UserError(TEXT)", "raise ValueError(TEXT)"])
def test_a_job(run, tmp_path, ending):
    code = ["from fsar.errors import UserError", "from fsar.job import logged"]
    code += ["with logged('job.log'):", "    print(TEXT)", "    logging.getLogger('fsar').warning('%s', TEXT)"]
    code += ["    logging.getLogger('fsar').info('only in the file: %s', TEXT)", f"    {ending}"]
    printed = run(*python(*code), ok=not ending)
    assert printed.count(run.shown) >= (3 if ending else 2)
    log = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert f"only in the file: {TEXT}" in log and f"WARNING {TEXT}" in log


def test_names_of_any_bytes(run, tmp_path):
    code = ["from fsar.job import logged", "with logged('job.log'):"]
    code += [r"    print('a\udcff.mp4')", r"    logging.getLogger('fsar').warning('a\udcff.mp4')"]
    assert run(*python(*code)).count(r"a\udcff.mp4") == 2
    assert r"a\udcff.mp4" in (tmp_path / "job.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", ["", "raise UserError(TEXT)"])
def test_the_command(run, ending):
    code = ["from fsar.errors import UserError", "from fsar.cli import draw, main"]
    code += [
        "def own(_):",
        "    print(TEXT)",
        "    logging.getLogger('fsar').warning('%s', TEXT)",
        f"    {ending}",
        "    return 0",
    ]
    code += ["draw.run = own", "sys.exit(main.main(['draw', 'a', 'b', 'c']))"]
    assert run(*python(*code), ok=not ending).count(run.shown) == (3 if ending else 2)


def test_what_is_generated_is_the_same_in_every_locale(run, repository):
    printed = run(sys.executable, "-m", "tools.generate", "docs")
    assert "λ of the softmin" in printed and printed == (repository / "docs/config.md").read_text(encoding="utf-8")


RULES = """
from snakemake.logging import logger
from fsar.locales import take_any_text
take_any_text(logger)
logger.warning("reading " + TEXT)
rule all:
    output: "done"
    shell: "touch done"
onstart:
    take_any_text(logger)
    logger.info("starting " + TEXT)
onsuccess:
    logger.info("done " + TEXT)
"""


def test_the_workflow(run, tmp_path, repository):
    (tmp_path / "Snakefile").write_text(f"TEXT = {TEXT!a}\n{RULES}")
    printed = run(sys.executable, "-m", "snakemake", "--cores", "1", "--workflow-profile", "none")
    for stage in ("reading", "starting", "done"):
        assert f"{stage} {run.shown}" in printed
    (log,) = (tmp_path / ".snakemake/log").glob("*.log")
    assert f"starting {TEXT}" in log.read_text(encoding="utf-8") and f"done {TEXT}" in log.read_text(encoding="utf-8")
    for rules in ("common", "terminal"):
        assert (repository / f"rules/{rules}.smk").read_text().count("take_any_text(logger)") == 1
