"""The plots beside the tables."""

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fsar.results.figures import style


def steps(rows: pd.DataFrame, path: Path) -> None:
    """Draw the milliseconds of each choice, a panel for each backbone."""
    rows = rows.dropna(subset=["seconds"]).assign(milliseconds=lambda table: 1e3 * table["seconds"])
    names = list(dict.fromkeys(rows["backbone"]))
    style.apply()
    figure, axes = style.panels(len(names))
    for name, axis in zip(names, axes, strict=True):
        own = rows[rows["backbone"] == name]
        sns.barplot(own, y="choice", x="milliseconds", hue="arithmetic", palette="colorblind", ax=axis)
        axis.get_legend().remove()
        axis.set(title=name, ylabel="", xlabel="milliseconds of a step")
    style.legend_below(figure, axes[0])
    save(figure, path)


def memory(rows: pd.DataFrame, path: Path) -> None:
    """Draw what was counted against what the GPU kept, and the most of a step."""
    recomputed = rows["recomputed"].map({True: ", computed again", False: ""})
    names = rows["backbone"] + ", " + rows["arithmetic"] + recomputed
    titles = {"counted_gb": "counted", "kept_gb": "kept", "peak_gb": "most of a step"}
    columns = {key: title for key, title in titles.items() if key in rows}
    long = rows.assign(name=names).melt("name", list(columns), "what", "gigabytes").replace({"what": columns})
    style.apply()
    figure, (axis,) = style.panels(1, width=1.6 * style.COLUMN)
    sns.barplot(long.dropna(subset=["gigabytes"]), y="name", x="gigabytes", hue="what", palette="colorblind", ax=axis)
    axis.get_legend().remove()
    axis.set(ylabel="")
    style.legend_below(figure, axis)
    save(figure, path)


def evaluation(rows: pd.DataFrame, path: Path) -> None:
    """Draw the seconds of a test's episodes by method and shot."""
    style.apply()
    figure, (axis,) = style.panels(1)
    sns.barplot(rows, x="method", y="seconds", hue="shot", palette="colorblind", ax=axis)
    axis.set(xlabel="", ylabel="seconds of all episodes")
    save(figure, path)


def loss_scale(rows: pd.DataFrame, path: Path) -> None:
    """Draw the scale of the loss over the steps."""
    style.apply()
    figure, (axis,) = style.panels(1)
    axis.step(rows["step"], rows["scale"], where="post")
    axis.set_yscale("log", base=2)
    axis.set(xlabel="step", ylabel="scale of the loss")
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, which any page shows."""
    figure.savefig(path, dpi=150)
    plt.close(figure)


# By the name of the table.
PLOTS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "steps": steps,
    "memory": memory,
    "evaluation": evaluation,
    "loss_scale": loss_scale,
    "compilation": steps,
}
