"""What is told of a config: which values hold, which keys some of a run does not follow, and what decides anything."""

from collections.abc import Iterator
from typing import Any

from fsar.config.config import Config
from fsar.config.layers import OVERLAID, layers, overlay
from fsar.keys.declare import NOTHING, Section, decided_by


def decisive_record(section: Section) -> dict[str, Any]:
    """Return what of a config decides any result and is no default, as parameters of a rule."""
    found: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            value = decisive_record(value)
        elif isinstance(value, dict) and any(isinstance(part, Section) for part in value.values()):
            value = {key: decisive_record(part) for key, part in value.items()}
        elif decided_by(type(section), name) == NOTHING or value == type(section).model_fields[name].get_default():
            continue
        found[name] = value
    return {name: value for name, value in found.items() if value != {}}


def without_effect(config: Config) -> Iterator[str]:
    """Name every key that some of what is run does not follow, and why."""
    for benchmark in config.run.benchmarks:
        for name in ("methods", "shots"):
            asked, own = getattr(config.run, name), getattr(config.benchmarks[benchmark], name)
            if asked is not None and name in config.benchmarks[benchmark].model_fields_set and own != asked:
                where = f"benchmarks.{benchmark}.{name} = {own}"
                yield f"{where} does not hold: run.{name} is {asked}, which comes before it"
    for name in OVERLAID:
        general = getattr(config, name)
        for key_name in sorted(general.model_fields_set):
            value = getattr(general, key_name)
            hidden: dict[str, Any] = {}
            for benchmark in config.run.benchmarks:
                for backbone in config.run.backbones:
                    for place, layer in layers(config, name, benchmark, backbone):
                        if key_name in layer.model_fields_set and getattr(layer, key_name) != value:
                            hidden[place] = getattr(layer, key_name)
            if hidden:
                stronger = ", ".join(f"{place}.{key_name} is {own!r}" for place, own in hidden.items())
                yield f"{name}.{key_name} = {value!r} does not hold everywhere: {stronger}, which comes before it"


def left_out(config: Config) -> Iterator[str]:
    """Name the methods that are asked for and have no row with a backbone, because it lacks what they need."""
    for benchmark in config.run.benchmarks:
        for backbone in config.run.backbones:
            lacking: dict[str, list[str]] = {}
            for method in config.asked(benchmark) if config.backbones[backbone].methods is None else ():
                lacking.setdefault(config.lacks(backbone, method), []).append(method)
            for lacks in filter(None, lacking):
                yield f"{backbone} has no {lacks}, so there are no rows of {', '.join(lacking[lacks])} on {benchmark}"


def effective(config: Config) -> list[dict[str, str]]:
    """Return what holds for each benchmark and backbone: methods, ways, shots, and every value that is no default."""
    rows = []
    for benchmark in config.run.benchmarks:
        for backbone in config.run.backbones:
            sections: dict[str, Section] = {
                name: getattr(config, name).overlaid(*overlay(config, name, benchmark, backbone)) for name in OVERLAID
            } | {"sampling": config.sampling_of(benchmark, backbone)}
            changed = [
                f"{name}.{field}={getattr(values, field)}"
                for name, values in sections.items()
                for field, declared in type(values).model_fields.items()
                if getattr(values, field) != declared.get_default()
            ]
            rows.append(
                {
                    "benchmark": benchmark,
                    "backbone": backbone,
                    "methods": " ".join(config.methods(benchmark, backbone)),
                    "ways": " ".join(map(str, config.run.ways)),
                    "shots": " ".join(map(str, config.shots(benchmark))),
                    "settings that are no defaults": ", ".join(changed) or "none",
                }
            )
    return rows
