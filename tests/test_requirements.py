"""requirements.txt holds for every platform: what is asked for, with what that needs, pinned with checksums."""

import re
import shutil
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.platforms import PLATFORMS, PYTHONS, resolved

CHOICES = [(system, machine, python) for system, machine in PLATFORMS for python in PYTHONS]


def environment(system, machine, python):
    """What markers are evaluated in."""
    names = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix")}[system]
    return {
        "sys_platform": system,
        "platform_system": names[0],
        "os_name": names[1],
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
    }


@pytest.fixture(scope="module")
def pinned(repository):
    """The entries of the list, as pip reads them."""
    text = (repository / "requirements.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(re.search(r" \\\n    --hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    found = [Requirement(entry.partition(" \\\n")[0]) for entry in entries]
    assert len({canonicalize_name(one.name) for one in found}) == len(found)  # one version for all platforms
    return found


def asked_for(repository):
    """What pyproject.toml asks for: the package's own and the extra `dev`, with the extras that it names."""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras, pending = project["optional-dependencies"], [*project["dependencies"], "fsar[dev]"]
    while pending:
        requirement = Requirement(pending.pop())
        if requirement.name == "fsar":
            pending += [line for extra in requirement.extras for line in extras[extra]]
        else:
            yield requirement


@pytest.mark.parametrize("platform", CHOICES, ids=" ".join)
def test_every_platform_gets_all_that_it_needs(repository, pinned, platform):
    """As far as the packages are installed here: what they ask for is known of these alone."""
    where = environment(*platform)

    def holds(requirement, extra=""):
        return requirement.marker is None or requirement.marker.evaluate({**where, "extra": extra})

    there = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in pinned if holds(one)}
    assert len(there) > 100
    pending, seen = [one for one in asked_for(repository) if holds(one)], set()
    assert any(one.name == "decord" for one in pending) is (platform[1] == "x86_64")
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        assert name in there and requirement.specifier.contains(there[name], prereleases=True), str(requirement)
        if (name, *requirement.extras) in seen or not is_installed(name, there[name]):
            continue
        seen.add((name, *requirement.extras))
        own = [Requirement(line) for line in metadata.requires(name) or ()]
        pending += [one for one in own if any(holds(one, extra) for extra in ("", *requirement.extras))]
    assert len(seen) > 50


def is_installed(name, version):
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def test_the_pythons_are_those_that_are_supported(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={PYTHONS[0]}"
    named = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert tuple(named) == PYTHONS


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="there is no uv on this machine")
@pytest.mark.parametrize("platform", CHOICES, ids=" ".join)
def test_the_index_has_a_file_for_every_platform(platform):
    try:
        found = resolved(PLATFORMS[platform[:2]], platform[2])
    except RuntimeError as error:
        if re.search("Failed to fetch|Could not connect|offline|dns error|Request failed", str(error)):
            pytest.skip("no index of packages can be reached")
        raise
    # These alone come as source: the first is pure Python, the second needs a C compiler.
    assert set(found.from_source) <= {"connection-pool", *(["immutables"] if platform[2] == "3.14" else [])}
