"""The scripts of a run's jobs, each forked from a process that has imported already what scripts import.

A job of Snakemake starts Python for its script, which imports PyTorch and the package: seconds each time. Here it
starts this file instead, with a socket and its script; it sends where it stands through the socket, to a process that
imports what the script names, forks, and runs it as Python would.
"""

import array
import json
import os
import socket
import sys

INHERITED = (0, 1, 2)  # the standard streams
LONGEST = 1_000_000  # bytes of a request: arguments and environment


def ask(name: str, script: str) -> int:
    """Have a script run by who listens under a name, with the streams, the folder and the variables of this process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        connection.connect(f"\0{name}")
        here = os.getcwd()  # noqa: PTH109, a start without pathlib is a shorter one
        request = json.dumps({"script": script, "folder": here, "variables": dict(os.environ)}).encode()
        streams = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", INHERITED))
        connection.sendmsg([request], [streams])
        return int(connection.recv(16) or 1)  # nothing comes from one that was killed


def serve(listening: socket.socket, ends: int) -> None:
    """Run the scripts that are asked for at a socket, until the file `ends` is closed by who holds it."""
    import select

    running = set()
    while True:
        ready, _, _ = select.select([listening, ends], [], [])
        for child in list(running):
            if os.waitpid(child, os.WNOHANG)[0]:
                running.remove(child)
        if ends in ready:
            break
        connection, _ = listening.accept()
        request, streams, _, _ = socket.recv_fds(connection, LONGEST, len(INHERITED))
        asked = json.loads(request)
        import_as(asked["script"])
        if (child := os.fork()) == 0:
            listening.close()
            os.close(ends)
            for stream, number in zip(streams, INHERITED, strict=True):
                os.dup2(stream, number)
            run(asked, connection)
        running.add(child)
        connection.close()
        for stream in streams:
            os.close(stream)
    for child in running:
        os.waitpid(child, 0)


def import_as(script: str) -> None:
    """Import the modules that a script imports, wherever it does; what fails, fails again in the script."""
    import ast
    from contextlib import suppress
    from importlib import import_module
    from pathlib import Path

    for node in ast.walk(ast.parse(Path(script).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("fsar"):
            with suppress(Exception):
                import_module(node.module)


def run(asked: dict, connection: socket.socket) -> None:
    """Run a script in this process as Python does, send its status, and end."""
    import atexit
    import runpy
    import traceback

    status = 1
    try:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["variables"])
        limit_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        sys.argv = [asked["script"]]
        runpy.run_path(asked["script"], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        connection.send(str(status).encode())
        os._exit(status)


def limit_threads(count: int) -> None:
    """Have the libraries that are imported use a number of threads: they read the variable when they are imported."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


if __name__ == "__main__":
    sys.exit(ask(*sys.argv[1:]))
