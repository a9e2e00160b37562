"""`fsar.train`: the workflow's own training of a model, on videos of your own, from Python.

It writes a config and has Snakemake run the rules up to this model, so nothing is computed in another way than there.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from fsar.config.overview import left_out
from fsar.errors import UserError
from fsar.methods import METHODS, MODELS, trained_as
from fsar.plan.checks import check_before_jobs
from fsar.plan.own_files import with_own_files
from fsar.plan.plan import Plan, PlannedModel
from fsar.plan.removals import load_with_removals
from fsar.predict.few_shot_classifier import FewShotClassifier
from fsar.workflow_files import workflow_file

# What the videos are called in the config, as in configs/own_videos.yaml, whose settings are taken.
BENCHMARK = "own"
CONFIG, LOG = "train.yaml", "logs/train.log"


def train(
    videos: str | Path,
    method: str = "clip-fsar",
    backbone: str = "ViT-B-16",
    *,
    way: int = 5,
    shot: int = 5,
    seed: int = 1,
    folder: str | Path = "fsar-training",
    device: str = "auto",
    cores: int | None = None,
    training: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> FewShotClassifier:
    """Train a model on videos of your own: the workflow's rules, from the list of videos to the trained weights.

    It takes the settings of configs/own_videos.yaml. A call that was interrupted, or repeated with other arguments,
    goes on from what is there.

    Args:
        videos: a CSV with the columns path (relative to the CSV's folder, or absolute), class and split (train, val,
            test), as of docs/data.md. Validation classes choose the checkpoint; test classes are for the workflow's
            table, which can be made in the same folder.
        method: one of `fsar.methods.METHODS` that trains something and labels single clips.
        backbone: a name of the config's section `backbones`: ViT-B-16, RN50, efficientnet-lite0, …
        way, shot: classes of a training episode, and examples of each.
        seed: of the training.
        folder: of everything that is made. In it, results/models/own/{backbone}/{model}/shot{shot}-seed{seed} is the
            model's own, which `FewShotClassifier` and `fsar predict --model` take.
        device: auto, cpu or cuda.
        cores: for jobs beside one another; all that there are without it.
        training: keys of the config's section `training`, such as {"iterations": 2000}.
        config: further sections, as a config file has them; `own` is the benchmark of the videos. Files that it names
            are absolute, or relative to `folder`.

    Returns:
        The trained model, which waits for examples (`support`).

    Raises:
        UserError: Snakemake is not installed, the list or an argument is wrong, or a job has failed, with its reason.

    Examples:
        >>> import fsar
        >>> few = {"iterations": 4, "validate_every": 2, "milestones": [3], "warmup_iterations": 1, "queries": 1}
        >>> trained = fsar.train("videos.csv", "otam", "efficientnet-lite0", way=2, shot=1, training=few)
        >>> trained.support("examples").predict("new.mp4")["label"].item() in trained.class_names
        True
    """
    if find_spec("snakemake") is None:
        raise UserError("Training takes the workflow's packages, which are not installed: pip install 'fsar[workflow]'")
    _check_method(method)
    run: dict[str, Any] = {
        "benchmarks": [BENCHMARK],
        "backbones": [backbone],
        "methods": [method],
        "ways": [way],
        "shots": [shot],
        "seeds": [seed],
    }
    source = {"kind": "csv", "file": str(Path(videos).absolute())}
    own = {"source": source, "training": {"way": way, **(training or {})}}
    asked = {"device": device, "run": run, "benchmarks": {BENCHMARK: own}}
    values = _laid_over(workflow_file("configs/own_videos.yaml"), config or {}, asked)
    place = Path(folder).absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {place} cannot be made: {error.strerror}. Name another one (folder=…)") from error
    with contextlib.chdir(place):
        target = _model_folder(values, PlannedModel(BENCHMARK, backbone, trained_as(METHODS[method].model), ""), method)
        Path(CONFIG).write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), encoding="utf-8")
    _run_workflow(place, f"{target}/model.safetensors", cores or os.cpu_count() or 1)
    return FewShotClassifier.load(place / target, method, device=device)


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise UserError(f"There is no method {method!r}; there are {', '.join(METHODS)}")
    if not MODELS[trained_as(METHODS[method].model)].trained:
        raise UserError(
            f"The method {method!r} trains nothing: FewShotClassifier(backbone, method={method!r}) takes it"
        )
    if not METHODS[method].inductive:
        raise UserError(
            f"The method {method!r} decides by all queries of an episode together: it labels no single clip"
        )


def _laid_over(file: str | Path, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Read a config and lay others over it, section by section, by Snakemake's own function."""
    from snakemake.utils import update_config

    values: dict[str, Any] = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    for layer in layers:
        update_config(values, layer)
    return values


def _model_folder(values: Mapping[str, Any], of: PlannedModel, method: str) -> str:
    """Check a run before it starts, and return the folder of its model; raises UserError."""
    base = Path("config.yaml") if Path("config.yaml").is_file() else workflow_file("config.yaml")
    checked, _ = load_with_removals(with_own_files(_laid_over(base, values)))
    if method not in checked.methods(of.benchmark, of.backbone):
        raise UserError("; ".join(left_out(checked)) or f"{of.backbone} has no row of {method}")
    plan = Plan(checked)
    check_before_jobs(plan, own_environments=False)
    (training,) = plan.trainings(of.benchmark, of.backbone, of.model)
    return str(Path(plan.model_file(of._replace(training=training), "model.safetensors")).parent)


def _run_workflow(folder: Path, target: str, cores: int) -> None:
    """Have Snakemake make a file in a folder, and show what it says; raises UserError with the reason if it fails."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(workflow_file("Snakefile")), "--directory", str(folder),
        "--configfile", str(folder / CONFIG), "--cores", str(cores), "--", target,
    ]  # fmt: skip
    started, log = time.time(), folder / LOG
    log.parent.mkdir(exist_ok=True)
    with (
        log.open("w", encoding="utf-8", errors="backslashreplace") as file,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode:
        reasons = "\n".join(_reasons(folder, started))
        raise UserError(reasons or f"The training stopped; Snakemake's own words are in {log}")


def _reasons(folder: Path, since: float) -> Iterator[str]:
    """Yield why jobs have given up (`fsar.job`), once each."""
    told = (path for path in sorted(folder.glob("logs/**/*.told")) if path.stat().st_mtime >= since - 1)
    yield from dict.fromkeys(path.read_text(encoding="utf-8").partition("\n")[2] for path in told)
