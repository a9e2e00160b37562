"""Between workflows: a shared cache, and the workflow as a module of another one."""

import shutil

import pandas as pd
import yaml

from tests.workflow import TINY, copy_project, snakemake


def test_two_checkouts_share_frames_and_features(repository, tmp_path):
    """The second run takes them from the cache: same bytes, nothing decoded or encoded."""
    features = "results/features/tiny/small-clip/frozen/untrained/test.safetensors"
    cache = tmp_path / "cache"
    cache.mkdir()
    found = {}
    for name in ("one", "two"):
        folder = copy_project(repository, tmp_path / name)
        output = snakemake(folder, features, "--cache", *TINY, SNAKEMAKE_OUTPUT_CACHE=str(cache))
        paths = [features, *(f"data/tiny/frames/shard-00{i}.arrow" for i in range(2))]
        logs = [path.read_text() for path in folder.glob("logs/decode_frames/*.log")]
        found[name] = [(folder / path).read_bytes() for path in paths], sum("videos stored" in log for log in logs)
        assert ("Moving output file data/tiny/frames/shard-000.arrow to cache" in output) is (name == "one")
    assert found["one"][0] == found["two"][0] and (found["one"][1], found["two"][1]) == (2, 0)


MODULE = """
module fewshot:
    snakefile: "{project}/Snakefile"
    config: config

use rule * from fewshot as fewshot_*

rule mine:
    default_target: True
    input: "results/table.csv"
    output: "best.txt"
    shell: "head -2 {{input}} > {{output}}"
"""


def test_the_workflow_is_a_module_of_another(repository, tmp_path):
    project = copy_project(repository, tmp_path / "project")
    other = tmp_path / "other"
    other.mkdir()
    (other / "Snakefile").write_text("configfile: 'mine.yaml'\n" + MODULE.format(project=project))
    shutil.copytree(project / "profiles", other / "profiles")
    base, tiny = (yaml.safe_load((project / name).read_text()) for name in ("config.yaml", "configs/tiny.yaml"))
    values = base | {"run": base["run"] | tiny["run"] | {"methods": ["clip-freeze"], "shots": [1]}}
    values |= {"small_clips": tiny["small_clips"], "benchmarks": base["benchmarks"] | tiny["benchmarks"]}
    (other / "mine.yaml").write_text(yaml.safe_dump(values))
    snakemake(other)
    assert (other / "best.txt").read_text().splitlines()[1].startswith("tiny,small-clip,CLIP-Freeze")
    assert list(pd.read_csv(other / "results/table.csv")["method"]) == ["CLIP-Freeze"]
    assert not (project / "results").exists()
    assert "Nothing to be done" in snakemake(other)
