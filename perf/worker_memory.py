"""Memory of a process of the training loader, for data sets of 2,000 to 2,000,000 videos.

    python -m perf.worker_memory [videos …]

Its own memory is what it does not share with the process that started it: it must not grow with the number of videos.
The rows are many names of a few rendered videos.
"""

import sys
import tempfile
from pathlib import Path

import torch

from fsar.config import SamplingConfig, TrainingConfig
from fsar.training.data import TrainingBatch, TrainingEpisodes, load_episodes
from perf.worlds import store_of
from tests.videos import make_video

EPISODES = 20


def own_memory() -> float:
    """Return the megabytes of this process that no other process has."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


class Watched(TrainingEpisodes):
    """Training episodes that tell, in place of their number, the memory of the process that loaded them."""

    def __getitem__(self, number: int) -> TrainingBatch:
        return super().__getitem__(number)._replace(number=own_memory())  # type: ignore[arg-type]


def main() -> None:
    """Print a row per size."""
    torch.set_num_threads(1)
    print("| videos | a worker's own memory at its most, MB | the whole process that started it, MB |")
    print("|---|---|---|")
    for rows in map(int, sys.argv[1:] or ("2000", "20000", "200000", "2000000")):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            clips = [make_video(folder / f"{number}.mp4", 30, size="256x256") for number in range(4)]
            episodes = Watched(*store_of(clips, rows, folder), TrainingConfig(), SamplingConfig(), 224, seed=0)
            before = own_memory()
            most = max(batch.number for batch in load_episodes(episodes, range(EPISODES), workers=1))
            print(f"| {rows:,} | {most:.0f} | {before:.0f} |", flush=True)


if __name__ == "__main__":
    main()
