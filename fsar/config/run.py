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
        "Classes in a test episode; all: every test class of a benchmark. Trainings have a way of their own.",
        (*TESTS, *ROWS, *SUMMARIES),
        unit="classes",
        once=True,
        default=[5],
        min_length=1,
    )
    shots: list[Annotated[int, Field(ge=1)]] | None = key(
        "Support videos per class in a test episode, on every benchmark; without it each benchmark has its own. All "
        "shots share one training.",
        (*TESTS, *ROWS, *SUMMARIES),
        unit="videos",
        once=True,
        default=None,
        min_length=1,
    )
    unknown_measures: Literal["pooled", "per-episode"] = key(
        "How results tell known from unknown queries: over all queries of all episodes together; or in each episode, "
        "averaged, with the denominators of the public code (docs/unknown.md).",
        UNKNOWN,
        default="pooled",
    )
    test_jobs: int = key(
        "Jobs that the tests of a model are divided over, where its features depend on the episode (Task-Adapter++); "
        "tests that were begun keep their number.",
        NOTHING,
        default=1,
        ge=1,
        le=1000,
    )
    seeds: list[Annotated[int, Field(ge=0, le=LARGEST_SEED)]] = key(
        "Training seeds; each is one training per model.",
        (*MODEL, *ROWS, *SUMMARIES),
        once=True,
        default=[1],
        min_length=1,
    )
