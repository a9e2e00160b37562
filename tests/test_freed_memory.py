"""Memory that a process has freed is used again."""

import platform
import subprocess
import sys

import pytest

# The faults of taking 64 MB and freeing it, twenty times over: each page of 4 kB is one, unless the memory was kept.
FAULTS = """
import resource, sys, torch
from fsar.freed_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):  # until small pieces have their places
    torch.ones(2**24)
before = faults()
for _ in range(20):
    torch.ones(2**24)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has this choice")
def test_freed_memory_costs_no_page_faults_again():
    given_back, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True).stdout)
        for way in ("given back", "kept")
    )
    assert kept < 2**24 * 4 // 4096  # less than those of a single time
    assert given_back > 5 * kept
