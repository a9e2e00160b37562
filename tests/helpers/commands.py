"""The commands that documents name."""

import re
import shlex
import shutil
from pathlib import Path


def commands(repository: Path) -> dict[tuple[str, ...], list[str]]:
    """Return each command of documents and of the comments of configs, as words, with the files that name it."""
    found: dict[tuple[str, ...], list[str]] = {}
    for path in [repository / "README.md", repository / "CONTRIBUTING.md", *sorted(repository.glob("docs/*.md"))]:
        for line in of_markdown(path.read_text()):
            found.setdefault(words(line), []).append(path.name)
    comments = [*repository.glob("*.yaml"), *repository.glob("configs/*.yaml"), *repository.glob("profiles/*/*.yaml")]
    for path in sorted(comments):
        for line in re.findall(r"^#.*?\b(snakemake -[^()\n]*)", path.read_text(), re.MULTILINE):
            found.setdefault(words(line), []).append(str(path.relative_to(repository)))
    return found


def of_markdown(text: str) -> list[str]:
    """Return the lines of bash blocks, and inline code of several words of which the first is a program."""
    found, plain = [], []
    for number, part in enumerate(re.split(r"^```(.*)$", text, flags=re.MULTILINE)):
        kind = number % 4  # text, what opens a block, its lines, what closes it
        if kind == 0:
            plain.append(part)
        elif kind == 1:
            language = part
        elif kind == 2 and language == "bash":
            found += [line for line in part.replace("\\\n", " ").splitlines() if words(line)]
    for code in re.findall(r"`([^`]+)`", "".join(plain)):
        line = " ".join(code.split())
        first = next((word for word in line.split() if "=" not in word), "")
        if " " in line and (first in ("snakemake", "python", "conda", "sbatch", "fsar") or shutil.which(first)):
            found.append(line)
    return found


def words(line: str) -> tuple[str, ...]:
    """Split a line of a shell, without its comment."""
    return tuple(shlex.split(line, comments=True))
