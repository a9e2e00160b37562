"""What does not fit together in the queries of episodes, found before any job starts."""

from collections.abc import Iterable

from fsar.config.config import Config
from fsar.methods import METHODS


def wrong_queries(config: Config, benchmark: str, backbone: str, method: str) -> Iterable[str]:
    """Say where a method meets other queries than it can decide on, or queries in all are more than are drawn."""
    model = METHODS[method].model
    settings = config.of(benchmark, backbone, model)
    episodes, where = settings.episodes, f"episodes.in_all of benchmark {benchmark!r} is {settings.episodes.in_all}"
    if episodes.in_all > episodes.queries:
        yield (
            f"{where}, but episodes.queries is {episodes.queries}, and all may be of one class; the nearest valid "
            f"value of episodes.queries is {episodes.in_all}"
        )
    if episodes.in_all and episodes.unknown:
        yield f"{where}, and episodes.unknown {episodes.unknown}: one of them must be 0"
    if episodes.in_all and not METHODS[method].inductive:
        yield f"{where}, but method {method!r} decides by all queries together, and needs one of each class"
    if not settings.head.one_query:
        return
    for where, queries in (
        (
            f"training_of_model.{model}.queries",
            settings.training.queries if model in config.trained_here(benchmark, backbone) else 1,
        ),
        ("episodes.queries", settings.episodes.queries),
    ):
        if queries != 1:
            yield (
                f"method {method!r} {settings.head.one_query}, so it needs one query of each class: "
                f"benchmarks.{benchmark}.{where} is {queries}; the nearest valid value is 1"
            )
