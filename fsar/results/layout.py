"""One table of results: which rows and columns it has. Made when a run is planned."""

from dataclasses import dataclass

from fsar.results.setting import Setting


@dataclass(frozen=True)
class Layout:
    """A table: its columns are benchmarks and shots, its rows backbones and methods.

    Attributes:
        name: of its files.
        caption: what it shows, and which table of the paper it is.
        benchmarks, shots: the columns; benchmarks by name, with their titles.
        methods: the rows; None for every method that is measured or published for these columns.
        way: classes of an episode; None for every test class of each benchmark.
    """

    name: str
    caption: str
    benchmarks: dict[str, str]
    shots: tuple[int, ...]
    methods: tuple[str, ...] | None = None
    way: int | None = 5

    def holds(self, setting: Setting) -> bool:
        """Tell whether a setting is of its way."""
        return setting.every_class if self.way is None else setting.way == self.way
