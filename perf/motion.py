"""What moves beside what is there (docs/motion.md): other ways to do it, and controls, on features of one finished run.

Frames of the demo's validation or test classes are encoded by a small CLIP, or by its visual encoder as a training of
OTAM left it, and matched by OTAM: 5-way, one query per class, episodes drawn here. Each row is accuracy in percent at
one and at five shots, with the 95 % interval over episodes. The ways: w from 0 (frames as published) to 1 (what moves
alone); the change from the first frame or from the one before in place of the mean; taken on the prototype and not of
each shot; two matchings with their own alignments in place of one; other noise floors; features minus the mean of all
videos (SimpleShot's CL2N) by itself and with it. The controls: frames of each video in a random order; in one random
order for all; the middle frame repeated; queries played backwards; and episodes of two classes that differ by motion
alone, one of which is the other played backwards, or by shape alone.

RUN is the directory of a run with the benchmark's data, such as studies/motion.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from fsar.config import BackboneConfig, SamplingConfig
from fsar.episodes.stored import readable_videos
from fsar.evaluation.encode_videos import encode_videos, load_clips
from fsar.evaluation.episode_logits import FewShotLogits
from fsar.methods.blocks.motion import LEAST_MOTION, beside_motion
from fsar.methods.blocks.otam import both_directions
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.needs import Inputs, Needs, Tensors
from fsar.methods.otam.head import Otam
from fsar.methods.otam.record import OtamConfig
from fsar.model.alignment import hard_alignment
from fsar.model.backbone import load_backbone
from fsar.model.trained_file import part_of
from fsar.videos.store_read import FrameStore
from perf.command import reader

Numbers = NDArray[np.int64]
Change = Callable[[Tensor], Tensor]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
REVERSED = (
    {"moving right", "moving left"}, {"falling", "rising"}, {"growing", "shrinking"}, {"appearing", "vanishing"}
)  # fmt: skip


def from_mean(frames: Tensor) -> Tensor:
    """Return each frame minus its video's mean: (…, T, D) → (…, T, D)."""
    return frames - frames.mean(dim=-2, keepdim=True)


def from_first(frames: Tensor) -> Tensor:
    """Return each frame minus its video's first."""
    return frames - frames[..., :1, :]


def from_neighbour(frames: Tensor) -> Tensor:
    """Return the next frame minus each; the last change twice."""
    change = frames.diff(dim=-2)
    return torch.cat([change, change[..., -1:, :]], dim=-2)


