"""Clips per second out of the training loader, with one worker.

Against (a) decord's random access into the video for each clip, and (b) decoding the same JPEGs in a loop, which is the
least that a store of JPEGs can take. A clip is 8 frames, resized to 256 × 256, cropped to 224 × 224 and normalised; (b)
has neither crop nor normalisation, and beside it the loader is measured without the latter, too, which happens where
the model is. Without a folder, on rendered clips of 10 s, 340 × 256 pixels, 25 frames per second, H.264.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import simplejpeg
import torch

from fsar.config import SamplingConfig, TrainingConfig
from fsar.episodes.draw import training_episode
from fsar.model.backbone import Backbone
from fsar.model.open_clip_backbone import random_backbone
from fsar.training.data import TrainingEpisodes, load_episodes
from fsar.videos.sampling import sample_positions
from perf.command import reader
from perf.usual_way import read_clip
from perf.worlds import clips_in, store_of, ten_second_clips

ROUNDS, EPISODES, USUAL = 5, 24, 30
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1) * 255
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1) * 255


def from_loader(episodes: TrainingEpisodes, first: int, backbone: Backbone | None) -> float:
    """Return clips per second; the first episode, while the worker starts, is not counted."""
    loader = iter(load_episodes(episodes, range(first, first + EPISODES + 1), workers=1))
    next(loader)
    started = time.perf_counter()
    clips = 0
    for batch in loader:
        if backbone is not None:
            backbone.normalise(batch.videos)
        clips += len(batch.videos)
    return clips / (time.perf_counter() - started)


def from_jpegs(episodes: TrainingEpisodes, first: int) -> float:
    """Return clips per second of decoding the JPEGs of the same episodes."""
    jpegs = []
    for number in range(first + 1, first + EPISODES + 1):
        episode, rng = training_episode(episodes.sampler, episodes.seed, number)
        for video in episodes.videos_of(episode):
            positions, _ = episodes.clips.draw(video, rng)
            jpegs += [bytes(jpeg) for jpeg in episodes.store.jpegs(video, positions)]
    started = time.perf_counter()
    for jpeg in jpegs:
        simplejpeg.decode_jpeg(jpeg)
    return len(jpegs) / 8 / (time.perf_counter() - started)


def by_random_access(clips: list[tuple[Path, int]], rng: np.random.Generator) -> float:
    """Return clips per second of decord, from videos and their numbers of frames."""
    started = time.perf_counter()
    for number in range(USUAL):
        clip, length = clips[number % len(clips)]
        positions = sample_positions(length, 25.0, SamplingConfig(), rng, training=True)
        read_clip(clip, positions, 256, 224, MEAN, STD)
    return USUAL / (time.perf_counter() - started)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("loader", __doc__)
    whole.add_argument("folder", nargs="?", type=Path, help="with videos (default: rendered ones)")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    given = parser().parse_args(arguments).folder
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clips = clips_in(given) if given else ten_second_clips(folder, 4)
        store, videos = store_of(clips, 64 * 8, folder)
        lengths = [(clip, store.length(row)) for row, clip in enumerate(clips)]
        episodes = TrainingEpisodes(store, videos, TrainingConfig(), SamplingConfig(), 224, seed=0)
        backbone = random_backbone("small-clip")  # for its normalisation
        rng = np.random.default_rng(0)
        rounds = []
        for number in range(ROUNDS):
            first = number * EPISODES
            normalised, plain = (from_loader(episodes, first, with_it) for with_it in (backbone, None))
            rounds.append((normalised, plain, from_jpegs(episodes, first), by_random_access(lengths, rng)))
        names = ("loader, normalised", "loader, bytes", "JPEGs alone", "decord")
        rates = dict(zip(names, zip(*rounds, strict=True), strict=True))
        print("| | clips/s (least to most of 5 rounds) |")
        print("|---|---|")
        for name, own in rates.items():
            print(f"| {name} | {median(own):.1f} ({min(own):.1f}–{max(own):.1f}) |")
        for ours, other in (
            ("loader, normalised", "decord"),
            ("loader, bytes", "JPEGs alone"),
            ("loader, normalised", "JPEGs alone"),
        ):
            ratios = [own / others for own, others in zip(rates[ours], rates[other], strict=True)]
            print(f"{ours}, over {other}: {median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
