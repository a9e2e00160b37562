"""Archives of every kind, the hostile ones too."""

import gzip
import io
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path
from struct import pack

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsar.errors import NotWritableError, UserError
from fsar.sources.archives import members as of_archives
from fsar.sources.archives import rars, tars
from fsar.sources.archives.members import Member
from fsar.sources.archives.rar_or_zip import check_archive, extract, members_of
from fsar.sources.archives.rars import extract_rar, rar_members
from fsar.sources.archives.tars import Joined, extract_tar
from fsar.sources.archives.zips import extract_zip, zip_members
from fsar.sources.split_lists import Entry
from fsar.sources.unpack import unpack
from tests.helpers.archives import FOLDER, LINK, make_rar, make_tar, make_zip

NAMES = ["plain.avi", "it's (50%) & so [HD]!.avi", "größe 動画.avi", "@list.avi", "-o.avi", "star*.avi"]


def everything_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize(("make", "folder"), [(make_rar, "videos"), (make_zip, "videos/")])
def test_names_of_every_kind(tmp_path, make, folder):
    members = [(f"videos/{name}", name.encode() * 100) for name in NAMES]
    (tmp_path / "archive").write_bytes(make([(folder, b""), *members], modes={folder: FOLDER}))
    found = members_of(tmp_path / "archive")
    assert [(m.name, m.size) for m in found] == [(name, len(content)) for name, content in members]
    wanted = {name: tmp_path / "out" / str(number) for number, (name, _) in enumerate(members) if number != 2}
    extract(tmp_path / "archive", wanted, found)
    assert {name: path.read_bytes() for name, path in wanted.items()} == {n: c for n, c in members if n in wanted}
    assert everything_below(tmp_path / "out") == ["0", "1", "3", "4", "5"]


@pytest.mark.parametrize("make", [make_rar, make_zip])
def test_hostile_names_and_links(tmp_path, make):
    hostile = [
        ("../../escaped.avi", b"1"),
        ("/tmp/absolute.avi", b"2"),
        ("link.avi", b"/etc/passwd"),
        ("v/ok.avi", b"ok"),
    ]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "archive"
    path.write_bytes(make(hostile, modes={"link.avi": LINK}))
    members = members_of(path)
    assert "link.avi" not in [m.name for m in members]
    # whatever they are called there, they go where the caller says
    wanted = {m.name: tmp_path / "in" / "out" / f"{number}.avi" for number, m in enumerate(members)}
    extract(path, wanted, members)
    assert all(name.startswith("in/") for name in everything_below(tmp_path))
    assert b"ok" in [p.read_bytes() for p in wanted.values()]


def test_damaged_rar(tmp_path):
    whole = make_rar([("a.avi", b"a" * 5000), ("b.avi", b"b" * 5000)])
    for name, content in (("short.rar", whole[:7000]), ("flipped.rar", whole[:3000] + b"X" + whole[3001:])):
        (tmp_path / name).write_bytes(content)
        members = rar_members(tmp_path / name) if name == "flipped.rar" else None
        with pytest.raises(UserError, match=r"damaged|cannot be read as an archive|ends .* bytes early|has no file"):
            members = members or rar_members(tmp_path / name)
            wanted = {n: tmp_path / "out" / n for n in ("a.avi", "b.avi")}
            extract_rar(tmp_path / name, wanted, members)
        assert not list(tmp_path.glob("out/*.part"))
    (tmp_path / "text.rar").write_text("nothing of the kind")
    with pytest.raises(UserError, match="cannot be read as an archive"):
        rar_members(tmp_path / "text.rar")


