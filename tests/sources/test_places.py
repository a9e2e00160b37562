"""Where files are looked for, and what each place answers before anything is downloaded."""

import threading

import pandas as pd
import pytest

from fsar.benchmarks.data_sets import DATA_SETS
from fsar.config import SourcesConfig
from fsar.errors import UserError
from fsar.sources.answers import answers, answers_of_archives, ask, check_answers, show
from fsar.sources.places import PLACES, Place, known_places, places_of
from tests.helpers.archives import Served, self_signed, serving
from tests.sources.test_download import CONTENT, DEAD, QUICK, SHA256, fetched


def test_public_places_are_listed_in_order():
    table = pd.read_csv(PLACES, dtype=str, keep_default_na=False)
    fetched_ones = {name for name, data_set in DATA_SETS.items() if data_set.comes not in ("by hand", "folder")}
    assert set(table["of"]) == {"split_lists", *fetched_ones}
    assert table["url"].str.fullmatch(r"https?://\S+").all() and table["sha256"].str.fullmatch(r"([0-9a-f]{64})?").all()
    zipped, *rars = known_places("ucf101")
    assert zipped.file == "UCF101_videos.zip" and zipped.bytes == 6_960_400_115 and zipped.sha256.startswith("dabf56f5")
    assert [place.file for place in rars] == ["UCF101.rar"]
    assert [place.url.split(":")[0] for place in known_places("hmdb51")] == ["https", "http"]


def test_mirrors_come_first():
    mirrors = ["http://mine/v.rar", {"url": "http://other/v.zip", "bytes": 7, "sha256": SHA256}]
    sources = SourcesConfig.model_validate({"ucf101": {"mirrors": mirrors}, "kinetics": {"mirrors": ["http://mine/k"]}})
    own = [Place("http://mine/v.rar"), Place("http://other/v.zip", 7, SHA256)]
    assert places_of(sources, "ucf101") == [*own, *known_places("ucf101")]
    lists = places_of(sources, "kinetics", "train/k400_train_path.txt")
    assert [place.url for place in lists] == [
        "http://mine/k/train/k400_train_path.txt",
        "https://s3.amazonaws.com/kinetics/400/train/k400_train_path.txt",
    ]
    (pinned,) = places_of(sources, "split_lists", "a/b.txt", SHA256)
    assert pinned.url.endswith("/a/b.txt") and pinned.sha256 == SHA256


@pytest.mark.parametrize(
    ("served", "known", "size", "problem"),
    [
        (Served(CONTENT), {}, len(CONTENT), ""),
        (Served(CONTENT, head=False), {}, len(CONTENT), ""),
        (Served(CONTENT, head=False, ranges=False), {}, len(CONTENT), ""),
        (Served(CONTENT), {"bytes": 5}, len(CONTENT), "must have 5 bytes"),
        (Served(b"<html>", kind="text/html; charset=utf-8"), {}, None, "answers with a web page"),
        (Served(CONTENT, statuses=[503] * 2), {}, None, "is refused by its server: 503 Service Unavailable"),
        (None, {}, None, "is refused by its server: 404 Not Found"),
    ],
)
def test_places_are_asked_for_sizes(served, known, size, problem):
    with serving({} if served is None else {"file": served}) as url:
        answer = ask(Place(url + "file", **known), 5)
    assert (answer.bytes, answer.problem) == (size, problem)


def test_places_that_cannot_be_asked(tmp_path):
    held = threading.Event()
    with serving({"file": Served(CONTENT, held=held)}) as url:
        assert ask(Place(url + "file"), 0.2).problem == "no answer in time"
        held.set()
    assert "Connection refused" in ask(Place(DEAD), 5).problem
    with serving({}, self_signed(tmp_path)) as secure:
        invalid = ask(Place(secure + "file"), 5).problem
    assert invalid == "has no valid certificate (self-signed certificate), so nothing is taken from it"


def test_which_place_would_be_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fetched(Served(CONTENT), tmp_path, "there")
    with serving({"good": Served(CONTENT), "other": Served(CONTENT)}) as url:
        places = [Place(url + "gone"), Place(url + "good"), Place(url + "other")]
        table = answers({"archive": places, "there": [Place(DEAD)], "lost": [Place(url + "lost")]}, 5)
    assert list(table["used"]) == ["", "yes", "", "", ""] and list(table["place"][:2]) == [p.url for p in places[:2]]
    assert table["bytes"].fillna(0).tolist() == [0, len(CONTENT), len(CONTENT), len(CONTENT), 0]
    show(table)
    assert "1,024,000" in capsys.readouterr().out
    with pytest.raises(UserError, match="No place gives lost: the table above"):
        check_answers(table)
    check_answers(table.query("file != 'lost'"))
    show(answers({}, 5))
    assert "This run fetches no file" in capsys.readouterr().out


def test_each_listed_archive_is_asked_for(tmp_path):
    """One mirror has all archives but one, another is down; the list says where the rest is."""
    files = {f"{folder}/train/part_{i}.tar.gz": Served(b"12345") for folder in ("mine", "listed") for i in range(3)}
    del files["mine/train/part_2.tar.gz"]
    with serving(files) as url:
        names = [f"{url}listed/train/part_{i}.tar.gz" for i in range(3)]
        files["mine/train/list.txt"] = Served("\n".join(names).encode())
        lists = {str(tmp_path / "train.txt"): [Place(url + "mine/train/list.txt")]}
        folders = [Place(DEAD + "k400/"), Place(url + "mine/")]
        table = answers_of_archives(lists, folders, QUICK)
        check_answers(table)
        assert table["place"].tolist() == [DEAD + "k400", url + "mine", url + "listed"]
        assert table["used"].tolist() == ["", "yes", "yes"] and table["bytes"].tolist() == [0, 10, 15]
        assert table["answer"].str.startswith(("3 of 3 are not there", "1 of 3 are not there: is", "answers")).all()
        del files["listed/train/part_2.tar.gz"]
        with pytest.raises(UserError, match="No place gives all 3 archives"):
            check_answers(answers_of_archives(lists, folders, QUICK))
    assert not list(tmp_path.iterdir())
