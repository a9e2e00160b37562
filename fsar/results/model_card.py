"""The card of a trained model: what it is, what made it, how well it does and whose it is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import EvalResult, ModelCardData

from fsar.errors import UserError
from fsar.evaluation.made_from import WEIGHTS
from fsar.evaluation.predictions import predictions_made_from
from fsar.files import atomic, read_json
from fsar.results.published import FOOTNOTE, MARK
from fsar.results.setting import Setting
from fsar.results.table import table_rows
from fsar.seal import REMEDY

Row = Mapping[str, object]  # of the table of results


def write_model_card(
    training: Path,
    settings: Sequence[Setting],
    title: str,
    citation: str,
    source: Mapping[str, str],
    licences: Mapping[str, str],
    saw: Mapping[str, Sequence[str] | None],
    path: Path,
) -> None:
    """Write the card as Markdown, with the metadata that model hubs read at its top.

    Args:
        training: the model's training.json.
        settings: what it was tested with.
        title, citation: of its method.
        source: the public code of that method (`code`; empty if there is none), where this project's differs from it
            by default (`deviations`), and how that code chose its weights (`code_selection`).
        licences: of the videos and of the pretrained weights, by these names.
        saw: what the backbone's pretraining saw, and the benchmarks whose videos are in it (None: not known).
        path: file to write.
    """
    about = read_json(training)
    _check_weights(training, about.get("weights"), settings)
    first, rows = settings[0], table_rows(settings)
    name = f"{title}, {first.backbone}, {first.models or first.benchmark}"
    sections = {
        "Test": _test(rows),
        "Method": _method(source, first.inductive),
        "Choice of the weights": (
            f"After {about['selection']['iteration']} of {about['training']['iterations']} training episodes: the best "
            f"of all validations, with {100 * about['selection']['accuracy']:.2f} % on the validation episodes."
        ),
        "Data": f"{_data(about['videos'], settings)}\n\n{_looked_at(about['features'])}",
        "What the pretraining saw": _saw(saw),
        "Config": _config(about),
        "Trained with": _table(["what", "which"], list(about["environment"].items())),
        "Licences": (
            f"- code: Apache-2.0\n- pretrained weights ({about['backbone']['weights']}): {licences['weights']}\n"
            f"- videos ({first.trained_on or first.base}): {licences['videos']}\n\n"
            "These weights are made from both, whose terms hold."
        ),
    }
    if about["resumed_with_other_code"]:
        resumed = [[at["iteration"], ", ".join(at["files"])] for at in about["resumed_with_other_code"]]
        sections["Gone on with other code"] = _table(["after episode", "changed files"], resumed)
    body = "\n\n".join(f"## {heading}\n\n{text}" for heading, text in sections.items())
    data = _metadata(name, rows).to_yaml()
    with atomic(path) as temporary:
        temporary.write_text(f"---\n{data}\n---\n\n# {name}\n\n{citation}.\n\n{body}\n", encoding="utf-8")


def _looked_at(features: Mapping[str, Any]) -> str:
    """Say which frames of its training videos a model saw."""
    if features["views"] == "fresh":
        return "Every training episode draws frames and a window of each of its videos."
    once = "encoded once" if features["stored"] else "encoded in each episode"
    return (
        f"Every training episode draws one of {features['views']} views of each of its videos, which are {once}: "
        "nothing below the head is trained (`training.views`)."
    )


def _metadata(name: str, rows: Sequence[Row]) -> ModelCardData:
    """Return what model hubs read."""
    return ModelCardData(
        library_name="fsar",
        pipeline_tag="video-classification",
        tags=["few-shot-action-recognition", "clip"],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type="video-classification",
                task_name="few-shot action recognition",
                dataset_type=str(row["benchmark"]),
                dataset_name=str(row["benchmark"]),
                dataset_config=f"{row['way']}-way {row['shot']}-shot, {row['method']}",  # apart, or they are merged
                dataset_split="test",
                metric_type="accuracy",
                metric_value=float(str(row["accuracy"])),
            )
            for row in rows
        ],
    )


def _data(counted: Mapping[str, Mapping[str, int]], settings: Sequence[Setting]) -> str:
    """Return what it was trained and chosen on, and what that was where it is tested on something else."""
    rows = [[split, count["classes"], count["videos"]] for split, count in counted.items()]
    told = dict.fromkeys(f"- {setting.benchmark}: {setting.domains}" for setting in settings if setting.domains)
    return "\n".join([_table(["split", "classes", "videos"], rows), *([""] if told else []), *told])


def _test(rows: Sequence[Row]) -> str:
    """Return the accuracies, beside published ones; with their benchmarks where it is tested elsewhere, too."""
    place = ["benchmark"] if any(row["trained_on"] for row in rows) else []
    header = [
        *place,
        "method",
        "way",
        "shot",
        "accuracy (%)",
        "95 % over episodes",
        "95 % over test videos",
        "episodes",
        "published",
    ]
    cells = [
        [
            *(row[name] for name in (*place, "method", "way", "shot", "accuracy")),
            f"± {row['interval']}", f"± {row['over_videos']}" if row["over_videos"] else "", row["episodes"],
            f"{row['published']} {MARK}" if row["published_quoted"] else row["published"],
        ]
        for row in rows
    ]  # fmt: skip
    footnote = f"\n\n{FOOTNOTE}" if any(row["published_quoted"] for row in rows) else ""
    return f"{_table(header, cells)}{footnote}\n\nThe weights were chosen without the test classes."


def _saw(saw: Mapping[str, Sequence[str] | None]) -> str:
    """Say which data sets, and whether videos of benchmarks are among them."""
    lines = []
    for name, benchmarks in saw.items():
        if benchmarks is None:
            lines.append(f"- {name}; whether videos of a benchmark are in it is not known")
        else:
            lines.append(f"- {name}; has videos of {', '.join(benchmarks) or 'no benchmark'}")
    return "\n".join(lines) or "Not stated."


def _config(about: Mapping[str, Any]) -> str:
    """Return every key that made the model."""
    rows = [
        [f"{section}.{key}", f"`{json.dumps(value, ensure_ascii=False)}`"]
        for section in ("components", "backbone", "text", "sampling", "head", "adapters", "training")
        if section in about
        for key, value in about[section].items()
        if key not in ("licence", "saw")  # which have sections of their own
    ]
    return _table(["key", "value"], [*rows, *([name, about[name]] for name in ("seed", "data_seed"))])


def _check_weights(training: Path, weights: str | None, settings: Sequence[Setting]) -> None:
    """Check that predictions are those of the weights that a training describes, where both say so.

    Raises:
        UserError: they are of other weights.
    """
    for path in dict.fromkeys(path for setting in settings for path in setting.predictions):
        tested = predictions_made_from(path).get(WEIGHTS)
        if None not in (weights, tested) and tested != weights:
            raise UserError(
                f"The predictions {path} are of other weights than those that {training} describes. {REMEDY}."
            )


def _method(source: Mapping[str, str], inductive: bool) -> str:
    """Say which public code a method was held against, where it differs, and whether queries see one another."""
    lines = ["- public code: " + (source["code"] or "none that it was held against")]
    if source["code"]:
        lines.append(f"- where it differs from that by default: {source['deviations'] or 'nowhere that is known'}")
        lines.append(f"- weights that code reports: {source['code_selection']}; here: best on the validation classes")
    answer = "yes, the label of a query does not depend" if inductive else "no, the label of a query depends"
    return "\n".join([*lines, f"- inductive: {answer} on the other queries of its episode"])


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return pd.DataFrame(rows, columns=header).to_markdown(index=False, disable_numparse=True)
