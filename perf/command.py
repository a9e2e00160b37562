"""How every benchmark begins: its docstring is its help, and it keeps freed memory, as jobs do."""

import argparse

from fsar.freed_memory import keep_freed_memory


def reader(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments of `python -m perf.…`; keep the memory that this process frees.

    Args:
        module: name of the benchmark's file, without its ending.
        about: its docstring.
    """
    keep_freed_memory()
    return argparse.ArgumentParser(
        f"python -m perf.{module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
