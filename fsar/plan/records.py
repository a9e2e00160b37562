"""What the plan knows of a record: its backbone, what decides it, and the code that computes it."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from fsar.backbone_facts import is_weights_file
from fsar.methods import METHODS, MODELS
from fsar.plan.imported import encoder_files, encoder_files_of_training, model_files
from fsar.plan.parameters import flat
from fsar.plan.plan import Plan, PlannedModel
from fsar.results.setting import Setting


def facts_of(plan: Plan, rows: Sequence[Setting], code: Callable[..., str]) -> list[dict[str, Any]]:
    """Return of each row what `fsar.records.write.write_records` asks for.

    Args:
        plan: of the run.
        rows: of its tables.
        code: returns the checksum of a script and of files that it imports by name.
    """
    return [
        {"backbone": _backbone(plan, row), "settings": _settings(plan, row), "code": _code(plan, row, code)}
        for row in rows
    ]


def _backbone(plan: Plan, row: Setting) -> dict[str, Any]:
    about = plan.config.backbones[row.backbone]
    values = {name: getattr(about, name) for name in ("library", "model", "weights", "saw")}
    return values | {"weights_are_a_file": about.weights_are_a_file}


def _stages(plan: Plan, row: Setting) -> list[str]:
    """Return the stages that compute a row's predictions."""
    model = PlannedModel(plan.config.training_of(row.benchmark), row.backbone, METHODS[row.method].model, "")
    stored = ["encode_training"] if row.seeds and plan.training_features(model) else []
    tests = (
        ["evaluate_part"] if MODELS[METHODS[row.method].model].across_videos else ["encode_features", "evaluate_model"]
    )
    return [*stored, *(["train_model"] if row.seeds else []), *tests]


def _settings(plan: Plan, row: Setting) -> dict[str, Any]:
    """Return every key that decides a row and is not its default. Of a file it has the name, wherever that lies."""
    model = METHODS[row.method].model
    found: dict[str, Any] = {"seed": plan.config.seed}
    for stage in ["decode_frames", *_stages(plan, row)]:
        training = stage in ("encode_training", "train_model")
        place = plan.config.training_of(row.benchmark) if training else row.benchmark
        settings = plan.config.of(place, row.backbone, model)
        found |= {own.key: to_jsonable_python(own.value) for own in flat(settings.decisive(stage))}
    for key in ("backbone.model", "backbone.weights", "text.descriptions"):
        if is_weights_file(str(found.get(key, ""))):
            found[key] = Path(found[key]).name
    if (words := str(found.get("backbone.words", ""))) and "@" not in words:  # a folder, none of the hub
        found["backbone.words"] = Path(words).name
    return found


def _code(plan: Plan, row: Setting, code: Callable[..., str]) -> str:
    """Return the checksum of the scripts that compute a row, with all that they import."""
    about, parts = plan.config.backbones[row.backbone], MODELS[METHODS[row.method].model]
    files = {"encode_features": encoder_files, "encode_training": encoder_files_of_training}
    sums = [code(f"{stage}.py", *files.get(stage, model_files)(about, parts)) for stage in _stages(plan, row)]
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()[:16]
