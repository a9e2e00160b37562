"""Another program that writes pictures to its standard output, with a time limit."""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import numpy as np

from fsar.videos.frame import Planes, too_slow


class Program:
    """A running program; see `running`."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path, timeout: float):
        assert process.stdout is not None
        self._process, self._output, self._said = process, process.stdout, said
        self._timeout, self._deadline = timeout, time.monotonic() + timeout

    def pictures(self, size: int) -> Iterator[Planes]:
        """Yield the pictures (see `Frame`) that the program writes until it ends.

        Raises:
            VideoError: it takes too long.
        """
        half = -(-size // 2)
        sides = (size, half, half)
        wanted = sum(side**2 for side in sides)
        position = 0
        while True:
            data = self._output.read(wanted)
            if time.monotonic() >= self._deadline:
                raise too_slow(self._timeout, position)
            if len(data) < wanted:
                return
            planes = np.split(np.frombuffer(data, np.uint8), np.cumsum([side**2 for side in sides])[:-1])
            yield [plane.reshape(side, side) for plane, side in zip(planes, sides, strict=True)]
            position += 1

    def said(self) -> Iterator[str]:
        """Yield the lines that it has written to its standard error so far."""
        with self._said.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                yield line.rstrip()

    def ended(self) -> int:
        """Wait for its end and return its exit status, negative if a signal ended it."""
        return self._process.wait()


@contextmanager
def running(command: Sequence[str], timeout: float, variables: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run a program. It is killed after `timeout` seconds, and at the end of the block at the latest.

    Args:
        command: the program and its arguments, without a shell.
        timeout: in seconds.
        variables: its environment, if not that of this process.
    """
    with tempfile.NamedTemporaryFile(prefix="decoder-") as said:  # a file, since an unread pipe would fill up
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, env=variables
        )
        program = Program(process, Path(said.name), timeout)
        timer = Timer(timeout, process.kill)
        timer.start()  # after the program's own limit, so that a killed program is known to be too slow
        try:
            with process:
                try:
                    yield program
                finally:
                    process.kill()
        finally:
            timer.cancel()
