"""Downloads over a server that does everything wrong."""

import hashlib
import json
import time

import pytest

from fsar.errors import UserError
from fsar.sources.download import Patience, download
from tests.archives import Served, serving

CONTENT = bytes(range(256)) * 4000  # about a megabyte
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(retries=3, pause=0.01, timeout=5)


def fetch(served, tmp_path, name="file.bin", **options):
    with serving({name: served}) as url:
        download(url + name, tmp_path / name, patience=QUICK, **options)
    return (tmp_path / name).read_bytes()


def test_whole_checked_and_recorded(tmp_path):
    assert fetch(Served(CONTENT), tmp_path, sha256=SHA256) == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.bin", "file.bin.record.json"]
    record = json.loads((tmp_path / "file.bin.record.json").read_text())
    assert (record["bytes"], record["sha256"]) == (len(CONTENT), SHA256)


def test_a_dropped_connection_goes_on_where_it_broke_off(tmp_path):
    served = Served(CONTENT, drops=[300_000, 200_000])
    assert fetch(served, tmp_path, sha256=SHA256) == CONTENT
    assert served.requests[0] == "" and [int(r[6:-1]) for r in served.requests[1:]] == sorted(
        int(r[6:-1]) for r in served.requests[1:]
    )
    assert int(served.requests[-1][6:-1]) >= 262_144


def test_a_later_run_goes_on_too(tmp_path):
    served = Served(CONTENT, drops=[300_000, 0, 0, 0, 0])
    with pytest.raises(UserError, match=r"attempts in a row brought nothing; what is there is kept"):
        fetch(served, tmp_path)
    assert not (tmp_path / "file.bin").exists()
    with serving({"file.bin": served}) as url:
        # as if from the same address: the part belongs to one URL
        about = json.loads((tmp_path / "file.bin.part.json").read_text())
        (tmp_path / "file.bin.part.json").write_text(json.dumps(about | {"url": url + "file.bin"}))
        served.drops.clear()
        download(url + "file.bin", tmp_path / "file.bin", patience=QUICK)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT and served.requests[-1] != ""


@pytest.mark.parametrize("changes", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"1"'}])
def test_without_ranges_or_a_version_it_starts_anew(tmp_path, changes):
    served = Served(CONTENT, drops=[300_000], **changes)
    assert fetch(served, tmp_path, sha256=SHA256) == CONTENT


def test_a_file_that_changed_in_between_is_not_glued(tmp_path):
    served = Served(CONTENT[::-1], drops=[300_000, 0, 0, 0])
    with serving({"file.bin": served}) as url:
        with pytest.raises(UserError):
            download(url + "file.bin", tmp_path / "file.bin", patience=QUICK)
        served.content, served.etag, served.drops = CONTENT, '"2"', []
        download(url + "file.bin", tmp_path / "file.bin", patience=QUICK)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_busy_servers_are_asked_again(tmp_path):
    served = Served(CONTENT, statuses=[429, 500])
    assert fetch(served, tmp_path) == CONTENT and len(served.requests) == 3


def test_a_server_that_stays_broken_ends_it(tmp_path):
    with pytest.raises(UserError, match=r"could not be downloaded: status 503 .*3 attempts.*mirror"):
        fetch(Served(CONTENT, statuses=[503] * 9), tmp_path)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_final(tmp_path, status):
    served = Served(CONTENT, statuses=[status] * 9)
    with pytest.raises(UserError, match=f"refused by its server: {status}.*mirror"):
        fetch(served, tmp_path)
    assert len(served.requests) == 1


def test_wrong_content_is_not_kept(tmp_path):
    with pytest.raises(UserError, match=f"gave a file with the sha256 .*, but it must be {SHA256}"):
        fetch(Served(b"another file"), tmp_path, sha256=SHA256)
    with pytest.raises(UserError, match=r"gave something that is not a \.rar file \(it begins with b'<html>"):
        fetch(Served(b"<html>Please log in</html>"), tmp_path, "archive.rar")
    assert list(tmp_path.glob("*.part")) == [] and not (tmp_path / "file.bin").exists()


def test_what_came_first_is_the_measure(tmp_path):
    fetch(Served(CONTENT), tmp_path)
    (tmp_path / "file.bin").unlink()
    with pytest.raises(UserError, match="another file than the first time"):
        fetch(Served(CONTENT[:-1]), tmp_path)
    assert fetch(Served(CONTENT), tmp_path) == CONTENT


def test_rate_limit(tmp_path):
    started = time.monotonic()
    with serving({"file.bin": Served(CONTENT)}) as url:
        download(url + "file.bin", tmp_path / "file.bin", patience=Patience(rate_limit=2e6))
    assert time.monotonic() - started >= 0.9 * len(CONTENT) / 2e6


def test_nobody_there(tmp_path):
    with pytest.raises(UserError, match="could not be downloaded"):
        download("http://127.0.0.1:9/file", tmp_path / "file", patience=QUICK)
    with pytest.raises(UserError, match="is not a URL"):
        download("no url", tmp_path / "file", patience=QUICK)
