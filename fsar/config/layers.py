"""What holds for a benchmark, a backbone and a model: the general section, overlaid layer by layer.

From the weakest to the strongest: the default of a key; the general section; that of the benchmark a variant is of, and
the benchmark's own, each for `training` with what it says of a backbone; a model's recipe on a published benchmark
(`recipe.toml` of its folder); what the benchmarks say of a model (`training_of_model`, `text_of_model`). For the
settings of a head and of adapters a recipe is the weakest layer: what a config says of the method is stronger.
"""

from collections.abc import Iterator

from fsar.config.file import ConfigFile
from fsar.config.text import TextConfig
from fsar.config.training import TrainingConfig
from fsar.keys.declare import Section
from fsar.methods import MODELS
from fsar.methods.recipes import recipe_of, training_recipe
from fsar.methods.settings import AdapterSettings, HeadSettings

# The sections that a benchmark may overlay.
OVERLAID = ("frames", "sampling", "episodes", "text", "training")
# How videos are stored, looked at and drawn: where a benchmark trains on one and tests on another, as of what it tests.
# All other sections, and recipes, are those of what it trains on.
OF_VIDEOS = ("frames", "sampling", "episodes")
Layers = Iterator[tuple[str, Section]]


def layers(config: ConfigFile, name: str, benchmark: str, backbone: str | None = None) -> Layers:
    """Yield what a benchmark, and its section of a backbone, lay over a general section, with its path."""
    for each in config.with_base(_side(config, benchmark, name)):
        own = config.benchmarks[each]
        yield f"benchmarks.{each}.{name}", getattr(own, name)
        if name == "training" and backbone in own.training_of_backbone:
            yield f"benchmarks.{each}.training_of_backbone.{backbone}", own.training_of_backbone[backbone]


def _side(config: ConfigFile, benchmark: str, name: str) -> str:
    """Return the benchmark whose sections hold for one: itself, or what it tests or trains on."""
    if not config.crosses(benchmark):
        return benchmark
    return config.base(benchmark) if name in OF_VIDEOS else config.training_of(benchmark)


def _of_model(config: ConfigFile, name: str, benchmark: str, model: str) -> Iterator[Section]:
    for each in config.with_base(config.training_of(benchmark)):
        of_models = getattr(config.benchmarks[each], f"{name}_of_model")
        if model in of_models:
            yield of_models[model]


def overlay(config: ConfigFile, name: str, benchmark: str, backbone: str | None = None) -> list[Section]:
    """Return what `layers` yields, without the paths."""
    return [section for _, section in layers(config, name, benchmark, backbone)]


def training(config: ConfigFile, benchmark: str, backbone: str, model: str | None = None) -> TrainingConfig:
    """Return how a model is trained, or (None) any that has no recipe."""
    found = overlay(config, "training", benchmark, backbone)
    if model is not None:
        recipe = training_recipe(
            model, config.published_kind(config.training_of(benchmark)), config.backbones[backbone].published_as
        )
        found += [TrainingConfig(**recipe), *_of_model(config, "training", benchmark, model)]
    return config.training.overlaid(*found)


def text(config: ConfigFile, benchmark: str, model: str | None = None) -> TextConfig:
    """Return how class names become text for a model, or (None) any that has no recipe."""
    found = overlay(config, "text", benchmark)
    if model is not None:
        recipe = recipe_of(model, config.published_kind(config.training_of(benchmark)), "text", "")
        found += [TextConfig(**recipe), *_of_model(config, "text", benchmark, model)]
    return config.text.overlaid(*found)


def head(config: ConfigFile, benchmark: str, backbone: str, model: str) -> HeadSettings:
    """Return the settings of a model's head: its section of `heads`, and what the model fixes."""
    components = MODELS[model]
    part = _part(config, "heads", components.head, benchmark, backbone, model)
    settings = part.overlaid(type(part)(**dict(components.fixed)))
    assert isinstance(settings, HeadSettings)
    return settings


def adapters(config: ConfigFile, benchmark: str, backbone: str, model: str) -> AdapterSettings | None:
    """Return the settings of a model's adapters; None of a model without any."""
    name = MODELS[model].adapters
    settings = _part(config, "adapters", name, benchmark, backbone, model) if name else None
    assert settings is None or isinstance(settings, AdapterSettings)
    return settings


def _part(config: ConfigFile, name: str, part: str, benchmark: str, backbone: str, model: str) -> Section:
    """Return the section of one head or kind of adapters, among `heads` or `adapters`."""
    own: Section = getattr(getattr(config, name), part)
    recipe = recipe_of(
        model, config.published_kind(config.training_of(benchmark)), name, config.backbones[backbone].published_as
    )
    return own.overlaid(type(own)(**recipe), *(getattr(layer, part) for layer in overlay(config, name, benchmark)))
