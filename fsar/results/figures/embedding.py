"""t-SNE of test videos before and after the temporal transformer (van der Maaten and Hinton, 2008)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from fsar.evaluation.feature_file import read_features
from fsar.evaluation.load_head import load_head
from fsar.files import read_parquet
from fsar.methods import Components
from fsar.methods.clip_fsar.head import ClipFsar
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.results.figures import style
from fsar.sources.schemas import MANIFEST_SCHEMA

CLASSES, VIDEOS = 8, 30  # as many as a figure can show


def collect(
    title: str,
    features: str,
    trained: str,
    manifest: str,
    components: Mapping[str, Any],
    head: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Return two dimensions of the mean frame features of some test videos, before and after modulation.

    Videos are modulated as support videos are, with the text of their class.
    """
    torch.set_num_threads(1)
    rows, kept, class_rows, text = read_features(Path(features))
    frames = kept["frames"]
    model = load_head(Components(**components), ClipFsarConfig(**head), Path(features), Path(trained)).eval()
    assert isinstance(model, ClipFsar)  # these figures are planned for CLIP-FSAR and its parts
    videos = read_parquet(manifest, MANIFEST_SCHEMA).query("split == 'test'")
    videos = videos[videos["video_id"].isin(rows)]
    rng = np.random.default_rng([seed, 7])
    names = sorted(videos["class_name"].unique())
    chosen = sorted(rng.choice(names, min(CLASSES, len(names)), replace=False))
    videos = videos[videos["class_name"].isin(chosen)].groupby("class_name", sort=True).head(VIDEOS)
    own = frames[[rows[video] for video in videos["video_id"]]]
    with torch.inference_mode():
        modulated = model.modulate(own, text[[class_rows[name] for name in videos["class_name"]]])
    parts = []
    for stage, values in (("before modulation", own), ("after modulation", modulated)):
        points = torch.nn.functional.normalize(values.mean(dim=1), dim=1).numpy()
        perplexity = min(20.0, (len(points) - 1) / 3)
        flat = TSNE(perplexity=perplexity, init="pca", random_state=seed, metric="cosine").fit_transform(points)
        parts.append(
            pd.DataFrame({"stage": stage, "class_name": videos["class_name"], "x": flat[:, 0], "y": flat[:, 1]})
        )
    return pd.concat(parts, ignore_index=True).assign(title=title)


def draw(data: pd.DataFrame) -> Figure:
    """Draw both stages side by side; axes have no unit and no numbers."""
    stages, classes = style.ordered(data["stage"]), style.ordered(data["class_name"])
    colours = style.colours(classes)
    figure, axes = style.panels(len(stages), height=3.0)
    for axis, stage in zip(axes, stages, strict=True):
        for number, name in enumerate(classes):
            own = data[(data["stage"] == stage) & (data["class_name"] == name)]
            marker = style.MARKERS[number % len(style.MARKERS)]
            axis.scatter(own["x"], own["y"], s=12, marker=marker, color=colours[name], label=name, linewidth=0)
        style.panel_title(axis, f"{stage} ({data['title'].iloc[0]})")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_xlabel("t-SNE, first dimension")
        axis.set_ylabel("t-SNE, second dimension")
    style.legend_below(figure, axes[0], columns=4)
    return figure
