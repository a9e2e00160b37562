"""What Snakemake adds: wall time of a finished run, minus the jobs along its longest chain.

    python -m perf.scheduling [folder of the run]

Run it where a whole run has just finished from scratch, here or on a cluster: it reads that run's log and the
jobs' measured times.
"""

import re
import sys
from pathlib import Path

import pandas as pd

# The stages that wait for one another, from videos to the report's last page.
CHAIN = (
    "render_stills", "train_small_clip", "train_model", "encode_features", "evaluate_model", "write_statistics",
)  # fmt: skip


def main() -> None:
    """Print wall time, the longest chain and their difference."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path()
    log = max((folder / ".snakemake/log").glob("*.log"), key=lambda path: path.stat().st_mtime).read_text()
    hours, minutes, seconds = re.findall(r"Elapsed time: (\d+):(\d+):([\d.]+)", log)[-1]
    wall = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    longest = {}
    for path in (folder / "logs").rglob("*.tsv"):
        stage = path.relative_to(folder / "logs").parts[0].removesuffix(".tsv")
        longest[stage] = max(longest.get(stage, 0.0), float(pd.read_csv(path, sep="\t")["s"].iloc[-1]))
    chain = {stage: longest[stage] for stage in CHAIN if stage in longest}
    for stage, taken in chain.items():
        print(f"{stage:20} {taken:8.1f} s")
    total = sum(chain.values())
    print(f"{'longest chain':20} {total:8.1f} s\n{'wall':20} {wall:8.1f} s\n{'difference':20} {wall - total:8.1f} s")


if __name__ == "__main__":
    main()
