# Where the package is: what follows, and each script, imports it from there.

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import LocalSourceFile

# Scripts import the package from this checkout, in whichever environment they run, and nothing from the user's home. Where
# the rules are those of an installed package, or Snakemake takes them from a repository (`github(…)`, `gitfile(…)`), there
# is no checkout: the installed package is it.
RULES = workflow.current_basedir
LOCAL = isinstance(RULES, LocalSourceFile)
if LOCAL and Path(RULES).with_name("fsar").is_dir():
    ROOT = Path(RULES).parent
    sys.path.insert(0, str(ROOT))
elif installed := find_spec("fsar"):
    ROOT = Path(installed.origin).parents[1]
else:
    raise WorkflowError(
        f"The rules in {RULES} call the package fsar, which is not installed: install it beside Snakemake, from the "
        "same repository and version (pip install 'fsar[workflow] @ git+https://…@…'), or name a checkout's Snakefile"
    )
os.environ |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.getenv("PYTHONPATH")]))}
os.environ |= {"PYTHONNOUSERSITE": "1"}
