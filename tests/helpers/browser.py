"""A page as a browser shows it: what a script finds there after it has clicked and typed."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]


def chromium() -> str:
    """Return the browser, or skip the test where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium to open the page with (Debian: apt-get install chromium)")
    return program


def visit(page: Path, script: str, folder: Path, width: int = 1400) -> Any:
    """Return what the body of a function in JavaScript returns on a page, which must log no error.

    Args:
        page: HTML file.
        script: the body.
        folder: for the browser's own files, and the page with the script.
        width: that the page has, in pixels.
    """
    probe, frame = page.with_name("probe.html"), page.with_name("frame.html")
    call = f"parent.postMessage(JSON.stringify((() => {{{script}}})()), '*')"
    probe.write_text(page.read_text().replace("</body>", f"<script>{call}</script></body>"))
    # A window is never narrower than 500 pixels, a frame is.
    listen = "onmessage = (event) => { document.body.dataset.found = event.data }"
    shown = f'<iframe src="probe.html" width="{width}" height="900" style="border:0"></iframe>'
    frame.write_text(f"<!doctype html><body><script>{listen}</script>{shown}</body>")
    flags = [*FLAGS, "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900"]
    run = subprocess.run([chromium(), *flags, "--dump-dom", f"file://{frame}"], capture_output=True, timeout=120)
    probe.unlink()
    frame.unlink()
    assert [line for line in run.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line] == []
    found = re.search(r'data-found="(.*?)"', run.stdout.decode())
    assert found, run.stderr.decode(errors="replace")[-2000:]
    return json.loads(unescape(found[1]))
