"""Stored episodes: drawn once for validation and test, so that every method is tested on the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fsar.benchmarks.splits import SPLITS
from fsar.class_names import letters
from fsar.episodes.draw import EpisodeSampler, asked_in_all
from fsar.errors import UserError
from fsar.files import read_parquet, write_parquet
from fsar.job import progress
from fsar.sources.schemas import MANIFEST_SCHEMA
from fsar.videos.shards import INDEX_SCHEMA

# The label of a query of none of an episode's classes.
UNKNOWN = -1
SCHEMA = pa.schema(
    [
        ("episode", pa.int32()),
        ("label", pa.int16()),  # of the class in the episode, 0 to way − 1; −1 of an unknown query
        ("role", pa.dictionary(pa.int8(), pa.string())),  # support, query, unknown, or spare: a query that is not asked
        ("class_name", pa.dictionary(pa.int32(), pa.string())),
        ("video_id", pa.dictionary(pa.int32(), pa.string())),
    ]
)


def readable_videos(manifest: Path, index: Path, split: str, without: Sequence[str] = ()) -> pd.DataFrame:
    """Return the videos of a split that could be decoded: the manifest's columns, in its order.

    Args:
        manifest, index: of the benchmark.
        split: train, val or test.
        without: training and validation classes that are left out, whatever the spelling of their names.

    Raises:
        UserError: there is no such training or validation class.
    """
    videos = read_parquet(manifest, MANIFEST_SCHEMA)
    if without:
        names = videos["class_name"].map(letters)
        _check_left_out(manifest, without, set(names[videos["split"] != "test"]))
        videos = videos[~names.isin({letters(name) for name in without}) | (videos["split"] == "test")]
    readable = read_parquet(index, INDEX_SCHEMA, ["video_id", "status"]).query("status == 'ok'")["video_id"]
    return videos[(videos["split"] == split) & videos["video_id"].isin(readable)].reset_index(drop=True)


def _check_left_out(manifest: Path, without: Sequence[str], classes: set[str]) -> None:
    if unknown := [name for name in without if letters(name) not in classes]:
        raise UserError(
            f"To be left out are {', '.join(map(repr, unknown))}, but {manifest} has no training or validation class "
            "of this name (key remove or without of a benchmark)"
        )


def draw_episodes(
    manifest: Path,
    index: Path,
    split: str,
    way: int,
    shot: int,
    queries: int,
    count: int,
    seed: int,
    path: Path,
    without: Sequence[str] = (),
    unknown: int = 0,
    in_all: int = 0,
) -> None:
    """Draw `count` episodes of a split, without some classes, and store them.

    Episodes of one way and shot depend on these and the seed alone, so adding a shot does not change the others.
    Neither do unknown queries, of classes that their episode has not, which follow as rows after all others. Where
    queries are drawn `in_all`, from all videos of an episode's classes, the others of its queries are spare.

    Raises:
        UserError: a class has too few readable videos, or there is none of a name to leave out; names the class.
    """
    videos = readable_videos(manifest, index, split, without)
    try:
        sampler = EpisodeSampler(videos["class_name"].to_numpy(object), way, shot, queries)
        sampler.check_unknown(unknown)
    except UserError as error:
        raise UserError(f"{split} split of {manifest}: {error}") from None
    rng = np.random.default_rng([seed, 4, SPLITS.index(split), way, shot, queries])
    classes = np.empty((count, way), np.int32)
    drawn = np.empty((count, way, shot + queries), np.int32)
    for number in progress(range(count), "drawing episodes", "episode"):
        episode = sampler.draw(rng)
        classes[number] = episode.classes
        drawn[number] = np.concatenate([episode.support, episode.queries], axis=1)
    each = shot + queries
    role = np.tile(np.r_[np.zeros(shot, np.int8), np.ones(queries, np.int8)], count * way)
    if in_all:
        sizes = np.array([len(own) for own in sampler.videos])
        rng = np.random.default_rng([seed, 9, SPLITS.index(split), way, shot, queries, in_all])
        asked = np.stack([asked_in_all(sizes[own] - shot, in_all, queries, rng) for own in classes])
        role.reshape(count, way, each)[..., shot:][~asked] = 2
    frame = pd.DataFrame(
        {
            "episode": np.repeat(np.arange(count, dtype=np.int32), way * each),
            "label": np.tile(np.repeat(np.arange(way, dtype=np.int16), each), count),
            "role": pd.Categorical.from_codes(role, categories=["support", "query", *(["spare"] if in_all else [])]),
            "class_name": pd.Categorical.from_codes(np.repeat(classes.ravel(), each), categories=sampler.class_names),
            "video_id": pd.Categorical.from_codes(drawn.ravel(), categories=videos["video_id"]),
        }
    )
    if unknown:
        place = seed, 8, SPLITS.index(split), way, shot, queries
        frame = pd.concat([frame, _unknown_queries(sampler, frame, classes, unknown, place)], ignore_index=True)
    write_parquet(path, frame, SCHEMA)


def _unknown_queries(
    sampler: EpisodeSampler, known: pd.DataFrame, classes: NDArray[np.int32], unknown: int, place: tuple[int, ...]
) -> pd.DataFrame:
    """Draw the unknown queries of all episodes, of (E, N) classes each; columns as of the known ones."""
    drawn = [
        sampler.draw_unknown(own, unknown, np.random.default_rng([*place, number]))
        for number, own in enumerate(progress(classes, "drawing unknown queries", "episode"))
    ]
    names, videos = (np.concatenate(own) for own in zip(*drawn, strict=True))
    return pd.DataFrame(
        {
            "episode": np.repeat(np.arange(len(classes), dtype=np.int32), unknown),
            "label": np.int16(UNKNOWN),
            "role": "unknown",
            "class_name": pd.Categorical.from_codes(names, dtype=known["class_name"].dtype),
            "video_id": pd.Categorical.from_codes(videos, dtype=known["video_id"].dtype),
        }
    )


def _none() -> NDArray[np.int64]:
    return np.empty((0, 0), np.int64)


@dataclass(frozen=True)
class StoredEpisodes:
    """Stored episodes as arrays; E episodes, way N, shot K, Q queries per class, U unknown queries per episode.

    Attributes:
        video_ids: ids of the videos that occur; the numbers below are places in this list.
        class_names: the classes that occur, likewise.
        classes: (E, N) class numbers by label.
        support: (E, N, K) video numbers.
        queries: (E, N, Q) video numbers.
        unknown: (E, U) video numbers of queries of none of the episode's classes; (0, 0) where there are none.
        unknown_classes: (E, U) class numbers of these.
        asked: (E, N, Q) which queries are asked; None where all are.
    """

    video_ids: list[str]
    class_names: list[str]
    classes: NDArray[np.int64]
    support: NDArray[np.int64]
    queries: NDArray[np.int64]
    unknown: NDArray[np.int64] = field(default_factory=_none)
    unknown_classes: NDArray[np.int64] = field(default_factory=_none)
    asked: NDArray[np.bool_] | None = None

    def between(self, start: int, end: int) -> "StoredEpisodes":
        """Return the episodes from `start` to before `end`."""
        part = slice(start, end)
        names = ("classes", "support", "queries", "unknown", "unknown_classes")
        asked = None if self.asked is None else self.asked[part]
        return replace(self, asked=asked, **{name: getattr(self, name)[part] for name in names})

    @classmethod
    def read(cls, path: Path) -> "StoredEpisodes":
        """Read a file written by `draw_episodes`.

        Raises:
            UserError: it is not there, or is damaged.
        """
        table = read_parquet(path, SCHEMA)
        video, name = table["video_id"].astype("category"), table["class_name"].astype("category")
        count, way = int(table["episode"].iloc[-1]) + 1, int(table["label"].max()) + 1
        known = table["label"].to_numpy() != UNKNOWN  # all of them stand before the unknown ones
        videos, names = (column.cat.codes.to_numpy(np.int64) for column in (video, name))
        unknown, unknown_classes = (own[~known].reshape(count, -1) for own in (videos, names))
        videos, names = (own[known].reshape(count, way, -1) for own in (videos, names))
        role = table["role"].to_numpy()
        shot = int((role[: videos.shape[-1]] == "support").sum())
        asked = (role[known] == "query").reshape(videos.shape)[..., shot:]
        return cls(
            video_ids=list(video.cat.categories),
            class_names=list(name.cat.categories),
            classes=names[..., 0],
            support=videos[..., :shot],
            queries=videos[..., shot:],
            unknown=unknown,
            unknown_classes=unknown_classes,
            asked=None if asked.all() else asked,
        )