def test_damaged_zip(tmp_path):
    random = bytes((i * i * 31 + i // 7) % 251 for i in range(5000))
    whole = make_zip([("a.avi", random), ("b.avi", random[::-1])])
    flipped = whole[:300] + bytes([whole[300] ^ 255]) + whole[301:]
    for content in (whole[:-30], whole[: len(whole) // 2], flipped, b"PK\x03\x04 and nothing else"):
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(UserError, match=r"a\.zip cannot be (unpacked|read as an archive)"):
            extract_zip(
                tmp_path / "a.zip",
                {n: tmp_path / "out" / n for n in ("a.avi", "b.avi")},
                members_of(tmp_path / "a.zip"),
            )
        assert not list(tmp_path.rglob("*.part"))


def test_a_zip_that_claims_what_it_has_not(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip([("secret.avi", b"1"), ("plain.avi", b"2")], encrypted=["secret.avi"]))
    assert [member.name for member in zip_members(path)] == ["plain.avi"]
    with pytest.raises(UserError, match=r"has no file 'secret\.avi'"):
        extract_zip(path, {"secret.avi": tmp_path / "secret.avi"}, zip_members(path))
    monkeypatch.setattr(of_archives, "MAX_RATIO_FROM", 1000)
    path.write_bytes(make_zip([("zeros.avi", bytes(1 << 20))]))
    with pytest.raises(UserError, match="would unpack to 1048576 bytes, more than 20 times its size; refused"):
        extract_zip(path, {"zeros.avi": tmp_path / "zeros.avi"}, zip_members(path))
    monkeypatch.setattr(of_archives, "MAX_VIDEO", 1000)
    with pytest.raises(UserError, match="claims 1048576 bytes, more than any video; refused"):
        extract_zip(path, {"zeros.avi": tmp_path / "zeros.avi"}, zip_members(path))
    assert everything_below(tmp_path) == ["a.zip"]


ENTRIES = [
    Entry(f"videos/{folder}/v_{name}_g01_c0{i}.avi", "train", 0)
    for folder, name in (("YoYo", "YoYo"), ("HandstandPushups", "HandStandPushups"))
    for i in range(2)
]
VIDEOS = {f"{entry.folder}/{entry.file}": entry.file.encode() for entry in ENTRIES}
FLAT = [(f"UCF101/{entry.file.replace('dStand', 'dstand')}", entry.file.encode()) for entry in ENTRIES]


@pytest.mark.parametrize(
    "content",
    [
        make_rar([(f"UCF-101/{name}", content) for name, content in VIDEOS.items()]),
        make_zip([(f"UCF-101/{name}", content) for name, content in VIDEOS.items()]),
        make_zip([*FLAT, ("UCF101/v_Other_g01_c01.avi", b"unlisted"), ("__MACOSX/UCF101/._v_YoYo_g01_c00.avi", b"no")]),
        make_zip([("in/YoYo.zip", make_zip(FLAT[:2])), ("in/HandstandPushups.rar", make_rar(FLAT[2:]))]),
    ],
    ids=["RAR", "zip", "one folder for all", "archives in a zip"],
)
def test_whatever_the_folders_the_inventory_is_the_same(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    Path("archive").write_bytes(content)
    unpack(Path("archive"), ENTRIES, Path("videos"), Path("unpacked.parquet"))
    found = pd.read_parquet("unpacked.parquet")
    assert {f"{r.folder}/{r.file}": Path(r.path).read_bytes() for r in found.itertuples()} == VIDEOS
    assert list(found["path"]) == sorted(f"videos/{name}" for name in VIDEOS)
    assert everything_below(tmp_path) == sorted(["archive", "unpacked.parquet", *found["path"]])


def test_archives_in_archives_in_an_archive_are_not_looked_for(tmp_path):
    inner = make_zip([("b.zip", make_zip(FLAT))])
    (tmp_path / "archive").write_bytes(make_zip([("a.zip", inner)]))
    with pytest.raises(UserError, match="holds none of the 4 videos"):
        unpack(tmp_path / "archive", ENTRIES, tmp_path / "videos", tmp_path / "unpacked.parquet")


TALKER = f"""#!{sys.executable}
import signal, sys
signal.alarm(30)  # what waits to be read for ever is a failure, not a test that never ends
sys.stderr.write("CRC Failed : one.avi " * 15000)
sys.stderr.flush()
sys.stdout.write("ab")
sys.exit(%d)
"""


def test_a_program_with_much_to_complain_of_goes_on(tmp_path, monkeypatch):
    """300 kB on stderr before the first byte of a video: more than a pipe holds."""
    archive, program = tmp_path / "a.rar", tmp_path / "7zz"
    archive.write_bytes(bytes(100))
    monkeypatch.setattr(rars, "seven_zip", lambda: str(program))
    members, wanted = [Member("one.avi", 1), Member("two.avi", 1)], {n: tmp_path / n for n in ("one.avi", "two.avi")}
    for status in (0, 2):
        program.write_text(TALKER % status)
        program.chmod(0o755)
        if status:
            with pytest.raises(UserError, match=r"a\.rar is damaged: CRC Failed : one\.avi") as told:
                extract_rar(archive, wanted, members)
            assert len(str(told.value)) < 500
        else:
            extract_rar(archive, wanted, members)
            assert [path.read_text() for path in wanted.values()] == ["a", "b"]


def test_claims_of_monstrous_sizes_are_refused(tmp_path, monkeypatch):
    (tmp_path / "a.rar").write_bytes(make_rar([("a.avi", b"a")], claims={"a.avi": 3 << 30}))
    members = rar_members(tmp_path / "a.rar")
    with pytest.raises(UserError, match="claims 3221225472 bytes, more than any video; refused"):
        extract_rar(tmp_path / "a.rar", {"a.avi": tmp_path / "a.avi"}, members)
    monkeypatch.setattr(of_archives, "MAX_RATIO_FROM", 1000)
    (tmp_path / "b.rar").write_bytes(make_rar([("b.avi", b"b")], claims={"b.avi": 10_000}))
    with pytest.raises(UserError, match="would unpack to 10000 bytes, more than 20 times its size; refused"):
        extract_rar(tmp_path / "b.rar", {"b.avi": tmp_path / "b.avi"}, rar_members(tmp_path / "b.rar"))


def untar(content, tmp_path, target=None):
    def beside(name):
        return tmp_path / "out" / name.rsplit("/", 1)[-1] if name.endswith(".mp4") else None

    return list(extract_tar(io.BytesIO(content), len(content), target or beside, "a.tar.gz"))


def test_hostile_tar(tmp_path):
    special = []
    for kind, name in (
        (tarfile.SYMTYPE, "link.mp4"), (tarfile.LNKTYPE, "hard.mp4"), (tarfile.CHRTYPE, "device.mp4"),
        (tarfile.FIFOTYPE, "pipe.mp4"), (tarfile.DIRTYPE, "folder.mp4"),
    ):  # fmt: skip
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        special.append(info)
    members = [("../../escaped.mp4", b"1"), ("/absolute.mp4", b"2"), ("good.mp4", b"3"), ("notes.txt", b"4")]
    untar(make_tar(members, special), tmp_path)
    assert everything_below(tmp_path) == ["out/absolute.mp4", "out/escaped.mp4", "out/good.mp4"]


def test_damaged_tar(tmp_path):
    whole = make_tar([(f"{i}.mp4", bytes(range(256)) * 200) for i in range(20)])
    for content in (whole[:-40], whole[: len(whole) // 2], whole[:200] + b"XXXX" + whole[204:], b"text", b""):
        with pytest.raises(UserError, match=r"a\.tar\.gz"):
            untar(content, tmp_path)
    assert not list(tmp_path.rglob("*.part"))


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_RATIO_FROM", 1 << 20)
    bomb = make_tar([("zeros.bin", bytes(8 << 20)), ("a.mp4", b"1")])
    assert len(bomb) < 20_000
    with pytest.raises(UserError, match="unpacks to more than 20 times its size"):
        untar(bomb, tmp_path)
    monkeypatch.setattr(tars, "MAX_VIDEO", 1000)
    with pytest.raises(UserError, match="refused"):
        untar(make_tar([("a.mp4", bytes(2000))]), tmp_path)


def test_parts_read_as_one_archive(tmp_path):
    whole = make_tar([(f"{i}.mp4", bytes([i]) * 3000) for i in range(9)])
    third = len(whole) // 3
    pieces = [whole[:third], whole[third : 2 * third], whole[2 * third :]]
    plain, zipped = [], []
    for number, piece in enumerate(pieces):
        plain.append(tmp_path / f"part-{number:02d}")
        plain[-1].write_bytes(piece)
        zipped.append(tmp_path / f"part-{number:02d}.zip")
        with zipfile.ZipFile(zipped[-1], "w") as archive:
            archive.writestr(f"folder/part-{number:02d}", piece)
    for parts in (plain, zipped, [plain[0], *zipped[1:]]):
        found = list(extract_tar(Joined(parts), len(whole), lambda name: tmp_path / "out" / name, "parts"))
        assert [path.read_bytes() for _, path in found] == [bytes([i]) * 3000 for i in range(9)]


def test_a_sparse_member_is_no_video(tmp_path):
    """Holes cost nothing in an archive, and gigabytes on a disk."""
    for kind, headers in ((tarfile.GNUTYPE_SPARSE, {}), (tarfile.REGTYPE, {"GNU.sparse.size": "50000000"})):
        info = tarfile.TarInfo("a.mp4")
        info.type, info.pax_headers = kind, headers
        content = make_tar([("b.mp4", b"2")], [info])
        assert [name for name, _ in untar(content, tmp_path)] == ["b.mp4"]


def test_odd_zips_are_told_in_a_sentence(tmp_path):
    path, whole = tmp_path / "a.zip", make_zip([("a.avi", b"a" * 500)])
    place = whole.index(b"PK\x01\x02")

    def changed(offset, value):
        return whole[: place + offset] + value + whole[place + offset + len(value) :]

    odd = {
        "an unknown compression": changed(10, pack("<H", 77)),
        "encrypted": changed(8, pack("<H", 1)),
        "a name that is not UTF-8": changed(8, pack("<H", 0x800)).replace(b"a.avi", b"\xff.avi"),
        "a place outside": changed(42, pack("<I", 1 << 30)),
        "made by a version to come": changed(6, pack("<H", 99)),
        "patched data": changed(8, pack("<H", 0x20)),
        "cut": whole[:-10],
        "only the beginning": whole[:4],
    }
    for what, content in odd.items():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.zip"):
            extract(path, {"a.avi": tmp_path / "out/a.avi"}, members_of(path))
            pytest.fail(what)
        with pytest.raises(UserError, match=r"a\.zip"):
            check_archive(path)
    assert everything_below(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("content", [b"", b"7z\xbc\xaf\x27\x1c and more", b"<html>", b"PK\x05\x06" + bytes(18)])
def test_what_is_neither_rar_nor_zip(tmp_path, content):
    """What 7-Zip could read beside RAR is not asked for."""
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(UserError, match="it is neither RAR nor zip"):
        members_of(tmp_path / "archive")


def test_a_failed_rar_leaves_nothing_behind(tmp_path, monkeypatch):
    path, members = tmp_path / "a.rar", [("a.avi", b"a" * 5000)]
    path.write_bytes(make_rar(members).replace(b"a" * 100, b"b" * 100, 1))
    found = rar_members(path)
    with pytest.raises(UserError, match=r"a\.rar is damaged"):
        extract_rar(path, {"a.avi": tmp_path / "out/a.avi"}, found)
    with pytest.raises(UserError, match=r"a\.rar cannot be read"):
        check_archive(path)
    monkeypatch.setattr(rars, "seven_zip", lambda: str(tmp_path / "no program"))
    with pytest.raises(UserError, match=r"a\.rar cannot be read"):
        extract_rar(path, {"a.avi": tmp_path / "out/a.avi"}, found)
    assert everything_below(tmp_path) == ["a.rar"]


@pytest.mark.parametrize("make", [make_rar, make_zip])
def test_names_that_stand_twice(tmp_path, make):
    with warnings.catch_warnings(action="ignore"):
        (tmp_path / "archive").write_bytes(make([("a.avi", b"1"), ("b.avi", b"2"), ("a.avi", b"33")]))
    members = members_of(tmp_path / "archive")
    wanted = {name: tmp_path / "out" / name for name in ("a.avi", "b.avi")}
    extract(tmp_path / "archive", wanted, members)
    assert [path.read_bytes() for path in wanted.values()] == [b"33", b"2"]


def test_names_of_a_tar_that_are_not_utf8(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("größe/b.mp4"))
    assert [path.name for _, path in untar(buffer.getvalue(), tmp_path)] == ["b.mp4"]


def test_a_full_disk_is_not_called_a_damaged_archive(tmp_path):
    (tmp_path / "out").write_text("in the way")
    (tmp_path / "a.zip").write_bytes(make_zip([("a.avi", b"1")]))
    with pytest.raises(NotWritableError, match=r"out/a\.avi cannot be written"):
        extract_zip(tmp_path / "a.zip", {"a.avi": tmp_path / "out/a.avi"}, zip_members(tmp_path / "a.zip"))
    with pytest.raises(NotWritableError, match=r"out/a\.mp4 cannot be written"):
        untar(make_tar([("a.mp4", b"1")]), tmp_path)


def test_a_part_that_is_no_zip(tmp_path):
    part = tmp_path / "20bn-something-something-v2-00.zip"
    for content in (b"PK\x03\x04 and no more", b"", make_zip([("part", b"no tar")]), make_zip([("p", b"x" * 99)])[:60]):
        part.write_bytes(content)
        with pytest.raises(UserError, match="the parts"):
            list(extract_tar(Joined([part]), 1000, lambda name: tmp_path / name, "the parts"))
    with pytest.raises(UserError, match="the parts"):
        list(extract_tar(Joined([tmp_path / "gone"]), 1000, lambda name: tmp_path / name, "the parts"))


CONTENTS = [("v/a.avi", bytes(range(256)) * 8), ("v/b.avi", b"b" * 900), ("c.avi", b"")]
WHOLE = {"rar": make_rar(CONTENTS), "zip": make_zip(CONTENTS), "tar": make_tar(CONTENTS), "plain tar": b""}
WHOLE["plain tar"] = gzip.decompress(WHOLE["tar"])


@st.composite
def damaged(draw):
    """An archive with bytes changed, cut out, written twice or put in."""
    kind = draw(st.sampled_from(sorted(WHOLE)))
    content = bytearray(WHOLE[kind])
    for _ in range(draw(st.integers(1, 6))):
        place, size = draw(st.integers(0, len(content))), draw(st.sampled_from([1, 1, 2, 4, 30, 600]))
        piece = draw(st.sampled_from([bytes(size), b"\xff" * size, bytes(content[place : place + size]), b""]))
        content[place : place + draw(st.sampled_from([0, size]))] = piece
    return kind, bytes(content)


@given(archive=damaged())
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_damaged_it_is_whole_or_a_sentence(tmp_path_factory, archive):
    kind, content = archive
    folder = tmp_path_factory.mktemp("damaged")
    path, out = folder / "archive", folder / "out"
    path.write_bytes(content)
    try:
        if "tar" in kind:
            found = dict(untar(content, folder, lambda name: out / str(abs(hash(name)))))
        else:
            found = {member.name: out / str(number) for number, member in enumerate(members_of(path))}
            extract(path, found, members_of(path))
    except UserError as error:
        assert str(error)
    else:
        assert all(file.is_file() for file in found.values())
    assert {name.split("/")[0] for name in everything_below(folder)} <= {"archive", "out"}
    assert not list(folder.rglob("*.part"))
