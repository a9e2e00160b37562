"""What does not fit together in benchmarks that train on one and test on another, found before any job starts."""

from collections.abc import Iterable

from fsar.config.benchmark import BenchmarkConfig
from fsar.config.config import Config
from fsar.config.messages import nearest

# What such a benchmark may say for itself. All else is that of the two it names, so one training serves all targets.
OWN = ("train_on", "test_on", "remove", "remove_sha256", "methods", "shots", "licence")


def wrong_domains(config: Config, benchmark: str) -> Iterable[str]:
    """Name what a benchmark refers to, or says of its classes, that cannot be."""
    own, where = config.benchmarks[benchmark], f"benchmarks.{benchmark}"
    sources = (own.source is not None, own.variant_of is not None, own.train_on is not None or own.test_on is not None)
    if sum(sources) != 1:
        yield f"{where} needs a source, or variant_of, or train_on with test_on: one of the three"
    if own.without and own.variant_of is None:
        yield f"{where}.without: classes are left out of a variant; name the benchmark in variant_of"
    if not sources[2]:
        for name in ("remove", "remove_sha256"):
            if name in own.model_fields_set:
                yield f"{where}.{name}: classes are removed where a benchmark has train_on and test_on"
        return
    for name in ("train_on", "test_on"):
        yield from _wrong_reference(config, benchmark, name)
    if own.train_on is not None and own.train_on == own.test_on:
        yield f"{where}.train_on and test_on are both {own.train_on!r}: run that benchmark itself"
    if own.remove_sha256 and own.remove in ("none", "by_name"):
        yield f"{where}.remove_sha256 is of a list, but remove is {own.remove}"
    for name in sorted(own.model_fields_set - set(OWN) - {"source", "variant_of", "without"}):
        yield f"{where}.{name}: it is that of {own.train_on!r} or {own.test_on!r}; set it there"


def _wrong_reference(config: Config, benchmark: str, name: str) -> Iterable[str]:
    other = getattr(config.benchmarks[benchmark], name)
    where = f"benchmarks.{benchmark}.{name}"
    valid = [key for key, own in config.benchmarks.items() if _may_be(config, own, name)]
    if other is None:
        yield f"{where} is missing"
    elif other not in valid:
        yield f"{where} names {other!r}, which is no benchmark with a source; {nearest(other, valid)}"


def _may_be(config: Config, own: BenchmarkConfig, name: str) -> bool:
    """Tell whether a benchmark can be trained or tested on: one with a source, and to train on a variant of it, too."""
    base = config.benchmarks.get(own.variant_of or "")
    return own.source is not None or (name == "train_on" and base is not None and base.source is not None)


def other_frames(config: Config, benchmark: str) -> Iterable[str]:
    """Say where a model would be tested with another number of frames than it was trained with."""
    trained_on, tested_on = config.training_of(benchmark), config.base(benchmark)
    if config.crosses(benchmark):
        trained, tested = (config.videos(name).sampling.frames for name in (trained_on, tested_on))
        if trained != tested:
            yield (
                f"benchmark {benchmark!r}: sampling.frames is {trained} of {trained_on!r}, but {tested} of "
                f"{tested_on!r}; give both the same"
            )
