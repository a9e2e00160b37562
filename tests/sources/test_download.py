"""Downloads over a server that does everything wrong."""

import hashlib
import json
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from fsar.errors import NotWritableError, UserError
from fsar.sources.archives.rar_or_zip import check_archive
from fsar.sources.download import Patience, fetch
from fsar.sources.inventory import write_inventory
from fsar.sources.kinetics import archive_urls, fetch_part
from fsar.sources.places import Place
from fsar.sources.split_lists import Entry
from fsar.videos.verify import verify
from tests.helpers.archives import Served, make_rar, make_tar, make_zip, self_signed, serving

CONTENT = bytes(range(256)) * 4000  # about a megabyte
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(retries=3, pause=0.01, timeout=5)
DEAD = "http://127.0.0.1:9/"  # where nobody listens


def fetched(served, tmp_path, name="file.bin", **known):
    with serving({name: served}) as url:
        fetch([Place(url + name, **known)], tmp_path / name, QUICK)
    return (tmp_path / name).read_bytes()


def test_whole_checked_and_recorded(tmp_path):
    assert fetched(Served(CONTENT), tmp_path, sha256=SHA256) == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.bin", "file.bin.record.json"]
    record = json.loads((tmp_path / "file.bin.record.json").read_text())
    assert (record["bytes"], record["sha256"]) == (len(CONTENT), SHA256)


def test_a_dropped_connection_goes_on_where_it_broke_off(tmp_path):
    served = Served(CONTENT, drops=[300_000, 200_000])
    assert fetched(served, tmp_path, sha256=SHA256) == CONTENT
    assert served.requests[0] == "" and [int(r[6:-1]) for r in served.requests[1:]] == sorted(
        int(r[6:-1]) for r in served.requests[1:]
    )
    assert int(served.requests[-1][6:-1]) >= 262_144


def test_a_later_run_goes_on_too(tmp_path):
    served = Served(CONTENT, drops=[300_000, 0, 0, 0, 0])
    with serving({"file.bin": served}) as url:
        with pytest.raises(UserError, match=r"attempts in a row brought nothing; what is there is kept"):
            fetch([Place(url + "file.bin")], tmp_path / "file.bin", QUICK)
        assert not (tmp_path / "file.bin").exists()
        served.drops.clear()
        fetch([Place(url + "file.bin")], tmp_path / "file.bin", QUICK)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT and served.requests[-1] != ""


