"""Encoders of video through the workflow, from rendered clips to the table and to labels."""

import json

import pandas as pd
import pytest
import yaml

from fsar.methods import METHODS
from tests.helpers.workflow import TABLE, copy_project, nothing_to_do, snakemake

METHODS_RUN = ["clip-freeze", "linear-probe", "otam", "clip-fsar", "clip-fsar-zero-shot", "strm", "tamt", "safsar"]
SMALL = {"strm": {"tuple_width": 16, "grid": 2}, "safsar": {"feed_forward": 32}, "clip_fsar": {"feed_forward": 64}}
VALUES = {
    "run": {"benchmarks": ["tiny"], "methods": METHODS_RUN, "ways": [3], "shots": [1, 2]},
    "benchmarks": {"tiny": {"heads": SMALL}},
    "small_videos": {"small-videomae": {"clips": 32, "epochs": 1}, "small-xclip": {"model": "small-xclip", "clips": 0}},
    "backbones": {
        name: {"library": "transformers", "model": name, "weights": f"data/small_video/{name}.safetensors"}
        for name in ("small-videomae", "small-xclip")
    },
}


@pytest.mark.slow
def test_encoders_of_video_go_through_the_workflow(repository, tmp_path):
    pytest.importorskip("transformers", reason="encoders of video need the extra `video`")
    folder = copy_project(repository, tmp_path / "project")
    values = VALUES | {"run": VALUES["run"] | {"backbones": list(VALUES["backbones"])}}
    (folder / "video.yaml").write_text(yaml.safe_dump(values))
    arguments = ["--configfile", "configs/tiny.yaml", "video.yaml"]
    snakemake(folder, *arguments)
    table = pd.read_csv(folder / TABLE)
    texts, video = {"clip-fsar", "clip-fsar-zero-shot", "safsar"}, {"tamt"}
    for backbone, without in (("small-videomae", texts), ("small-xclip", video)):
        expected = {METHODS[name].title for name in METHODS_RUN if name not in without}
        assert set(table.loc[table["backbone"] == backbone, "method"]) == expected
    assert nothing_to_do(folder, *arguments)
    records = json.loads((folder / "results/records.json").read_text())["records"]
    assert {record["backbone"]["library"] for record in records} == {"transformers"}
