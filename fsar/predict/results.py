"""What predictions are written as: a table (CSV), objects (JSON) and a page (HTML)."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fsar.files import atomic
from fsar.job import progress
from fsar.predict.classifier import Classifier
from fsar.predict.clips import Clip
from fsar.predict.prediction import Prediction
from fsar.predict.support import SupportSet
from fsar.predict.table import class_columns, row, table


def write_predictions(
    classifier: Classifier,
    clips: Sequence[Clip],
    *,
    csv: Path | None = None,
    page: Path | None = None,
    as_json: Path | None = None,
    tell: Callable[[Prediction], str] | None = None,
) -> int:
    """Label clips and write what is asked for; return how many clips cannot be read.

    Args:
        classifier: with its examples.
        clips: which clips.
        csv, page, as_json: files to write.
        tell: the line to print for each clip as it is labelled.
    """
    support = classifier.support_set
    shown = None
    if page:
        from fsar.predict.page import Page  # and with it what fills templates, for which labels do not wait

        shown = Page(page, support, classifier.describe())
    rows = []
    bar = progress(classifier.predictions(clips, strips=page is not None), "clips", "clip", total=len(clips))
    for prediction in bar:
        rows.append(row(prediction, support))
        if shown:
            shown.add(prediction)
        if tell and sys.stderr.isatty():  # where the bar is, which has to step aside
            bar.write(tell(prediction), file=sys.stdout)
        elif tell:
            print(tell(prediction), flush=True)
    if csv:
        with atomic(csv) as temporary:
            table(rows, support).to_csv(temporary, index=False)
    if as_json:
        with atomic(as_json) as temporary:
            text = json.dumps([_object(one, support) for one in rows], indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if shown:
        shown.write()
    return sum(bool(one["reason"]) for one in rows)


def _object(one: dict[str, Any], support: SupportSet) -> dict[str, Any]:
    """Turn a row into what JSON can say: the numbers of all classes in an object of their own, and null for none."""
    if one["reason"]:
        return {"path": one["path"], "reason": one["reason"]}
    columns = class_columns(support)
    each = {name: one[column] for name, column in zip(support.class_names, columns, strict=True)}
    plain = {key: value for key, value in one.items() if key not in (*columns, "reason")}
    return plain | {"probabilities" if support.called == "probability" else "scores": each}
