"""The report of a benchmark's data: what was listed, what was found and read, and how it looks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from fsar.benchmarks.splits import SPLITS
from fsar.files import read_csv, read_parquet, write_parquet, write_sealed_json
from fsar.pages.render import template, write_page
from fsar.pages.strips import strip_of
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.videos.shards import INDEX_SCHEMA
from fsar.videos.store_read import FrameStore

VIDEOS_SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("class_name", pa.string()),
        ("split", pa.string()),
        ("status", pa.string()),  # ok; failed: cannot be decoded; missing: published, but not there
        ("error", pa.string()),
        ("start", pa.float64()),  # seconds
        ("duration", pa.float64()),  # seconds
        ("fps", pa.float64()),
        ("variable_rate", pa.bool_()),
        ("width", pa.int32()),  # pixels
        ("height", pa.int32()),
        ("source_frames", pa.int32()),
        ("stored_frames", pa.int32()),
        ("bytes", pa.int64()),  # stored
        ("decoder", pa.string()),  # empty if missing
        ("lost_frames", pa.int32()),
        ("wrong_frames", pa.int32()),
        ("notes", pa.string()),
    ]
)
# A strip of frames of one random video of each class.
STRIPS_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("class_name", pa.string()),
        ("video_id", pa.string()),
        ("strip", pa.binary()),  # JPEG
    ]
)
STRIP = 4  # frames
TEMPLATE = "data_report.html.jinja"
DAMAGED = ["video_id", "split", "class_name", "source_frames", "lost_frames", "error"]  # columns of the report
# The report's tables, and their captions.
ABOUT = {
    "Videos": "Videos of each split",
    "Classes": "Listed and used videos of each class",
    "Left out, by class": "Videos left out of each class",
    "Left out, with the reason": "Each video left out, and why",
}
# By which notes of one kind differ, such as by how much a clock jumps: numbers by themselves, and not in BT.2020.
NUMBERS = r"(?<=\s)-?\d[\d.e+]*(?=\s|$)"


def write_data_report(
    benchmark: str,
    manifest: Path,
    index: Path,
    missing: Path | None,
    seed: int,
    *,
    page: Path,
    videos: Path,
    strips_of_classes: Path,
    counts: Path,
) -> None:
    """Write the report.

    Args:
        benchmark: its name.
        manifest, index: of the benchmark; the shards lie beside the index.
        missing: CSV of published videos that are not there, if the benchmark is a published one.
        seed: of the random videos whose frames are shown.
        page: HTML file, complete by itself.
        videos: Parquet file, a row per listed video, see `VIDEOS_SCHEMA`.
        strips_of_classes: Parquet file, frames of a video of each class, see `STRIPS_SCHEMA`.
        counts: JSON file: videos listed, missing, failed and used; those used with lost and with wrong frames.
    """
    table = _videos(manifest, index, missing)
    write_parquet(videos, table, VIDEOS_SCHEMA)
    status = table["status"].value_counts()
    numbers = {
        name: int(status.get(key, 0)) for name, key in (("missing", "missing"), ("failed", "failed"), ("used", "ok"))
    }
    flawed = {kind: int((table[f"{kind}_frames"] > 0).sum()) for kind in ("lost", "wrong")}
    write_sealed_json(
        counts, {"listed": len(table)} | numbers | {f"with_{kind}_frames": n for kind, n in flawed.items()}
    )
    shown = _strips(table[table["status"] == "ok"], FrameStore(index.parent, index), seed)
    write_parquet(strips_of_classes, shown, STRIPS_SCHEMA)
    lost = table[table["status"] != "ok"]
    by_class = lost.groupby(["split", "class_name", "status"], observed=True).size().rename("videos").reset_index()
    reasons = lost[["video_id", "split", "class_name", "status", "error"]]
    tables = dict(zip(ABOUT, (_by_split(table), _by_class(table), by_class, reasons), strict=True))
    used = table[table["status"] == "ok"]
    write_page(
        page,
        template(Path(__file__).parent, TEMPLATE),
        title=f"Data: {benchmark}",
        heading=benchmark,
        tables=tables,
        about=ABOUT,
        decoding=_decoding(used),
        decoding_tables={
            "Videos that lack frames": used[used["lost_frames"] > 0][DAMAGED],
            "Notes of the decoder, with an example": _notes(used),
        },
        strips={split: shown[shown["split"] == split] for split in SPLITS},
    )


def _decoding(used: pd.DataFrame) -> list[str]:
    """Say what the decoder gave that is not in the videos, and did not give that is."""
    damaged, wrong = (int((used[f"{kind}_frames"] > 0).sum()) for kind in ("lost", "wrong"))
    frames, lost, off = (int(used[name].sum()) for name in ("source_frames", "lost_frames", "wrong_frames"))
    said = [
        f"Decoded by {', '.join(sorted(set(used['decoder'])))}. {damaged} of {len(used)} videos are damaged: "
        f"{lost} frames are lost, {frames} decoded."
    ]
    if "decord" in set(used["decoder"]):
        said.append(
            f"Random access by decord differs from one pass in order in {wrong} of {len(used)} videos: "
            f"{off} of {frames} frames are not those of their positions."
        )
    return [*said, f"The frame rate varies in {int(used['variable_rate'].sum())} of {len(used)} videos."]


def _notes(used: pd.DataFrame) -> pd.DataFrame:
    """Count the videos with each note, whatever its numbers, with one of them for an example."""
    notes = used[["video_id", "notes"]].assign(note=used["notes"].str.split("; ")).explode("note")
    notes = notes[notes["note"] != ""]
    notes["kind"] = notes["note"].str.replace(NUMBERS, "…", regex=True)
    counted = notes.groupby("kind", sort=False).agg(
        videos=("video_id", "nunique"), example=("video_id", "first"), note=("note", "first")
    )
    return counted.sort_values("videos", ascending=False, kind="stable")[["note", "videos", "example"]]


def _videos(manifest: Path, index: Path, missing: Path | None) -> pd.DataFrame:
    listed = read_parquet(manifest, MANIFEST_SCHEMA, ["video_id", "class_name", "split"])
    table = listed.merge(read_parquet(index, INDEX_SCHEMA), on="video_id", validate="one_to_one")
    if missing is not None:
        absent = read_csv(missing, dtype=str).rename(columns={"id": "video_id", "class": "class_name"})
        absent = absent.assign(status="missing", error="not among the files of the data set")
        table = pd.concat([table, absent], ignore_index=True) if len(absent) else table
    numbers = [field.name for field in VIDEOS_SCHEMA if not pa.types.is_string(field.type)]
    return table.fillna(dict.fromkeys(numbers, 0) | {"variable_rate": False, "notes": ""})


def _by_split(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise each split."""
    rows = []
    for split in SPLITS:
        own = table[table["split"] == split]
        used = own[own["status"] == "ok"]
        sizes = (used["width"].astype(str) + "×" + used["height"].astype(str)).value_counts()
        rows.append(
            {
                "split": split,
                "classes": own["class_name"].nunique(),
                "listed": len(own),
                "missing": int((own["status"] == "missing").sum()),
                "unreadable": int((own["status"] == "failed").sum()),
                "used": len(used),
                "hours": round(used["duration"].sum() / 3600, 2),
                "seconds (median, longest)": f"{used['duration'].median():.1f}, {used['duration'].max():.1f}",
                "frames per second": _range(used["fps"]),
                "most frequent sizes": ", ".join(f"{size} ({count})" for size, count in sizes.head(3).items()),
                "stored (GB)": round(used["bytes"].sum() / 1e9, 2),
            }
        )
    return pd.DataFrame(rows)


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _by_class(table: pd.DataFrame) -> pd.DataFrame:
    used = table.assign(used=table["status"] == "ok")
    groups = used.groupby(["split", "class_name"], observed=True)
    counted = groups.agg(listed=("used", "size"), used=("used", "sum"), seconds=("duration", "mean")).reset_index()
    counted = counted.sort_values(["split", "class_name"]).round({"seconds": 1}).fillna({"seconds": ""})
    return counted.rename(columns={"class_name": "class", "seconds": "mean seconds"})


def _strips(videos: pd.DataFrame, store: FrameStore, seed: int) -> pd.DataFrame:
    """Return frames of one random video of each class, in the order of splits and of names."""
    rng = np.random.default_rng([seed, 6])
    rows = []
    for (split, name), group in videos.groupby(["split", "class_name"], observed=True):
        video_id = group.iloc[int(rng.integers(len(group)))]["video_id"]
        video = store.numbers([video_id])[0]
        positions = np.linspace(0, store.length(video) - 1, STRIP).astype(np.int64)
        rows.append((split, name, video_id, strip_of(store.frames(video, positions))))
    return pd.DataFrame(rows, columns=STRIPS_SCHEMA.names)
