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
from PIL import Image

from fsar.config import SamplingConfig
from fsar.episodes.stored import StoredEpisodes
from fsar.errors import UserError
from fsar.evaluation.feature_file import read_features
from fsar.evaluation.load_head import load_head
from fsar.evaluation.made_from import WEIGHTS, short_checksum
from fsar.evaluation.predictions import predictions_made_from, read_predictions
from fsar.methods import Components
from fsar.methods.blocks.similarity import frame_distances
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.alignment import hard_alignment
from fsar.results.figures import labels
from fsar.seal import REMEDY
from fsar.videos.sampling import positions_at_test
from fsar.videos.store_read import FrameStore

THUMBNAIL = 96  # pixels


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
    rows, kept, class_rows, text = read_features(Path(features))
    frames = kept["frames"]
    model = load_head(Components(**components), ClipFsarConfig(**head), Path(features), Path(trained)).eval()
    assert isinstance(model, ClipFsar)  # these figures are planned for CLIP-FSAR and its parts
    tested = predictions_made_from(predictions).get(WEIGHTS)
    if tested is not None and tested != short_checksum(trained):
        raise UserError(f"The predictions {predictions} are of other weights than {trained}. {REMEDY}.")
    stored, table = StoredEpisodes.read(Path(episodes)), read_predictions(predictions, method, way, 1)
    store = FrameStore(Path(index).parent, Path(index))
    options = SamplingConfig(**sampling)

    def strip(video: str) -> bytes:
        number = store.numbers([video])[0]
        positions = positions_at_test(
            video, store.length(number), store.fps(number), options, seed, store.timed(number)
        )
        pictures = [Image.fromarray(frame).resize((THUMBNAIL, THUMBNAIL)) for frame in store.frames(number, positions)]
        whole = Image.new("RGB", (THUMBNAIL * len(pictures), THUMBNAIL))
        for place, picture in enumerate(pictures):
            whole.paste(picture, (place * THUMBNAIL, 0))
        buffer = io.BytesIO()
        whole.save(buffer, format="JPEG", quality=85)
        return buffer.getvalue()

    found = []
    right = table["label"] == table["predicted"]
    for outcome, queries in (("right", table[right]), ("wrong", table[~right])):
        if queries.empty:
            continue
        query = queries.iloc[0]
        episode, true, predicted = int(query["episode"]), int(query["label"]), int(query["predicted"])
        asked = stored.video_ids[stored.queries[episode, true, 0]]
        other = predicted if predicted != true else (true + 1) % stored.classes.shape[1]
        for label in (true, other):
            support = stored.video_ids[stored.support[episode, label, 0]]
            name = stored.class_names[stored.classes[episode, label]]
            with torch.inference_mode():
                modulated = model.modulate(frames[[rows[asked]]])
                prototype = model.modulate(frames[[rows[support]]], text[[class_rows[name]]])
                distances = frame_distances(modulated, prototype)[0, 0].numpy().astype(float)
            path = hard_alignment(distances)
            found.append(
                {
                    "outcome": outcome,
                    "true_class": stored.class_names[stored.classes[episode, true]],
                    "class_name": name,
                    "predicted": label == predicted,
                    "distances": distances.ravel(),
                    "path": np.array(path).ravel(),
                    "query": strip(asked),
                    "support": strip(support),
                    "title": title,
                }
            )
    return pd.DataFrame(found)


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
