"""Two queries of test episodes, one taken for the right class and one for a wrong one, with OTAM's alignment drawn."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from fsar.config import SamplingConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.load_head import load_head
from fsar.evaluation.made_from import WEIGHTS, short_checksum
from fsar.evaluation.predictions import predictions_made_from, read_predictions, views_of
from fsar.methods import Components
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.alignment import hard_alignment
from fsar.pages.strips import strip_of
from fsar.results.figures import labels
from fsar.seal import REMEDY
from fsar.videos.sampling import centres, positions_at_test
from fsar.videos.store_read import FrameStore


def collect(
    title: str,
    features: str,
    trained: str,
    episodes: str,
    predictions: str,
    method: str,
    way: int,
    index: str,
    components: Mapping[str, Any],
    head: Mapping[str, Any],
    sampling: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Return, for the first right and the first wrong prediction of one-shot episodes, distances, alignment and frames.

    Returns:
        A row per query and class shown: outcome (right or wrong), true and shown class, whether it was predicted, the
        T × T frame distances, the alignment's cells, and the strips of both videos as JPEG.
    """
    torch.set_num_threads(1)
    tested = predictions_made_from(predictions).get(WEIGHTS)
    if tested is not None and tested != short_checksum(trained):
        raise UserError(f"The predictions {predictions} are of other weights than {trained}. {REMEDY}.")
    compared = _Comparison(Path(features), Path(trained), Components(**components), ClipFsarConfig(**head))
    steps = compared.frames.shape[1]
    pictures = _Strips(FrameStore(Path(index).parent, Path(index)), SamplingConfig(**sampling), seed, steps)
    stored, table = StoredEpisodes.read(Path(episodes)), read_predictions(predictions, method, way, 1)
    table = table.iloc[: len(table) // views_of(predictions)]  # the draw of frames that is shown
    right = table["label"] == table["predicted"]
    found = []
    for outcome, queries in (("right", table[right]), ("wrong", table[~right])):
        if queries.empty:
            continue
        episode, true, predicted = (int(queries.iloc[0][name]) for name in ("episode", "label", "predicted"))
        query = str(queries.iloc[0]["video_id"])
        other = predicted if predicted != true else (true + 1) % stored.classes.shape[1]
        names = [stored.class_names[number] for number in stored.classes[episode]]
        for label in (true, other):
            support = stored.video_ids[stored.support[episode, label, 0]]
            distances = compared.distances(query, support, names[label])
            found.append(
                {
                    "outcome": outcome,
                    "true_class": names[true],
                    "class_name": names[label],
                    "predicted": label == predicted,
                    "distances": distances.ravel(),
                    "path": np.array(hard_alignment(distances)).ravel(),
                    "query": pictures.of(query),
                    "support": pictures.of(support),
                    "title": title,
                }
            )
    return pd.DataFrame(found)


class _Comparison:
    """Test videos' features and the model that compares them."""

    def __init__(self, features: Path, trained: Path, components: Components, head: ClipFsarConfig):
        self.rows, kept, self.class_rows, self.text = read_features(features)
        self.frames = kept["frames"]
        model = load_head(components, head, features, trained).eval()
        assert isinstance(model, ClipFsar)  # these figures are planned for CLIP-FSAR and its parts
        self.model = model

    @torch.inference_mode()
    def distances(self, query: str, support: str, class_name: str) -> NDArray[np.float64]:
        """Return 1 − cos of the frames of two videos, (T, T), the support video's with the text of its class."""
        asked, shot = ({"frames": self.frames[[self.rows[video]]]} for video in (query, support))
        text = self.text[[self.class_rows[class_name]]]
        return (
            frame_distances(self.model.single_frames(asked), self.model.single_frames(shot, text))[0, 0]
            .numpy()
            .astype(float)
        )


class _Strips:
    """The frames of videos that tests look at."""

    def __init__(self, store: FrameStore, sampling: SamplingConfig, seed: int, shown: int):
        self.store, self.sampling, self.seed, self.shown = store, sampling, seed, shown

    def of(self, video: str) -> bytes:
        """Return the frames of a video side by side, as JPEG: one for each feature."""
        store, number = self.store, self.store.numbers([video])[0]
        length, fps, timed = store.length(number), store.fps(number), store.timed(number)
        positions = positions_at_test(video, length, fps, self.sampling, self.seed, timed)
        return strip_of(store.frames(number, positions[centres(len(positions), self.shown)]))


MATRIX, STRIP, GAP, BAR = 2.3, 0.3, 0.25, 0.75  # inches
FONT = 7  # points


def draw(data: pd.DataFrame) -> Figure:
    """Draw a matrix per query and class, the query's frames at its left, the support's above it."""
    frames = int(np.sqrt(len(data["distances"].iloc[0])))
    lowest = min(np.min(values) for values in data["distances"])
    highest = max(np.max(values) for values in data["distances"])
    above_it, beside_it = _titles(data)
    left, top = (0.15 + 0.12 * max(text.count("\n") + 1 for text in texts) for texts in (beside_it, above_it))
    panel = (left + STRIP + MATRIX + GAP, top + STRIP + MATRIX + GAP)
    rows = -(-len(data) // 2)
    width, height = 2 * panel[0], rows * panel[1] + BAR
    figure = plt.figure(figsize=(width, height))

    def axis_at(x: float, y: float, w: float, h: float) -> Axes:
        """Return empty axes, placed in inches from the upper left corner."""
        axis = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(visible=False)
        return axis

    image: Any = None
    for number, row in enumerate(data.itertuples()):
        x, y = number % 2 * panel[0] + left, number // 2 * panel[1] + top
        support, query = (np.asarray(Image.open(io.BytesIO(strip))) for strip in (row.support, row.query))
        size = query.shape[0]
        above = axis_at(x + STRIP, y, MATRIX, STRIP)
        above.imshow(support, aspect="auto")
        above.set_title(above_it[number], fontsize=FONT, pad=3)
        beside = axis_at(x, y + STRIP, STRIP, MATRIX)
        pictures = [query[:, place * size : (place + 1) * size] for place in range(frames)]
        beside.imshow(np.concatenate(pictures, axis=0), aspect="auto")
        beside.set_ylabel(beside_it[number], fontsize=FONT, labelpad=2)
        matrix = axis_at(x + STRIP, y + STRIP, MATRIX, MATRIX)
        distances = np.reshape(row.distances, (frames, frames))
        image = matrix.imshow(distances, cmap="cividis", vmin=lowest, vmax=highest, aspect="auto")
        path = np.reshape(row.path, (-1, 2))
        matrix.plot(path[:, 1], path[:, 0], "o-", color="white", markersize=3, linewidth=1.2, markeredgecolor="black")
    bar_axis = figure.add_axes((0.2, (BAR - 0.25) / height, 0.6, 0.1 / height))
    bar = figure.colorbar(image, cax=bar_axis, orientation="horizontal")
    bar.ax.tick_params(labelsize=FONT, pad=2)
    title = data["title"].iloc[0]
    bar.set_label(f"1 − cosine of two frames; line: their alignment ({title})", fontsize=FONT, labelpad=2)
    return figure


def _titles(data: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return what is said above and beside each matrix, in lines as long as its sides."""
    above, beside = [], []
    for row in data.itertuples():
        verdict = ", predicted" if row.predicted else ""
        above.append(labels.wrap(f"support: {row.class_name}{verdict}", MATRIX, FONT, lines=4))
        query = f"query: {row.true_class} (taken for the {row.outcome} class)"
        beside.append(labels.wrap(query, MATRIX, FONT, lines=4))
    return above, beside
