"""A whole evaluation, encoding included: every video once, against encoding the videos of every episode.

5-way 1-shot, as many episodes per video as in the paper's tests (10,000 of 2,400 videos, here of 96). The usual way
runs the first episodes; its time for all of them follows. What the backbone is given is counted. Weights are random.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from fsar.config import SamplingConfig
from fsar.evaluation.encode_videos import EvaluationClips, encode_videos, load_clips
from fsar.evaluation.episode_logits import predict
from fsar.evaluation.kept_features import Features
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.needs import Inputs
from fsar.model.open_clip_backbone import random_backbone
from perf.command import reader
from perf.usual_way import episode_logits
from perf.worlds import draw, short_clips, store_of

VIDEOS, CLASSES, FIRST = 96, 24, 10
EPISODES = 10000 * VIDEOS // 2400


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("encoding", __doc__)
    whole.add_argument("model", nargs="?", default="small-clip", help="an architecture of open_clip")
    return whole


@torch.inference_mode()
def main(arguments: Sequence[str] | None = None) -> None:
    """Print both."""
    name = parser().parse_args(arguments).model
    torch.manual_seed(0)
    backbone = random_backbone(name).eval()
    given: list[int] = []  # videos of each call
    backbone.register_forward_pre_hook(lambda _, arguments: given.append(len(arguments[0])))
    head = ClipFsar(Inputs(backbone.width, 8), ClipFsarConfig()).eval()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clips = short_clips(folder, 4) * (VIDEOS // 4)
        store, videos = store_of(clips, VIDEOS, folder)
        ids, labels = list(videos["video_id"]), [str(row % CLASSES) for row in range(VIDEOS)]
        episodes = draw(ids, labels, 1, EPISODES)
        text = backbone.encode_text([f"class {number}" for number in range(CLASSES)])

        started = time.perf_counter()
        where = torch.device("cpu")
        clips_of_all = load_clips(store, ids, SamplingConfig(), backbone.image_size, 0, where)
        stored = encode_videos(lambda videos: {"frames": backbone(videos)}, clips_of_all, where)
        rows, classes = ({key: row for row, key in enumerate(keys)} for keys in (ids, episodes.class_names))
        predicted = predict(head, episodes, Features(rows, stored, classes, text))
        ours, encoded = time.perf_counter() - started, sum(given)

        given.clear()
        tested = EvaluationClips(store, ids, SamplingConfig(), backbone.image_size, 0)
        started = time.perf_counter()
        for number in range(FIRST):
            support, queries = episodes.support[number].ravel(), episodes.queries[number].ravel()
            features = [backbone(torch.stack([tested[video] for video in part])) for part in (support, queries)]
            names = text[torch.from_numpy(episodes.classes[number])]
            logits = episode_logits(head, features[0].unflatten(0, (-1, 1)), features[1], names)
            assert (logits.argmax(dim=-1).numpy() == predicted[number].ravel()).all()
        usual, usual_encoded = ((time.perf_counter() - started) / FIRST * EPISODES, sum(given) / FIRST * EPISODES)
    print(f"{name}: {EPISODES} episodes of {VIDEOS} videos, {torch.get_num_threads()} threads")
    print("| | videos encoded | s |")
    print("|---|---|---|")
    print(f"| every video of every episode | {usual_encoded:,.0f} | {usual:.0f} |")
    print(f"| every video once | {encoded:,} | {ours:.1f} |")
    print(f"ratio: {usual_encoded / encoded:.0f}× of videos, {usual / ours:.0f}× of time")


if __name__ == "__main__":
    main()
