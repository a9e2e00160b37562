"""One file with all results and what they come from, but for the videos."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from fsar.errors import UserError
from fsar.files import atomic, sha256_of
from fsar.results.packages import installed_packages

# The earliest time a zip can hold: the same files give the same bytes.
TIME = (1980, 1, 1, 0, 0, 0)

README = """# Results

- `results/index.html`: one page to begin with, with links to the rest
- `results/table.csv`, `results/tables/`, `results/statistics/`, `results/figures/` (each with its data)
- `results/records.json`: the table's rows with all they come from by checksum (docs/records.md)
- `results/predictions/`: what every query of every test episode was taken for; all accuracies follow from these
- `data/*/episodes/`: the stored episodes; `data/*/manifest.parquet`: the videos with class and split
- `results/models/`: card, settings and metrics of every trained model
- `results/config.yaml`: the config with every default; `environment.txt`: the installed packages
- `checksums.sha256`: of every file

Accuracies, in Python: `t = pandas.read_parquet("results/predictions/….parquet")`, then
`(t.label == t.predicted).groupby([t.method, t.way, t.shot]).mean()`
"""


def write_archive(files: Iterable[Path], path: Path) -> None:
    """Write the archive.

    Args:
        files: below the working directory; their paths in the archive are the same.
        path: zip file to write.

    Raises:
        UserError: a file lies elsewhere.
    """
    here = Path.cwd()
    chosen = {}
    for file in sorted(set(files)):
        absolute = file.absolute()
        if here not in absolute.parents:
            raise UserError(f"{file} is outside the working directory, so it cannot be in the archive")
        chosen[str(absolute.relative_to(here))] = absolute
    packages = [f"{name}=={version}" for name, version in installed_packages()]
    checksums = "".join(f"{sha256_of(file)}  {name}\n" for name, file in chosen.items())
    texts = {"README.md": README, "environment.txt": "\n".join(packages) + "\n", "checksums.sha256": checksums}
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), text, zipfile.ZIP_DEFLATED)
        for name, file in chosen.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), file.read_bytes(), zipfile.ZIP_DEFLATED)
