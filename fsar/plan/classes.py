"""The classes of a benchmark, as far as they are known before any job."""

from pathlib import Path

import pandas as pd

from fsar.benchmarks.splits import SPLITS
from fsar.config import Config, CsvSource, DemoSource
from fsar.files import read_parquet
from fsar.plan import paths
from fsar.sources.demo.actions import class_name, split_classes
from fsar.sources.manifest import read_listings
from fsar.sources.schemas import MANIFEST_SCHEMA


def known_classes(config: Config, benchmark: str) -> dict[str, set[str]] | None:
    """Return the names of a benchmark's classes by split; None while they are not known.

    Those of the demo follow from its config, those of a user's list are in it, and those of a published benchmark are
    known once its manifest is there.

    Raises:
        UserError: a user's list cannot be used.
    """
    source = config.benchmarks[benchmark].source
    if isinstance(source, DemoSource):
        dealt = split_classes(source.classes, config.seed, source.deal, source.shapes)
        return {split: {class_name(*own) for own in dealt[split]} for split in SPLITS}
    manifest = Path(paths.MANIFEST.format(benchmark=benchmark))
    if isinstance(source, CsvSource):
        return _by_split(read_listings([Path(source.file)], "leave"))
    return _by_split(read_parquet(manifest, MANIFEST_SCHEMA, ["class_name", "split"])) if manifest.is_file() else None


def _by_split(videos: pd.DataFrame) -> dict[str, set[str]]:
    return {split: set(videos.loc[videos["split"] == split, "class_name"].astype(str)) for split in SPLITS}
