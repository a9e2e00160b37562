"""The settings of the adapters: a section for each kind, `adapters.<name>` in the config."""

from fsar.config.declare import ADAPTERS, Section, key, section


class TaskConfig(Section):
    """Task-Adapter++; defaults as published for all benchmarks but SSv2."""

    blocks: int = key(
        "M: so many blocks of the visual encoder have adapters, the last ones.",
        ADAPTERS,
        unit="blocks",
        default=2,
        ge=1,
    )
    text_blocks: int = key(
        "M_t: so many blocks of the text encoder have adapters, the last ones; 0 leaves it as it is.",
        ADAPTERS,
        unit="blocks",
        default=8,
        ge=0,
    )
    texts: int = key(
        "S: texts of each class, which look at one another in the text encoder.",
        ADAPTERS,
        unit="texts",
        default=3,
        ge=1,
    )
    bottleneck: float = key(
        "Hidden width of an adapter, as a share of the tokens' width.", ADAPTERS, default=0.25, gt=0
    )


class AdaptersConfig(Section):
    """The kinds of adapters, by the names of their files."""

    task: TaskConfig = section("Task-Adapter++.", default=TaskConfig())
