"""How every benchmark reads its arguments: its docstring is its help."""

import argparse


def reader(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments of `python -m perf.…`.

    Args:
        module: name of the benchmark's file, without its ending.
        about: its docstring.
    """
    return argparse.ArgumentParser(
        f"python -m perf.{module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
