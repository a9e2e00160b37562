"""Videos that a run makes itself: what is recorded of the jobs that read them is what they were afterwards."""

import json
import pickle

import yaml

from fsar.config import load
from fsar.plan.videos import Known, PresentVideos
from tests.helpers.workflow import write_listing


def test_a_known_value_is_recorded_as_it_is_then():
    found = ["planned"]
    value = Known(lambda: found[0])
    found[0] = "made by then"
    assert value == "planned" and json.dumps(value) == '"planned"'  # what a cache goes by, which asks when the job runs
    assert repr(value) == "'made by then'"  # what Snakemake records
    given = pickle.loads(pickle.dumps(value))  # what a script is given
    assert type(given) is str and given == "planned"


def test_the_next_plan_finds_what_was_recorded(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base, tiny = (yaml.safe_load((repository / name).read_text()) for name in ("config.yaml", "configs/tiny.yaml"))
    config = load(base | tiny | {"backbones": base["backbones"]})
    shards = range(config.videos("tiny").frames.shards)
    planned = [PresentVideos(config).of_shard("tiny", shard) for shard in shards]
    assert planned == [""] * len(shards)
    folder = tmp_path / "data/tiny/videos"
    folder.mkdir(parents=True)
    for part in range(2):
        names = [f"{part}-{number}.mp4" for number in range(20)]
        for name in names:
            (folder / name).write_text(name)
        write_listing(folder / f"part{part}.csv", [(name, "a class", "train") for name in names])
    recorded = [repr(value) for value in planned]
    assert recorded == [repr(PresentVideos(config).of_shard("tiny", shard)) for shard in shards]
    assert len(set(recorded)) == len(shards) and "''" not in recorded
