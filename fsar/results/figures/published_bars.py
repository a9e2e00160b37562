"""What CLIP brings and what CLIP-FSAR adds, as published: OTAM on ImageNet and on CLIP features, and CLIP-FSAR."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from fsar.results.figures import style
from fsar.results.figures.summary import summarise
from fsar.results.published import MARK, published_results
from fsar.results.setting import Setting

BARS = {
    ("OTAM", "INet-RN50"): "OTAM, ImageNet RN50",
    ("OTAM", "CLIP-RN50"): "OTAM, CLIP RN50",
    ("CLIP-FSAR", "CLIP-RN50"): "CLIP-FSAR, CLIP RN50",
    ("CLIP-FSAR", "CLIP-ViT-B/16"): "CLIP-FSAR, CLIP ViT-B/16",
}


def collect(settings: Sequence[Setting], benchmarks: Mapping[str, str]) -> pd.DataFrame:
    """Return the published 5-way 1-shot accuracies, and those measured for the same methods and benchmarks.

    Args:
        settings: what was measured.
        benchmarks: the published ones with their titles, in the order of the figure.
    """
    table = published_results().query("way == 5 and shot == 1")
    rows = [
        {
            "benchmark": row.benchmark,
            "bar": BARS[row.method, row.backbone],
            "figures": "published",
            "accuracy": row.accuracy,
            "quoted": row.quoted,
        }
        for row in table.itertuples()
        if (row.method, row.backbone) in BARS and row.benchmark in benchmarks
    ]
    own = [s for s in settings if s.way == 5 and s.shot == 1 and s.benchmark in benchmarks]
    own = [s for s in own if (s.published_method, s.published_backbone) in BARS]
    for setting, row in zip(own, summarise(own).itertuples(), strict=True):
        bar = BARS[setting.published_method, setting.published_backbone]
        own_row = {"benchmark": row.benchmark, "bar": bar, "figures": "measured", "accuracy": row.accuracy}
        rows.append({**own_row, "quoted": False})
    table = pd.DataFrame(rows).drop_duplicates(["benchmark", "bar", "figures"])
    table = table.assign(title=table["benchmark"].map(benchmarks))
    return table.sort_values("benchmark", key=lambda names: names.map(list(benchmarks).index), kind="stable")


def draw(data: pd.DataFrame) -> Figure:
    """Draw groups of bars, with measured accuracies as points on them; second-hand ones are marked."""
    figure, (axis,) = style.panels(1, width=2 * style.COLUMN)
    colours = style.colours(list(BARS.values()))
    width = 0.8 / len(BARS)
    titles = list(dict.fromkeys(data["title"]))
    for number, bar in enumerate(BARS.values()):
        for figures in ("published", "measured"):
            own = data[(data["bar"] == bar) & (data["figures"] == figures)]
            places = [titles.index(title) + (number - (len(BARS) - 1) / 2) * width for title in own["title"]]
            heights = own["accuracy"].to_list()
            if figures == "measured":
                label = "measured here" if bar == data[data["figures"] == "measured"]["bar"].min() else None
                axis.plot(places, heights, "D", color="black", markersize=3.5, label=label)
                continue
            hatch = style.HATCHES[number % len(style.HATCHES)]
            axis.bar(places, heights, width, label=bar, color=colours[bar], hatch=hatch, edgecolor="white")
            for place, row in zip(places, own.itertuples(), strict=True):  # at the foot, where no diamond comes
                label = f"{row.accuracy:.1f}" + (f" {MARK}" if row.quoted else "")
                axis.text(place, 3, label, ha="center", fontsize=6, bbox={"color": "white", "pad": 0.8})
    if data["quoted"].any():
        axis.plot([], [], " ", label=f"{MARK} quoted second-hand")
    axis.set_xticks(range(len(titles)), titles)
    axis.set_ylabel("accuracy (%), 5-way 1-shot")
    axis.set_ylim(0, 105)
    axis.grid(axis="x", visible=False)
    style.legend_below(figure, axis)
    return figure
