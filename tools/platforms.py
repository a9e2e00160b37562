"""On which platforms requirements.txt can be installed, asked of the index that pip takes: `python -m tools.platforms`.

It needs uv and an index. Nothing is installed or built but the metadata of what comes as source.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# By what Python calls them, as uv names them: glibc 2.28 is that of Debian 10 and RHEL 8; the packages' wheels ask for
# macOS 14.
PLATFORMS = {
    ("linux", "x86_64"): "x86_64-manylinux_2_28",
    ("linux", "aarch64"): "aarch64-manylinux_2_28",
    ("darwin", "arm64"): "aarch64-apple-darwin",
}
MACOS = "14.0"


class Resolved(NamedTuple):
    """What one platform gets: how many packages, and which of them as source, for want of a wheel."""

    packages: int
    from_source: tuple[str, ...]


def resolved(platform: str, python: str, requirements: Path = REPOSITORY / "requirements.txt") -> Resolved:
    """Resolve the pinned list for one platform.

    Raises:
        RuntimeError: it cannot be installed there; with uv's words.
    """
    from_source: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        while True:
            output = Path(folder, "resolved.txt")
            command = [
                "uv", "pip", "compile", "--no-config", "--quiet", "--no-header", "--no-annotate", "--python-platform",
                platform, "--python-version", python, "--only-binary", ":all:", "--output-file", str(output),
                *(word for package in from_source for word in ("--no-binary", package)), str(requirements),
            ]  # fmt: skip
            run = subprocess.run(
                command, env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS}, capture_output=True, text=True
            )
            if run.returncode == 0:
                return Resolved(len(re.findall(r"^\S+==", output.read_text(), re.MULTILINE)), tuple(from_source))
            missing = re.search(r"Wheels are required for `([^`]+)`", run.stderr)
            if missing is None or missing[1] in from_source:
                raise RuntimeError(f"{platform}, Python {python}: {run.stderr}")
            from_source.append(missing[1])


def main() -> None:
    print("| system | machine | Python | packages | from source |\n|---|---|---|---|---|")
    for (system, machine), platform in PLATFORMS.items():
        for python in PYTHONS:
            packages, from_source = resolved(platform, python)
            print(f"| {system} | {machine} | {python} | {packages} | {', '.join(from_source)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
