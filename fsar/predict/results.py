"""What predictions are written as: a table (CSV), objects (JSON) and a page (HTML)."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fsar.files import atomic
from fsar.job import progress
from fsar.predict.classifier import FewShotClassifier
from fsar.predict.clips import Clip
from fsar.predict.page import Page
from fsar.predict.prediction import Prediction


def write_predictions(
    classifier: FewShotClassifier,
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
    shown = Page(classifier.support_set, classifier.describe()) if page else None
    rows = []
    bar = progress(classifier.predictions(clips, strips=page is not None), "clips", "clip", total=len(clips))
    for prediction in bar:
        rows.append(classifier.row(prediction))
        if shown:
            shown.add(prediction)
        if tell and sys.stderr.isatty():  # where the bar is, which has to step aside
            bar.write(tell(prediction), file=sys.stdout)
        elif tell:
            print(tell(prediction), flush=True)
    if csv:
        with atomic(csv) as temporary:
            classifier.table(rows).to_csv(temporary, index=False)
    if as_json:
        with atomic(as_json) as temporary:
            text = json.dumps([_object(row, classifier) for row in rows], indent=1, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if shown and page:
        shown.write(page)
    return sum(bool(row["reason"]) for row in rows)


def _object(row: dict[str, Any], classifier: FewShotClassifier) -> dict[str, Any]:
    """Turn a row into what JSON can say: the numbers of all classes in an object of their own, and null for none."""
    if row["reason"]:
        return {"path": row["path"], "reason": row["reason"]}
    columns = classifier.class_columns
    each = {name: row[column] for name, column in zip(classifier.class_names, columns, strict=True)}
    plain = {key: value for key, value in row.items() if key not in (*columns, "reason")}
    return plain | {"probabilities" if classifier.called == "probability" else "scores": each}
