"""Memory that a process has freed stays its own: it is not given back to the system, to be taken anew at the next step.

The C library of Linux gives back every large piece at once. The next tensor of that size then costs a page fault for
each 4 kB, and the system fills the page with zeros. A training step makes and frees the same sizes each time.
"""

import ctypes
import sys

# Of mallopt(3), in malloc.h of the GNU C library.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Use freed memory again in this process, and in those that it forks; where the C library has no such choice, not.

    The most memory that a process holds at a time stays about the same. Values do not change.
    """
    if not sys.platform.startswith("linux"):
        return
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(M_MMAP_MAX, 0)  # no piece is mapped for itself
        choose(M_TRIM_THRESHOLD, -1)  # what lies free at the end of the heap stays, too
