"""Which classes of the benchmark that is trained on are left out, because another one tests them.

A benchmark with train_on and test_on is two references: to the trainings of one, and to the test videos and stored
episodes of the other. Where classes are left out, it refers to the trainings of a variant without them, which gets a
name that says so: the same classes give the same name, so one training serves all targets that ask for the same.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fsar.benchmarks.equal_names import equal_names
from fsar.class_names import letters
from fsar.config import Config, load
from fsar.config.messages import nearest
from fsar.csv_rows import read_rows
from fsar.errors import UserError
from fsar.files import sha256_of
from fsar.plan.classes import known_classes
from fsar.results.setting import number_of
from fsar.sources.split_lists import class_name

COLUMNS = ("source", "target", "class_in_source")


def load_with_removals(values: dict[str, Any]) -> tuple[Config, list[str]]:
    """Check a config, and put what `remove` says in place of it: a variant without these classes, and none to remove.

    So every job is told the classes themselves. A config that says so already stays as it is.

    Args:
        values: the merged config; changed in place.

    Returns:
        The config, and a line for each benchmark that says what it is trained and tested on, and what is left out.

    Raises:
        UserError: the config is wrong, or classes to be removed are not known.
    """
    config = load(values)
    told = []
    for benchmark in config.run.benchmarks:
        own = config.benchmarks[benchmark]
        if own.train_on is None:
            continue
        removed = () if own.remove == "none" else _removed(config, benchmark)
        told.append(_told(config, benchmark, removed))
        trained_on = _variant(config, own.train_on, removed, values["benchmarks"]) if removed else own.train_on
        rest = {key: value for key, value in values["benchmarks"][benchmark].items() if key != "remove_sha256"}
        values["benchmarks"][benchmark] = {**rest, "train_on": trained_on, "remove": "none"}
    return (load(values), told) if told else (config, told)


def _variant(config: Config, trained_on: str, removed: Sequence[str], sections: dict[str, Any]) -> str:
    """Add the variant of a benchmark without some classes to the sections of the benchmarks; return its name."""
    base, without = config.base(trained_on), config.benchmarks[trained_on].without
    both = sorted({letters(name): name for name in (*without, *removed)}.values())
    own = dict(sections[trained_on]) if base != trained_on else {}  # it is a variant already
    name = name_without(trained_on, both)
    sections[name] = {**own, "variant_of": base, "without": both}
    return name


def name_without(benchmark: str, classes: Sequence[str]) -> str:
    """Return the name of a benchmark without some classes, as paths have it."""
    digest = hashlib.sha256("\n".join(sorted(map(letters, classes))).encode()).hexdigest()
    return f"{benchmark}-without-{len(classes)}-{digest[:8]}"


def _told(config: Config, benchmark: str, removed: tuple[str, ...]) -> str:
    own = config.benchmarks[benchmark]
    how = {"none": "none is asked to be removed", "by_name": "by equal names"}.get(own.remove, f"by {own.remove}")
    names = f": {', '.join(removed)}" if removed else ""
    return (
        f"{benchmark} is trained on {own.train_on} and tested on {own.test_on}; "
        f"{number_of(removed)} removed from {own.train_on} ({how}){names}"
    )


def _removed(config: Config, benchmark: str) -> tuple[str, ...]:
    """Return the classes that are removed from those that a benchmark is trained on, by their names there."""
    own = config.benchmarks[benchmark]
    assert own.train_on is not None and own.test_on is not None
    source, target = config.base(own.train_on), own.test_on
    if own.remove == "by_name":
        return _equally_named(config, benchmark, source, target)
    return _checked(
        config, benchmark, sorted(set(_listed(config, benchmark, source, target))), known_classes(config, source)
    )


def _equally_named(config: Config, benchmark: str, source: str, target: str) -> tuple[str, ...]:
    """Return the classes with the names of tested ones, as the manifests or the published lists have them."""
    known, tested = known_classes(config, source), known_classes(config, target)
    kinds = config.published_kind(source), config.published_kind(target)
    listed = equal_names(*kinds) if all(kinds) else None
    if known is not None and tested is not None:
        names = {letters(name) for name in tested["test"]}
        found = tuple(sorted(name for name in known["train"] | known["val"] if letters(name) in names))
        if listed is not None and set(map(letters, listed)) != set(map(letters, found)):
            raise UserError(
                f"Classes of {source!r} with the name of a test class of {target!r} are {', '.join(found) or 'none'}, "
                f"but fsar/benchmarks/equal_names.csv has {', '.join(listed) or 'none'}, by which trainings were "
                f"planned. Name those of the manifests in a list (key benchmarks.{benchmark}.remove)"
            )
        return found if listed is None else listed
    if listed is not None:
        return listed
    unknown = source if known is None else target
    raise UserError(
        f"benchmarks.{benchmark}.remove is by_name, but the classes of {unknown!r} are not known yet. Make its "
        f"manifest first (set remove: none, and run snakemake --cores 1 data/{unknown}/manifest.parquet), or name the "
        "classes in a list"
    )


def _checked(config: Config, benchmark: str, names: list[str], known: dict[str, set[str]] | None) -> tuple[str, ...]:
    """Return names as the benchmark spells them, where that is known; a training without them checks the others."""
    if known is None:
        return tuple({letters(name): name for name in names}.values())
    spelled = {letters(name): name for name in known["train"] | known["val"]}
    for name in names:
        if letters(name) not in spelled:
            own = config.benchmarks[benchmark]
            raise UserError(
                f"{own.remove} (key benchmarks.{benchmark}.remove) removes the class {name!r}, but {own.train_on!r} "
                f"has no such training or validation class; {nearest(name, spelled.values())}"
            )
    return tuple(sorted({spelled[letters(name)] for name in names}))


def _listed(config: Config, benchmark: str, source: str, target: str) -> Iterator[str]:
    """Yield the classes that a list removes: of its rows for this source and target, and for tested classes alone."""
    own = config.benchmarks[benchmark]
    path = Path(own.remove)
    key = f"benchmarks.{benchmark}.remove"
    rows = read_rows(path, COLUMNS, ("split_in_target",), what="list of overlapping classes", key=key)
    if own.remove_sha256 and sha256_of(path) != own.remove_sha256:
        raise UserError(
            f"{path} (key {key}) is not the list whose checksum is in remove_sha256: it has {sha256_of(path)}"
        )
    sources = {f"{name}{part}" for name in (source, config.published_kind(source)) for part in ("", "_train", "_val")}
    targets = {target, config.published_kind(target)}
    for row in rows:
        values = {name: text.strip() for name, text in row.values.items()}
        of_these = values["source"] in sources and values["target"] in targets
        if of_these and values.get("split_in_target", "") in ("", "test"):
            yield class_name(values["class_in_source"])
