"""The page of the check: what failed, what holds, and each part's tables and plots."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fsar.files import atomic
from perf.gpu_check.plots import PLOTS
from perf.gpu_check.running import Outcome


def write_page(folder: Path, outcomes: Sequence[Outcome], rehearsal: bool) -> int:
    """Write README.md, checks.csv, parts.csv and the plots; return the number of failures.

    Args:
        folder: with the findings of all parts.
        outcomes: of the parts, in order.
        rehearsal: on a CPU, with small sizes.
    """
    found = {outcome.part.name: findings(folder, outcome.part.name) for outcome in outcomes}
    checks = [{"part": name, **check} for name, own in found.items() for check in own["checks"]]
    pd.DataFrame(checks, columns=["part", "what", "holds", "detail"]).to_csv(folder / "checks.csv", index=False)
    parts = []
    for outcome in outcomes:
        wrong = sum(not check["holds"] for check in found[outcome.part.name]["checks"])
        ended = "failed" if outcome.failure else f"{wrong} checks do not hold" if wrong else "well"
        parts.append({"part": outcome.part.name, "seconds": round(outcome.seconds, 1), "ended": ended})
    pd.DataFrame(parts).to_csv(folder / "parts.csv", index=False)
    broken, undrawn = [check for check in checks if not check["holds"]], []
    for own in found.values():
        for name, rows in own["tables"].items():
            try:
                if name in PLOTS:
                    PLOTS[name](pd.DataFrame(rows), folder / f"{name}.png")
            except Exception as error:  # the tables are there all the same
                undrawn.append(f"The plot of {name} could not be drawn: {type(error).__name__}: {error}")
    sections = [section(folder, outcome, found[outcome.part.name]) for outcome in outcomes]
    failed = [outcome for outcome in outcomes if outcome.failure]
    head = ["# On a GPU\n", f"{datetime.now():%d %B %Y, %H:%M}, {sum(o.seconds for o in outcomes):.0f} s.\n"]
    if rehearsal:
        head.append("**A rehearsal on a CPU with small sizes: its numbers mean nothing.**\n")
    head.append(summary(checks, broken, failed, undrawn))
    head.append(table(parts))
    with atomic(folder / "README.md") as temporary:
        temporary.write_text("\n".join(head + sections), encoding="utf-8")
    return len(failed) + len(broken) + len(undrawn)


def forget(folder: Path) -> None:
    """Remove the tables and plots of an earlier check, and nothing else that lies there."""
    for part in (folder / "parts").glob("*.json"):
        for name in json.loads(part.read_text(encoding="utf-8"))["tables"]:
            for suffix in ("csv", "png"):
                (folder / f"{name}.{suffix}").unlink(missing_ok=True)
        part.unlink()


def findings(folder: Path, part: str) -> dict[str, Any]:
    """Return what a part has written; nothing if it never began."""
    path = folder / "parts" / f"{part}.json"
    found: dict[str, Any] = {"tables": {}, "checks": [], "notes": []}
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else found


def summary(
    checks: list[dict[str, Any]], broken: list[dict[str, Any]], failed: list[Outcome], undrawn: list[str]
) -> str:
    """Say what holds, and list what does not."""
    lines = [f"{len(checks) - len(broken)} of {len(checks)} checks hold; {len(failed)} parts failed.\n"]
    lines += [f"- **does not hold** ({check['part']}): {check['what']}: {check['detail']}" for check in broken]
    lines += [f"- **failed**: {outcome.part.title}, see below" for outcome in failed]
    lines += [f"- {line}" for line in undrawn]
    return "\n".join(lines) + "\n"


def section(folder: Path, outcome: Outcome, own: dict[str, Any]) -> str:
    """Write the section of one part."""
    lines = [f"## {outcome.part.title}\n"]
    if outcome.failure:
        lines.append(f"**This part failed.** The end of logs/{outcome.part.name}.log:\n\n```\n{outcome.failure}\n```\n")
    if own["checks"]:
        lines += [f"- {'holds' if c['holds'] else '**does not hold**'}: {c['what']}" for c in own["checks"]]
        lines.append("")
    lines += [f"{note}\n" for note in own["notes"]]
    for name, rows in own["tables"].items():
        lines.append(f"[{name}.csv]({name}.csv)\n\n{table(rows)}")
        if (folder / f"{name}.png").is_file():
            lines.append(f"![{name}]({name}.png)\n")
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> str:
    """Write rows as a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(column.replace("_", " ") for column in columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(cell(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """Write a value for people."""
    if value is None or value != value:  # not a number
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "/")