@pytest.mark.parametrize("changes", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"1"'}])
def test_without_ranges_or_a_version_it_starts_anew(tmp_path, changes):
    served = Served(CONTENT, drops=[300_000], **changes)
    assert fetched(served, tmp_path, sha256=SHA256) == CONTENT


def test_a_file_that_changed_in_between_is_not_glued(tmp_path):
    served = Served(CONTENT[::-1], drops=[300_000, 0, 0, 0])
    with serving({"file.bin": served}) as url:
        with pytest.raises(UserError):
            fetch([Place(url + "file.bin")], tmp_path / "file.bin", QUICK)
        served.content, served.etag, served.drops = CONTENT, '"2"', []
        fetch([Place(url + "file.bin")], tmp_path / "file.bin", QUICK)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_busy_servers_are_asked_again(tmp_path):
    served = Served(CONTENT, statuses=[429, 500])
    assert fetched(served, tmp_path) == CONTENT and len(served.requests) == 3


def test_a_server_that_stays_broken_ends_it(tmp_path):
    with pytest.raises(UserError, match=r"could not be downloaded: status 503 .*3 attempts.*mirror"):
        fetched(Served(CONTENT, statuses=[503] * 9), tmp_path)


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_final(tmp_path, status):
    served = Served(CONTENT, statuses=[status] * 9)
    with pytest.raises(UserError, match=f"refused by its server: {status}.*mirror"):
        fetched(served, tmp_path)
    assert len(served.requests) == 1


def test_wrong_content_is_not_kept(tmp_path):
    with pytest.raises(UserError, match=f"gave a file with the sha256 .*, but it must be {SHA256}"):
        fetched(Served(b"another file"), tmp_path, sha256=SHA256)
    with pytest.raises(UserError, match=r"gave something that is not a RAR or zip archive \(it begins with b'<html>"):
        fetched(Served(b"<html>Please log in</html>"), tmp_path, "archive")
    assert list(tmp_path.glob("*.part")) == [] and not (tmp_path / "file.bin").exists()


def test_what_came_first_is_the_measure(tmp_path):
    fetched(Served(CONTENT), tmp_path)
    (tmp_path / "file.bin").unlink()
    with pytest.raises(UserError, match=r"another file than .* the first time"):
        fetched(Served(CONTENT[:-1]), tmp_path)
    assert fetched(Served(CONTENT), tmp_path) == CONTENT


def test_what_cannot_be_used_is_no_measure_and_the_next_place_is_tried(tmp_path, caplog):
    """A damaged archive with the right beginning, a truncated one, one of other files; then one that is good."""
    path, good = tmp_path / "archive", make_rar([("a.avi", b"a" * 5000)])
    bad = {
        "flipped/v.rar": good[:3000] + b"X" + good[3001:],
        "short/v.rar": good[:3000],
        "other/v.rar": make_rar([("notes.txt", b"none")]),
        "zip/v.zip": make_zip([("a.avi", bytes(range(256)) * 20)])[:-30],
    }
    served = {name: Served(content) for name, content in bad.items()}
    with serving(served | {"good/v.rar": Served(good)}) as url:
        places = [Place(url + name) for name in bad]
        with pytest.raises(UserError, match="any of its 4 places"):
            fetch(places, path, QUICK, check_archive)
        assert list(tmp_path.iterdir()) == []
        fetch([*places, Place(url + "good/v.rar")], path, QUICK, check_archive)
        assert path.read_bytes() == good and caplog.text.count("gave a file that cannot be used") == 3 + 4
        path.unlink()
        # What was recorded of a file that nobody looked into does not count against one that is whole.
        record = record_of(path) | {"sha256": "0" * 64, "checked": False}
        (tmp_path / "archive.record.json").write_text(json.dumps(record))
        fetch([Place(url + "good/v.rar")], path, QUICK, check_archive)
        (tmp_path / "archive.record.json").write_text("{damaged")
        fetch([Place(url + "good/v.rar")], path, QUICK, check_archive)
        assert record_of(path)["checked"]
        # Against one that was whole, too, another whole one counts as another file.
        served["short/v.rar"].content = make_rar([("a.avi", b"b" * 5000)])
        with pytest.raises(UserError, match="gave another file than"):
            fetch([places[1]], path, QUICK, check_archive)


def test_a_damaged_archive_of_kinetics_is_passed_over_and_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = [Entry("abcdefghijk.mp4", "train", 0)]
    good = make_tar([("train/abcdefghijk.mp4", bytes(range(256)) * 50)])
    names = {"cut": good[: len(good) // 2], "other": make_tar([("notes.txt", b"1")]), "page": b"<html>"}
    served = {f"{name}/train/part_0.tar.gz": Served(content) for name, content in names.items()}
    with serving(served) as url:
        folders = [Place(url + name) for name in names]
        listed = [f"{url}page/train/part_0.tar.gz"]
        with pytest.raises(UserError, match="any of its 3 places") as told:
            fetch_part(listed, entries, Path("kinetics"), Path("part0.parquet"), folders, QUICK)
        assert "holds no video" in str(told.value) and "Traceback" not in str(told.value)
        served["cut/train/part_0.tar.gz"].content = good  # the source is mended, its version with it
        served["cut/train/part_0.tar.gz"].etag = '"2"'
        fetch_part(listed, entries, Path("kinetics"), Path("part0.parquet"), folders[::-1], QUICK)
    assert Path("kinetics/videos/abcdefghijk.mp4").read_bytes() == bytes(range(256)) * 50
    assert list(pd.read_parquet("part0.parquet")["file"]) == ["abcdefghijk.mp4"]
    assert not list(Path("kinetics/archives").glob("*.gz"))


def test_what_verify_advises_works(tmp_path):
    """A download that was damaged since, a record that was; deleted as it says, both are fetched again."""
    folder, rar = tmp_path / "sources/hmdb51", make_rar([("a.avi", b"a" * 5000)])
    with serving({"v.rar": Served(rar)}) as url:
        places = [Place(url + "v.rar")]
        fetch(places, folder / "archive", QUICK, check_archive)
        verify(tmp_path, {})
        (folder / "archive").write_bytes(rar[:-9] + b"X" + rar[-8:])
        with pytest.raises(UserError, match="archive is not what was downloaded; delete it, and it is fetched again"):
            verify(tmp_path, {})
        (folder / "archive").unlink()
        fetch(places, folder / "archive", QUICK, check_archive)
        verify(tmp_path, {})
        (folder / "archive.record.json").write_text("[]")
        with pytest.raises(UserError, match=r"archive\.record\.json cannot be read; delete it and .*archive, and"):
            verify(tmp_path, {})
        for path in (folder / "archive", folder / "archive.record.json"):
            path.unlink()
        fetch(places, folder / "archive", QUICK, check_archive)
        verify(tmp_path, {})


def test_verify_says_of_a_users_folder_that_nothing_fetches_it(tmp_path):
    video = tmp_path / "mine.mp4"
    video.write_bytes(b"1")
    for name, advice in (("folder", "put it back, or delete"), ("unpacked", "and it is unpacked or fetched again")):
        inventory = tmp_path / f"sources/hmdb51/{name}.parquet"
        inventory.parent.mkdir(parents=True, exist_ok=True)
        video.write_bytes(b"1")
        write_inventory([video], inventory)
        video.unlink()
        with pytest.raises(UserError, match=rf"mine\.mp4 is gone; .*{advice}"):
            verify(tmp_path, {})
        inventory.unlink()


def test_a_list_of_archives_that_is_none(tmp_path):
    for content in (b"\xff\xfe", b"<html>", b""):
        (tmp_path / "train.txt").write_bytes(content)
        with pytest.raises(UserError, match=r"train\.txt"):
            archive_urls([tmp_path / "train.txt"])


def test_a_full_disk_while_unpacking_is_no_fault_of_a_place(tmp_path, monkeypatch):
    def full(*_):
        raise NotWritableError("no space")

    served = [Served(CONTENT), Served(CONTENT)]
    with serving({"a": served[0], "b": served[1]}) as url, pytest.raises(NotWritableError):
        fetch([Place(url + "a"), Place(url + "b")], tmp_path / "file.bin", QUICK, full)
    assert served[1].requests == [] and len(list(tmp_path.glob("*.part"))) == 1


def test_rate_limit(tmp_path):
    started = time.monotonic()
    with serving({"file.bin": Served(CONTENT)}) as url:
        fetch([Place(url + "file.bin")], tmp_path / "file.bin", Patience(rate_limit=2e6))
    assert time.monotonic() - started >= 0.9 * len(CONTENT) / 2e6


def test_nobody_there(tmp_path):
    with pytest.raises(UserError, match="could not be downloaded"):
        fetch([Place(DEAD)], tmp_path / "file", QUICK)
    with pytest.raises(UserError, match="is not a URL"):
        fetch([Place("no url")], tmp_path / "file", QUICK)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("certificate"))


def record_of(path):
    return json.loads(path.with_name(path.name + ".record.json").read_text())


@pytest.mark.parametrize(
    ("first", "known", "reason"),
    [
        (None, {}, "refused by its server: 404"),
        (Served(CONTENT, statuses=[503] * 9), {}, "status 503 Service Unavailable. 3 attempts"),
        (Served(CONTENT[::-1]), {"sha256": SHA256}, "gave a file with the sha256"),
        (Served(CONTENT), {"bytes": 5}, f"offers {len(CONTENT)} bytes, but it must have 5"),
        (
            Served(CONTENT, drops=[9, 0, 0, 0]),
            {},
            "Connection broken: IncompleteRead(0 bytes read, 1024000 more expected). 3 attempts",
        ),
    ],
)
def test_the_next_place_is_tried(tmp_path, caplog, first, known, reason):
    path = tmp_path / "file.bin"
    files = {"good/file.bin": Served(CONTENT), **({} if first is None else {"bad/file.bin": first})}
    with serving(files) as url:
        good = Place(url + "good/file.bin", len(CONTENT), SHA256)
        fetch([Place(url + "bad/file.bin", **known), good, Place(DEAD)], path, QUICK)
    assert path.read_bytes() == CONTENT and record_of(path)["url"] == good.url
    assert reason in caplog.text and f"the next place is {good.url}" in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.bin", "file.bin.record.json"]


def test_a_dead_and_a_hanging_place_are_passed_over(tmp_path, caplog):
    held, path = threading.Event(), tmp_path / "file.bin"
    with serving({"hangs": Served(CONTENT, held=held), "good": Served(CONTENT)}) as url:
        places = [Place(DEAD), Place(url + "hangs"), Place(url + "good")]
        fetch(places, path, Patience(retries=1, timeout=1.0))
        held.set()
    assert path.read_bytes() == CONTENT and record_of(path)["url"].endswith("good")
    assert "Connection refused. 1 attempts" in caplog.text and "no answer in time. 1 attempts" in caplog.text


def test_a_certificate_is_never_ignored(tmp_path, certificate, monkeypatch):
    path, served = tmp_path / "file.bin", {"file.bin": Served(CONTENT)}
    with serving(served, certificate) as secure, serving({"other.bin": Served(CONTENT)}) as url:
        with pytest.raises(UserError, match=r"has no valid certificate \(self-signed certificate\).*mirror"):
            fetch([Place(secure + "file.bin")], path, QUICK)
        assert served["file.bin"].requests == []  # and nobody asks again
        fetch([Place(secure + "file.bin"), Place(url + "other.bin", sha256=SHA256)], path, QUICK)
        assert record_of(path)["url"] == url + "other.bin"
        # To whom trusts who signed it, it is a place as any other.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        fetch([Place(secure + "file.bin"), Place(url + "other.bin", sha256=SHA256)], path, QUICK)
        assert record_of(path)["url"] == secure + "file.bin"
        served["file.bin"].leads_to = url + "other.bin"
        with pytest.raises(UserError, match=r"leads from https to http://.*anybody could have changed"):
            fetch([Place(secure + "file.bin")], path, QUICK)


def test_the_places_of_a_file_that_none_gives_are_listed(tmp_path):
    with serving({}) as url, pytest.raises(UserError) as told:
        fetch([Place(url + "a.rar"), Place(DEAD + "b.rar")], tmp_path / "archive", QUICK)
    assert "archive cannot be fetched from any of its 2 places. A mirror, or a folder" in str(told.value)
    assert f"  - {url}a.rar is refused by its server: 404" in str(told.value) and f"{DEAD}b.rar could" in str(
        told.value
    )


def test_what_one_place_gave_is_kept_while_another_is_tried(tmp_path):
    first, second = Served(CONTENT, drops=[600_000, 0, 0, 0]), Served(CONTENT, drops=[300_000, 0, 0, 0])
    with serving({"first": first, "second": second}) as url:
        places = [Place(url + "first"), Place(url + "second")]
        with pytest.raises(UserError, match="any of its 2 places"):
            fetch(places, tmp_path / "file.bin", QUICK)
        first.drops.clear()
        fetch(places, tmp_path / "file.bin", QUICK)
    assert int(first.requests[-1][6:-1]) > 300_000 and len(second.requests) == 4
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.bin", "file.bin.record.json"]


def test_another_file_may_differ_and_the_same_may_not(tmp_path):
    """Without checksums, UCF101's zip and RAR differ; the same RAR from another host must not."""
    rar, path = make_rar([("a.avi", b"a")]), tmp_path / "archive"
    served = {"a/v.rar": Served(rar), "b/v.rar": Served(rar[:-1]), "v.zip": Served(make_zip([("a.avi", b"a")]))}
    with serving(served) as url:
        fetch([Place(url + "a/v.rar")], path, QUICK)
        with pytest.raises(UserError, match=r"b/v\.rar gave another file than .*a/v\.rar the first time"):
            fetch([Place(url + "b/v.rar")], path, QUICK)
        fetch([Place(url + "b/v.rar"), Place(url + "v.zip")], path, QUICK)
    assert record_of(path)["url"].endswith("v.zip") and path.read_bytes().startswith(b"PK")


def test_a_full_disk_is_not_the_fault_of_a_place(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fsar.sources.download._copy", full)
    served = [Served(CONTENT), Served(CONTENT)]
    with (
        serving({"a": served[0], "b": served[1]}) as url,
        pytest.raises(UserError, match=r"cannot be written: .*No space"),
    ):
        fetch([Place(url + "a"), Place(url + "b")], tmp_path / "file.bin", QUICK)
    assert [len(file.requests) for file in served] == [1, 0]
