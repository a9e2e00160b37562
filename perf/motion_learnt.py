"""Would learning help what moves (docs/motion.md)? Its share, and a filter in time, by the few-shot loss.

On frozen features of a small CLIP, matched by OTAM: w alone, a filter of 3 or 5 taps with w fixed, and both are trained
on episodes of the demo's training classes, and tested on its validation classes, 5-way, in the same episodes. A filter
is taken of frames minus their video's mean, over time, with weights that all numbers of a feature share; it begins as
no filter at all. Each row is accuracy in percent at one and at five shots, the paired difference from w = 0.75 without
a filter with its 95 % interval over episodes, and what was learnt.

RUN is the directory of a run with the benchmark's data, such as studies/motion.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fsar.methods.blocks.motion import LEAST_MOTION
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.otam.head import Otam
from fsar.methods.otam.record import OtamConfig
from perf.command import reader
from perf.motion import Numbers, drawn, encoded

AT_ONCE = 8  # episodes of a step
SHARE = 0.75
SHOTS = (1, 5)


class Learnt(Otam):
    """OTAM on frames with what moves, whose share and filter in time are parameters.

    Args:
        width, frames: D and T.
        share: w at the start.
        taps: of the filter, an odd number; 1 for none.
        learns_share: w is trained.
    """

    def __init__(self, width: int, frames: int, share: float, taps: int = 1, learns_share: bool = False):
        super().__init__(Inputs(width, frames), OtamConfig())
        self.logit = nn.Parameter(torch.logit(torch.tensor(share)), requires_grad=learns_share)
        start = torch.zeros(taps)
        start[taps // 2] = 1.0
        self.filter = nn.Parameter(start, requires_grad=taps > 1)

    def represent(self, frames: Tensor) -> Tensors:
        """Return frames beside what moves, (V, T, 2·D)."""
        share, reach = torch.sigmoid(self.logit), len(self.filter) // 2
        change = frames - frames.mean(dim=1, keepdim=True)
        padded = torch.cat([change[:, :1]] * reach + [change] + [change[:, -1:]] * reach, dim=1)
        change = torch.einsum("vtdk,k->vtd", padded.unfold(1, len(self.filter), 1), self.filter)
        noise = LEAST_MOTION * frames.norm(dim=-1, keepdim=True)
        moves = F.normalize(torch.cat([change, noise], dim=-1), dim=-1)[..., :-1]
        return {"frames": torch.cat([(1 - share).sqrt() * F.normalize(frames, dim=-1), share.sqrt() * moves], dim=-1)}

    def said(self) -> str:
        """Return what was learnt."""
        taps = ", ".join(f"{tap:.2f}" for tap in (self.filter / self.filter.norm()).tolist())
        return f"w = {float(torch.sigmoid(self.logit.detach())):.2f}" + (f"; {taps}" if len(self.filter) > 1 else "")


@dataclass(frozen=True)
class Videos:
    """Features of a split, (V, T, D), and the class of each."""

    frames: Tensor
    labels: NDArray[np.str_]

    def episodes(self, shot: int, count: int) -> Numbers:
        """Draw 5-way episodes: (E, N, K + 1) numbers of videos, the query last."""
        return drawn(self.labels, [np.unique(self.labels).tolist()], 5, shot, count)


def logits(head: Learnt, frames: Tensor, episodes: Numbers) -> Tensor:
    """Return the logits of the queries of some episodes, (B, Q, N)."""
    rows = torch.from_numpy(episodes)
    videos, places = rows.unique(return_inverse=True)
    seen = head.represent(frames[videos])["frames"][places]  # (B, N, K + 1, T, 2·D)
    support = {"frames": seen[:, :, :-1].mean(dim=2, keepdim=True)}
    return head.episode_stage(support, {"frames": seen[:, :, -1]}, torch.empty(0))["few_shot"]


def train(head: Learnt, videos: Videos, steps: int) -> None:
    """Train what there is to train by the few-shot loss of one-shot episodes."""
    episodes = videos.episodes(1, AT_ONCE * steps)
    optimizer = torch.optim.Adam([each for each in head.parameters() if each.requires_grad], lr=0.02)
    labels = torch.arange(episodes.shape[1]).repeat(AT_ONCE)
    for step in range(steps):
        own = logits(head, videos.frames, episodes[AT_ONCE * step : AT_ONCE * (step + 1)])
        optimizer.zero_grad()
        F.cross_entropy(own.flatten(0, 1), labels).backward()
        optimizer.step()


@torch.inference_mode()
def right(head: Learnt, videos: Videos, episodes: Numbers) -> NDArray[np.float64]:
    """Return the accuracy of each episode, (E,)."""
    parts = [logits(head, videos.frames, own) for own in np.array_split(episodes, max(1, len(episodes) // 100))]
    labels = torch.arange(episodes.shape[1])
    return (torch.cat(parts).argmax(dim=-1) == labels).double().mean(dim=1).numpy()


def report(trained: Videos, tested: Videos, steps: int, count: int) -> None:
    """Train each way and print its row."""
    sizes = trained.frames.shape[-1], trained.frames.shape[1]
    heads = {"as it is": Learnt(*sizes, SHARE), "learnt share": Learnt(*sizes, 0.5, learns_share=True)}
    heads |= {f"filter of {taps}": Learnt(*sizes, SHARE, taps) for taps in (3, 5)}
    heads["share and filter of 3"] = Learnt(*sizes, 0.5, 3, learns_share=True)
    episodes = [tested.episodes(shot, count) for shot in SHOTS]
    plain: list[NDArray[np.float64]] = []
    for name, head in heads.items():
        if any(each.requires_grad for each in head.parameters()):
            train(head, trained, steps)
        found = [right(head, tested, each) for each in episodes]
        plain = plain or found
        cells = []
        for own, before in zip(found, plain, strict=True):
            interval = 196 * (own - before).std(ddof=1) / np.sqrt(count)
            cells.append(f"{100 * own.mean():.1f} ({100 * (own - before).mean():+.1f} ± {interval:.1f})")
        print(f"| {name} | {' | '.join(cells)} | {head.said()} |", flush=True)


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    whole = reader("motion_learnt", __doc__)
    whole.add_argument("run", type=Path, metavar="RUN")
    whole.add_argument("--benchmark", default="demo-4", help="default: %(default)s")
    whole.add_argument("--clip", default="small-clip", help="default: %(default)s")
    whole.add_argument("--steps", type=int, default=150, help=f"of {AT_ONCE} episodes each; default: %(default)s")
    whole.add_argument("--episodes", type=int, default=2000, help="default: %(default)s")
    return whole


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    own = parser().parse_args(arguments)
    torch.manual_seed(0)
    trained, tested = (Videos(*encoded(own.run, own.benchmark, own.clip, split)) for split in ("train", "val"))
    print("| | 1-shot | 5-shot | learnt |\n|---|---|---|---|")
    report(trained, tested, own.steps, own.episodes)


if __name__ == "__main__":
    main()
