"""What pyproject.toml cannot say: the wheel carries the workflow, too, which lies beside the package in a checkout."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
WORKFLOW = ["Snakefile", "config.yaml", "configs", "envs", "profiles", "report", "rules", "workflow_scripts"]


class WithWorkflow(build_py):
    """Puts the workflow into the package, as fsar/workflow, where `fsar.workflow_files` looks for it."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # whose workflow is the checkout's
        folder = Path(self.build_lib, "fsar", "workflow")
        for name in WORKFLOW:
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)


setup(cmdclass={"build_py": WithWorkflow})
