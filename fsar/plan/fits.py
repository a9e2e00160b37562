"""What does not fit a backbone's layers in the settings of heads and adapters, found before any job.

The same is told where a model is built (`fsar/methods/`), which may be hours later.
"""

from collections.abc import Iterator

from fsar.config import Config
from fsar.keys.bounds import FittedSection, LayerFacts
from fsar.methods import METHODS, MODELS


def misfits(config: Config, benchmark: str, backbone: str, layers: LayerFacts) -> Iterator[str]:
    """Name what does not fit in the methods of a benchmark and a backbone."""
    frames = config.videos(benchmark).sampling.frames
    for model in dict.fromkeys(METHODS[method].model for method in config.methods(benchmark, backbone)):
        parts, own = MODELS[model], config.of(benchmark, backbone, model)
        sections: dict[str, FittedSection] = {f"heads.{parts.head}": own.head}
        if own.adapters is not None:
            sections[f"adapters.{parts.adapters}"] = own.adapters
        for where, settings in sections.items():
            for key, value, largest in settings.bounds(layers, frames):
                if value > largest:
                    yield (
                        f"{where}.{key} is {value} for {model} on {benchmark!r}, which is too much with the backbone "
                        f"{backbone!r}; the largest valid value is {largest}"
                    )
        templates = own.text.templates
        together = getattr(own.adapters, "texts", 1)
        if not any("{description}" in template for template in templates) and len(templates) % together:
            yield (
                f"{model} looks at {together} texts of each class together (adapters.{parts.adapters}.texts), and on "
                f"{benchmark!r} there are {len(templates)}: name {together} templates, or a file of descriptions, in "
                f"benchmarks.{benchmark}.text_of_model.{model}"
            )