class Variant(Otam):
    """OTAM on frames with what moves, in one of the ways that were tried; shapes as in `fsar.methods.otam.head`.

    Args:
        width, frames: D and T.
        share: w.
        change: what moves in the frames of a video.
        floor: ε.
        centre: (D,), the mean of all videos, which is taken from what is there first; None for nothing.
        of_prototype: what moves is taken of prototypes and not of each shot.
        apart: both parts are matched with alignments of their own.
    """

    def __init__(
        self,
        width: int,
        frames: int,
        share: float = 0.0,
        change: Change = from_mean,
        floor: float = LEAST_MOTION,
        centre: Tensor | None = None,
        of_prototype: bool = False,
        apart: bool = False,
    ):
        super().__init__(Inputs(width, frames), OtamConfig())
        self.share, self.change, self.floor, self.centre = share, change, floor, centre
        self.of_prototype, self.apart = of_prototype, apart

    def parts(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is there and what moves, (…, T, D) each."""
        there = F.normalize(frames if self.centre is None else frames - self.centre, dim=-1)
        noise = self.floor * frames.norm(dim=-1, keepdim=True)
        return there, F.normalize(torch.cat([self.change(frames), noise], dim=-1), dim=-1)[..., :-1]

    def beside(self, frames: Tensor) -> Tensor:
        """Return both in one vector; frames as published where nothing is asked for."""
        if not self.share and self.centre is None:
            return frames
        there, moves = self.parts(frames)
        return torch.cat([math.sqrt(1 - self.share) * there, math.sqrt(self.share) * moves], dim=-1)

    def represent(self, frames: Tensor) -> Tensors:
        """Return what is compared of each video."""
        if self.apart:
            return dict(zip(("there", "moves"), self.parts(frames), strict=True))
        return {"frames": frames if self.of_prototype else self.beside(frames)}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return minus the distances, (B, Q, N)."""
        if self.apart:
            each = {name: -self.metric({"frames": queries[name]}, {"frames": support[name]}) for name in queries}
            return {"few_shot": (1 - self.share) * each["there"] + self.share * each["moves"]}
        if self.of_prototype:
            support, queries = ({"frames": self.beside(side["frames"])} for side in (support, queries))
        return super().episode_stage(support, queries, text)


def variants(width: int, frames: int, centre: Tensor) -> dict[str, Variant]:
    """Return what is compared, by what is said of it."""

    def made(**changed: object) -> Variant:
        return Variant(width, frames, **({"share": 0.75} | changed))  # type: ignore[arg-type]

    found = {f"w = {share:g}": made(share=share) for share in SHARES}
    found |= {"of the prototype": made(of_prototype=True), "two matchings": made(apart=True)}
    found |= {"from the first frame": made(change=from_first), "from the frame before": made(change=from_neighbour)}
    found |= {f"ε = {floor:g}": made(floor=floor) for floor in (1e-6, 0.1, 0.3)}
    return found | {"CL2N, w = 0": made(share=0.0, centre=centre), "CL2N": made(centre=centre)}


def encoded(
    run: Path, benchmark: str, clip: str, split: str, trained: Path | None = None, count: int = 8
) -> tuple[Tensor, NDArray[np.str_]]:
    """Return the features of a split's videos, (V, T, D), and the class of each, with `count` frames of each, T."""
    weights = str(run / f"data/small_clip/{clip}.safetensors")
    backbone = load_backbone(BackboneConfig(model="small-clip", weights=weights)).eval()
    if trained is not None:
        backbone.visual.load_state_dict(part_of(load_file(trained), "visual"))
    data = run / "data" / benchmark
    manifest, index = data / "manifest.parquet", data / "frames" / "index.parquet"
    videos = readable_videos(manifest, index, split)
    store, where = FrameStore(index.parent, index), torch.device("cpu")
    sampling = SamplingConfig(frames=count)
    clips = load_clips(store, list(videos["video_id"]), sampling, backbone.image_size, 0, where)
    stored = encode_videos(lambda pictures: backbone.give(pictures, Needs()), clips, where)
    return stored["frames"], videos["class_name"].to_numpy(str)


def drawn(labels: NDArray[np.str_], groups: Sequence[Sequence[str]], way: int, shot: int, count: int) -> Numbers:
    """Draw episodes of one of several groups of classes each: (E, N, K + 1) numbers of videos, the query last."""
    rng = np.random.default_rng([way, shot])
    members = {name: np.flatnonzero(labels == name) for name in np.unique(labels)}
    return np.stack(
        [
            [
                rng.choice(members[name], shot + 1, replace=False)
                for name in rng.choice(groups[rng.integers(len(groups))], way, replace=False)
            ]
            for _ in range(count)
        ]
    )


@torch.inference_mode()
def accuracy(head: Otam, frames: Tensor, episodes: Numbers, queries: Tensor | None = None) -> str:
    """Return the accuracy of episodes with its interval; queries may have other features, (V, T, D)."""
    count, way, _ = episodes.shape
    both = frames if queries is None else torch.cat([frames, queries])
    classes, text = torch.zeros(count, way, dtype=torch.long), torch.zeros(1, 0)
    compared = FewShotLogits(head.eval(), {"frames": both}, text, torch.from_numpy(episodes[..., :-1]), classes)
    asked = torch.from_numpy(episodes[..., -1]) + (0 if queries is None else len(frames))
    labels = torch.arange(way)
    parts = [slice(start, start + 250) for start in range(0, count, 250)]
    found = torch.cat([compared(part, asked[part])[0].argmax(dim=-1) for part in parts])
    right = (found == labels).double().mean(dim=1)
    return f"{100 * right.mean():.1f} ± {196 * right.std() / math.sqrt(count):.1f}"


def in_other_order(frames: Tensor) -> dict[str, Tensor]:
    """Return the features of videos whose frames are shown otherwise."""
    rng = np.random.default_rng(0)
    orders = torch.from_numpy(rng.permuted(np.tile(np.arange(frames.shape[1]), (len(frames), 1)), axis=1))
    middle = frames[:, frames.shape[1] // 2].unsqueeze(1)
    return {
        "each in a random order": torch.take_along_dim(frames, orders.unsqueeze(-1), dim=1),
        "all in one random order": frames[:, orders[0]],
        "one frame repeated": middle.expand_as(frames).contiguous(),
    }


def pairs(labels: NDArray[np.str_]) -> dict[str, list[tuple[str, str]]]:
    """Return the pairs of classes that differ by motion alone, or by shape alone."""
    names = [str(name) for name in np.unique(labels)]
    two = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    parts = {name: name.split(" ", 1) for name in names}
    return {
        "motion alone": [
            (a, b) for a, b in two if parts[a][0] == parts[b][0] and {parts[a][1], parts[b][1]} in REVERSED
        ],
        "shape alone": [(a, b) for a, b in two if parts[a][1] == parts[b][1]],
    }


def report(frames: Tensor, labels: NDArray[np.str_], count: int, controls: bool) -> None:
    """Print a row per way to do it, or per control and share."""
    shape = _sizes(frames)
    everyone = [np.unique(labels).tolist()]
    episodes = [drawn(labels, everyone, 5, shot, count) for shot in (1, 5)]
    if not controls:
        for name, head in variants(*shape, frames.mean(dim=(0, 1))).items():
            print(f"| {name} | {' | '.join(accuracy(head, frames, each) for each in episodes)} |", flush=True)
        return
    for share in (0.0, 0.75, 1.0):
        head = Variant(*shape, share)
        rows = {
            name: [accuracy(head, other, each) for each in episodes] for name, other in in_other_order(frames).items()
        }
        rows["queries backwards"] = [accuracy(head, frames, each, frames.flip(1)) for each in episodes]
        for name, groups in pairs(labels).items():
            two = [drawn(labels, groups, 2, shot, count) for shot in (1, 5)]
            rows[f"two classes, {name}"] = [accuracy(head, frames, each) for each in two]
        for name, cells in rows.items():
            print(f"| {name}, w = {share:g} | {' | '.join(cells)} |", flush=True)


def report_shares(frames: Tensor, labels: NDArray[np.str_], count: int) -> None:
    """Print a row for w = 0 and 0.75, of features as they are and rounded to 16 bits, in which motion is computed."""
    episodes = [drawn(labels, [np.unique(labels).tolist()], 5, shot, count) for shot in (1, 5)]
    for kind in (torch.float32, torch.float16, torch.bfloat16):
        for share in (0.0, 0.75):
            given = beside_motion(frames.to(kind), share).float()
            cells = [accuracy(Variant(*_sizes(given)), given, each) for each in episodes]
            print(f"| {str(kind).removeprefix('torch.')}, w = {share:g} | {' | '.join(cells)} |", flush=True)


def draw(frames: Tensor, labels: NDArray[np.str_], path: Path) -> None:
    """Draw two videos of a class and one of its reverse: their frames in two dimensions, and distances of two videos.

    The first pair of classes in the alphabet, one the other played backwards, and the first videos of each.
    """
    right, wrong = pairs(labels)["motion alone"][0]
    of = {name: frames[torch.from_numpy(np.flatnonzero(labels == name)[:2])] for name in (right, wrong)}
    videos = {f"query: {right}": of[right][0], f"support: {right}": of[right][1], f"support: {wrong}": of[wrong][0]}
    figure, axes = plt.subplots(2, 3, figsize=(8, 5), layout="constrained")
    for row, (share, name) in zip(axes, ((0.0, "as published (w = 0)"), (0.75, "with motion (w = 0.75)")), strict=True):
        seen = {title: Variant(*_sizes(frames), share).beside(video) for title, video in videos.items()}
        together = torch.cat(list(seen.values()))
        flat = (together - together.mean(dim=0)) @ torch.linalg.svd(together - together.mean(dim=0))[2][:2].T
        for (title, video), style in zip(seen.items(), ("o-", "s-", "^--"), strict=True):
            x, y = flat[: len(video)].T
            row[0].plot(x, y, style, label=title, markersize=4)
            row[0].annotate("1", (float(x[0]), float(y[0])), fontsize=8)
            flat = flat[len(video) :]
        row[0].set_title(f"frames {name}", fontsize=9)
        query, *supports = seen.items()
        for axis, (title, video) in zip(row[1:], supports, strict=True):
            distances = frame_distances(query[1][None], video[None])[0, 0]
            image = axis.imshow(distances, cmap="cividis")
            cells = np.array(hard_alignment(distances.double().numpy()))
            axis.plot(cells[:, 1], cells[:, 0], "o-", color="white", markersize=3, markeredgecolor="black")
            cost = float(both_directions(distances, OtamConfig().smoothing))
            axis.set_title(f"to {title.removeprefix('support: ')}: {cost:.2f}", fontsize=9)
            figure.colorbar(image, ax=axis, shrink=0.8)
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=130)


def _sizes(frames: Tensor) -> tuple[int, int]:
    return frames.shape[-1], frames.shape[1]


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("motion", __doc__)
    whole.add_argument("run", type=Path, metavar="RUN")
    whole.add_argument("--benchmark", default="demo-4", help="default: %(default)s")
    whole.add_argument("--clip", default="small-clip", help="default: %(default)s")
    whole.add_argument("--split", default="val", choices=["val", "test"], help="default: %(default)s")
    whole.add_argument("--trained", type=Path, help="model.safetensors of a training, whose visual encoder is taken")
    whole.add_argument("--frames", type=int, default=8, metavar="T", help="of each video; default: %(default)s")
    whole.add_argument("--shares", action="store_true", help="w alone, in 32 bits and with features of 16 bits")
    whole.add_argument("--controls", action="store_true", help="the controls in place of other ways to do it")
    whole.add_argument("--figure", type=Path, metavar="FILE", help="draw three videos in place of a table")
    whole.add_argument("--episodes", type=int, default=2000, help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    own = parser().parse_args(arguments)
    frames, labels = encoded(own.run, own.benchmark, own.clip, own.split, own.trained, own.frames)
    if own.figure:
        return draw(frames, labels, own.figure)
    print("| | 1-shot | 5-shot |\n|---|---|---|")
    if own.shares:
        return report_shares(frames, labels, own.episodes)
    report(frames, labels, own.episodes, own.controls)


if __name__ == "__main__":
    main()
