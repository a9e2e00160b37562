"""How the cost of each stage grows with the data: ×1, ×10, ×100. Draws a figure, with its data beside it.

    python -m perf.growth docs/growth.svg

Frame store: names of four rendered videos of one second. Manifest, index, episodes: made-up rows. Evaluation: made-up
features of so many videos, and as many episodes. A slope of 1 (time over size, both as logarithms, from ×10 to ×100) is
linear; a stage that takes the same time whatever the size has 0.
"""

import logging
import math
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from matplotlib import pyplot as plt

from fsar.config import FramesConfig
from fsar.results.figures import style
from fsar.videos.store_write import write_shard
from perf import rows
from perf.evaluation import Setting
from tests.videos import make_video


def frame_store(videos: int) -> float:
    """Return the seconds of decoding and storing so many names of four videos."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clips = [make_video(folder / f"{number}.mp4", 25, fps=25, size="128x96") for number in range(4)]
        table = pd.DataFrame({"video_id": [str(number) for number in range(videos)]})
        table["path"] = [str(clips[number % 4]) for number in range(videos)]
        started = time.perf_counter()
        write_shard(table, 0, FramesConfig(shards=1, size=128), folder / "a.arrow", folder / "a.parquet")
        return time.perf_counter() - started


@torch.inference_mode()
def evaluation(videos: int) -> float:
    """Return the seconds of evaluating as many episodes as there are videos."""
    setting = Setting("clip-fsar", 1, 512, videos, videos)
    started = time.perf_counter()
    setting.predict()
    return time.perf_counter() - started


def main() -> None:
    """Measure, print and draw."""
    logging.disable(logging.WARNING)
    evaluation(240), frame_store(4), rows.measure(2000)  # warm
    found = []
    for times in (1, 10, 100):
        found.append(("frame store", 30 * times, frame_store(30 * times)))
        listing, gathering, drawing = rows.measure(2000 * times)
        found.append(("manifest", 2000 * times, listing))
        found.append(("index", 2000 * times, gathering))
        found.append(("10,000 episodes", 2000 * times, drawing))
        found.append(("evaluation", 240 * times, evaluation(240 * times)))
    table = pd.DataFrame(found, columns=["stage", "videos", "seconds"])
    style.apply()
    figure, (axis,) = style.panels(1)
    print("| stage | " + " | ".join(("×1", "×10", "×100")) + " | slope |")
    print("|---|---|---|---|---|")
    names = style.ordered(table["stage"])
    for number, (name, colour) in enumerate(style.colours(names).items()):
        own = table[table["stage"] == name]
        seconds = list(own["seconds"])
        axis.plot(own["videos"], seconds, label=name, color=colour, marker=style.MARKERS[number], markersize=4)
        cells = [f"{videos:,}: {taken:.2f} s" for videos, taken in zip(own["videos"], seconds, strict=True)]
        print(f"| {name} | {' | '.join(cells)} | {math.log10(seconds[2] / seconds[1]):.2f} |")
    axis.set(xscale="log", yscale="log", xlabel="videos", ylabel="seconds")
    style.legend_below(figure, axis)
    target = Path(sys.argv[1])
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
    table.to_csv(target.with_suffix(".csv"), index=False, float_format="%.3f")


if __name__ == "__main__":
    main()
