"""What the tables hold: those of the paper, and the same kinds for other benchmarks."""

from collections.abc import Sequence
from dataclasses import replace

from fsar.benchmarks.data_sets import TITLES
from fsar.methods import METHODS, Components
from fsar.methods.clip_fsar.record import CLIP_FSAR
from fsar.methods.otam.record import METRICS as KINDS
from fsar.methods.otam.record import OtamConfig
from fsar.results.layout import Layout
from fsar.results.setting import Setting


def _metric(components: Components) -> str:
    """Return the metric of OTAM, CLIP-FSAR, or what differs from them in nothing but the metric; else nothing."""
    settings = components.settings
    others = replace(components, fixed=tuple(pair for pair in components.fixed if pair[0] != "metric"))
    if others not in (Components(), CLIP_FSAR) or not isinstance(settings, OtamConfig):
        return ""
    return settings.metric


# The methods of the comparison of metrics.
_BY_METRIC = [(name, _metric(method.components)) for name, method in METHODS.items() if method.decides_by == "few-shot"]
METRICS = tuple(name for kind in KINDS for name, own in _BY_METRIC if own == kind)
COMPONENTS = ("otam", "otam-video-text", "otam-modulation", "clip-fsar")
ZERO_SHOT = ("clip-zero-shot", "clip-fsar-zero-shot")


def _paper(
    name: str, what: str, benchmarks: tuple[str, ...], shots: tuple[int, ...], methods: tuple[str, ...] | None = None
) -> Layout:
    caption = f"{what} (Table {name.removeprefix('table')} of the paper)"
    return Layout(name, caption, {benchmark: TITLES[benchmark] for benchmark in benchmarks}, shots, methods)


PAPER = (
    _paper("table1", "SSv2-Full and Kinetics", ("ssv2_full", "kinetics100"), (1, 2, 3, 4, 5)),
    _paper("table2", "UCF101, SSv2-Small and HMDB51", ("ucf101", "ssv2_small", "hmdb51"), (1, 3, 5)),
    _paper("table3", "Matching metrics", ("ssv2_small", "kinetics100"), (1, 5), METRICS),
    _paper("table4", "Components", ("ssv2_small", "kinetics100"), (1, 5), COMPONENTS),
    _paper("table10", "Zero-shot", ("ssv2_small", "kinetics100", "hmdb51"), (0,), ZERO_SHOT),
)
# The benchmarks of the paper in the order of its tables, with their titles.
PAPER_BENCHMARKS = PAPER[0].benchmarks | PAPER[1].benchmarks


def layouts(settings: Sequence[Setting]) -> list[Layout]:
    """Return the paper's tables of benchmarks that were run, and the same kinds of tables for others that were run.

    A table names only methods that were run or are published, so that a new method changes no table that lacks it.
    """
    ran = {setting.method for setting in settings}
    tested = {setting.benchmark for setting in settings}
    found = [
        replace(layout, methods=_shown(layout.methods, ran))
        for layout in PAPER
        if tested.intersection(layout.benchmarks)
    ]
    for way in dict.fromkeys(None if setting.every_class else setting.way for setting in settings):
        others = [own for own in settings if _of_way(own, way) and not (way == 5 and own.benchmark in PAPER_BENCHMARKS)]
        benchmarks = {own.benchmark: PAPER_BENCHMARKS.get(own.benchmark, own.benchmark) for own in others}
        name_of, told = (f"{way}way", f"{way}-way") if way else ("all-classes", "all test classes")
        shots = tuple(sorted({setting.shot for setting in others} - {0}))
        keys = {setting.method for setting in others}
        kinds = (
            ("main", "Accuracy", tuple(key for key in METHODS if key not in ZERO_SHOT), 1, shots),
            ("metrics", "Matching metrics", METRICS, 3, shots),
            ("components", "Components", COMPONENTS, 3, shots),
            ("zero-shot", "Zero-shot", ZERO_SHOT, 1, (0,)),
        )
        for name, caption, methods, fewest, columns in kinds:
            own = tuple(key for key in methods if key in keys)
            if len(own) >= fewest and columns:
                found.append(Layout(f"{name}-{name_of}", f"{caption}, {told}", benchmarks, columns, own, way))
    return found


def _of_way(setting: Setting, way: int | None) -> bool:
    return setting.every_class if way is None else setting.way == way


def _shown(methods: tuple[str, ...] | None, ran: set[str]) -> tuple[str, ...] | None:
    return methods and tuple(key for key in methods if key in ran or METHODS[key].published_as)


def titles_of(own: Sequence[Layout]) -> dict[str, list[tuple[str, str]]]:
    """Return the titles that tables look up by themselves, in the order of the records."""
    rows = {name for layout in own for name in layout.methods or ()}
    return {
        "rows": [(name, method.title) for name, method in METHODS.items() if name in rows],
        "published": [(method.published_as, method.title) for method in METHODS.values() if method.published_as],
    }
