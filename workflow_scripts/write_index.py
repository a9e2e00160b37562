"""Write the page of results, and the resolved config."""

from pathlib import Path

from fsar.config import load
from fsar.config.overview import decisive_record, effective
from fsar.job import logged
from fsar.results.index import ShownFigure, write_index


def paths(names):
    """Return names of files as paths."""
    return [Path(name) for name in names]


with logged(snakemake.log[0]):
    files, config = snakemake.input, load(snakemake.config)
    pngs = zip(paths(files.figures), snakemake.params.figures, strict=True)
    write_index(
        Path(snakemake.output.page),
        Path(snakemake.output.config),
        config=config.model_dump(),
        changed=decisive_record(config),
        effective=effective(config),
        settings=snakemake.params.settings,
        table=Path(files.table[0]),
        comparisons=Path(files.statistics[0]),
        classes=Path(files.statistics[1]),
        unknown=Path(files.unknown[0]) if files.unknown else None,
        figures=[ShownFigure(png, *planned) for png, planned in pngs],
        strips_of_classes=dict(zip(snakemake.params.benchmarks, paths(files.strips), strict=True)),
        counts=paths(files.counts),
        trainings=paths(files.trainings),
        cards=paths(files.cards),
        files={
            "Every setting": paths(files.table),
            "Tables as in the paper": paths(files.layouts),
            "Paired comparisons, and accuracies by class": paths(files.statistics),
            "Unknown queries": paths(files.unknown),
            "Every query of every test episode": paths(files.predictions),
            "Trained models": paths(files.cards),
            "Data": paths(files.reports),
            "Labels of clips": paths(files.labels),
        },
    )
