"""The section `run`: what to run."""

from typing import Annotated, Literal

from pydantic import Field

from fsar.config.names import SUMMARIES, TESTS, UNKNOWN, MethodName, Name
from fsar.keys.declare import LARGEST_SEED, MODEL, NOTHING, ROWS, Section, key

ALL = "all"  # every test class in an episode


class RunConfig(Section):
    """What to run: the table has a row for every combination."""

    benchmarks: list[Name] = key(
        "Benchmarks, by their names below `benchmarks`.",
        (*MODEL, *ROWS, *SUMMARIES),
        once=True,
        default=["demo"],
        min_length=1,
    )
    backbones: list[Name] = key(
        "Backbones, by their names below `backbones`.",
        (*MODEL, *ROWS, *SUMMARIES),
        once=True,
        default=["small-clip"],
        min_length=1,
    )
    methods: list[MethodName] | None = key(
        "Methods, by their names in docs/methods_table.md, on every benchmark; without it each benchmark has its own.",
        (*TESTS, *ROWS, *SUMMARIES),
        once=True,
        default=None,
        min_length=1,
    )
    ways: list[Annotated[int, Field(ge=2)] | Literal["all"]] = key(
        "Classes in a test episode; all: every test class of a benchmark. Training has a way of its own.",
        (*TESTS, *ROWS, *SUMMARIES),
        unit="classes",
        once=True,
        default=[5],
        min_length=1,
    )
    shots: list[Annotated[int, Field(ge=1)]] | None = key(
        "Support videos per class in a test episode, on every benchmark. By default each benchmark has its own.",
        (*TESTS, *ROWS, *SUMMARIES),
        unit="videos",
        once=True,
        default=None,
        min_length=1,
    )
    unknown_measures: Literal["pooled", "per-episode"] = key(
        "How the separation of known and unknown queries is measured: over all queries of all episodes "
        "together; or in each episode, averaged, with the denominators of the public code (docs/unknown.md).",
        UNKNOWN,
        default="pooled",
    )
    test_jobs: int = key(
        "Number of jobs for the tests of a model whose features depend on the episode (Task-Adapter++). Tests "
        "that have begun keep their number.",
        NOTHING,
        default=1,
        ge=1,
        le=1000,
    )
    seeds: list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]] = key(
        "Training seeds. Each gives one training run per model.",
        (*MODEL, *ROWS, *SUMMARIES),
        once=True,
        default=[1],
        min_length=1,
    )
