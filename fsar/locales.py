"""Terminals and logs that take any text in any locale: names of classes are in every script, and numbers have a ±."""

import io
import logging
import sys
from typing import Any


def take_any_text(*loggers: logging.Logger) -> None:
    """Let this process print and log what its locale cannot write.

    On a terminal that lacks a character it becomes an escape, such as \\xb1; files of logs are UTF-8.

    Args:
        loggers: others than the root whose handlers are to be looked at, such as Snakemake's.
    """
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, None)
    for handler in {each for logger in (logging.getLogger(), *loggers) for each in logger.handlers}:
        if isinstance(handler, logging.StreamHandler):
            _reconfigure(handler.stream, "utf-8" if isinstance(handler, logging.FileHandler) else None)


def _reconfigure(stream: Any, encoding: str | None) -> None:
    if isinstance(stream, io.TextIOWrapper):  # and none of other programs, such as a notebook's
        stream.reconfigure(encoding=encoding, errors="backslashreplace")
