"""How every benchmark begins: its docstring is its help, and it keeps freed memory, as jobs do."""

import argparse
import sys
from pathlib import Path

from fsar.freed_memory import keep_freed_memory


def reader(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments of `python -m perf.…`.

    The benchmark's own process keeps the memory that it frees, and none that asks for its help alone.

    Args:
        module: name of the benchmark's file, without its ending.
        about: its docstring.
    """
    if Path(sys.argv[0]).stem == module:
        keep_freed_memory()
    return argparse.ArgumentParser(
        f"python -m perf.{module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
