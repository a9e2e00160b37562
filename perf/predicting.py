"""Labels of one's own clips: the first after a cold start, what each costs beside decoding and encoding, and memory.

MODEL is small-clip or another architecture of open_clip; weights are random. FOLDER holds clips; its first five are the
examples of five classes. Decoding and encoding alone is every frame decoded and eight of them encoded, one clip
after the other. Both run in turns on the same clips, and their ratio is that of the processor's time, which others on
the machine disturb less.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from fsar import FewShotClassifier
from fsar.model.open_clip_backbone import random_clip
from fsar.predict.clips import Clip
from fsar.predict.page import Page
from fsar.videos.decode import decode
from fsar.videos.frame import VideoError
from perf.command import reader
from perf.worlds import clips_in

ROUNDS = 3
MOST = 9  # clips of a folder
FEW, MANY = 10, 1000


def alone(classifier: FewShotClassifier, clips: list[Clip]) -> None:
    """Decode every clip and encode eight of its frames, nothing else."""
    model, size = classifier.model, classifier.model.backbone.image_size
    frames = torch.zeros(8, size, size, 3, dtype=torch.uint8)
    for clip in clips:
        try:
            for _ in decode(clip.path, model.settings.frames.size, 600):
                pass
        except VideoError:
            continue
        model.encode(frames.unsqueeze(0))


def seconds(function, *arguments) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Return the wall time and the processor's time of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - cpu


def first_label(model: str, weights: Path, examples: Path, clip: Path) -> tuple[float, float]:
    """Return the wall time from the command to the first label, and the processor's time up to the end."""
    command = [sys.executable, "-m", "fsar", "predict", str(clip), "--support", str(examples), "--model", model]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        [*command, "--weights", str(weights)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout is not None and run.stdout.readline()
        wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory(classifier: FewShotClassifier, clips: list[Clip], count: int) -> float:
    """Return the megabytes at most that labelling `count` clips and their page take, in a process of its own."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as temporary:
            page = Page(Path(temporary) / "page.html", classifier.support_set, classifier.describe())
            for prediction in classifier.predictions((clips * count)[:count]):
                page.add(prediction)
            page.write()
        os.write(writing, str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return float(os.read(reading, 100))


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("predicting", __doc__)
    whole.add_argument("pairs", nargs="+", metavar="MODEL FOLDER", help="an architecture, and a folder with videos")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per model and folder."""
    pairs = parser().parse_args(arguments).pairs
    print(f"{torch.get_num_threads()} threads; time of the processor in brackets")
    for name, folder in zip(pairs[::2], map(Path, pairs[1::2]), strict=True):
        with tempfile.TemporaryDirectory() as temporary:
            weights, examples = Path(temporary) / "weights.safetensors", Path(temporary) / "examples"
            torch.manual_seed(0)
            save_file(random_clip(name).state_dict(), weights)
            videos = clips_in(folder)[:MOST]
            for number, video in enumerate(videos[:5]):
                (examples / f"class {number}").mkdir(parents=True)
                (examples / f"class {number}" / video.name).symlink_to(video.resolve())
            wall, cpu = first_label(name, weights, examples, videos[-1])
            print(f"{name}, {folder.name}: first label after {wall:.1f} s ({cpu:.1f} s)", flush=True)
            classifier = FewShotClassifier(name, str(weights), device="cpu").support(examples)
            clips = [Clip(video, video.name) for video in videos]
            list(classifier.predictions(clips[:2]))
            rounds = [
                (
                    *seconds(alone, classifier, clips),
                    *seconds(lambda c=classifier, v=clips: list(c.predictions(v, strips=False))),
                )
                for _ in range(ROUNDS)
            ]
            ratios = ", ".join(f"{labelled / bare:.2f}" for _, bare, _, labelled in rounds)
            _, bare, _, labelled = min(rounds, key=lambda one: one[3])
            each = 1000 / len(clips)
            print(
                f"  {len(clips)} clips: {labelled * each:.0f} ms each, decoding and encoding alone {bare * each:.0f} ms"
            )
            print(f"  ratios: {ratios}", flush=True)
            if labelled > len(clips):  # a thousand clips would take too long
                continue
            few, many = (memory(classifier, clips[:5], count) for count in (FEW, MANY))
            print(f"  memory: {few:.0f} MB for {FEW} clips, {many:.0f} MB for {MANY}", flush=True)


if __name__ == "__main__":
    main()
