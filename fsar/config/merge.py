"""The whole config, and what holds for one benchmark: general settings overlaid with its own.

From the weakest to the strongest: the default of a key, the general section, the section of the benchmark a variant is
of, the benchmark's own, and for `training` that of a backbone on it, then a model's recipe on a published benchmark
(its `recipe.toml`), then the benchmark's `training_of_model`. `run.methods` and `run.shots` are stronger than a
benchmark's own, because they are what is asked for in this run; a backbone's `methods` takes the place of a benchmark's
own, and limits those of the run.
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Literal, overload

from fsar.config.heads import AdaptersConfig, HeadsConfig
from fsar.config.sections import (
    BackboneConfig,
    BenchmarkConfig,
    EpisodesConfig,
    FramesConfig,
    Name,
    PredictConfig,
    PublishedSource,
    RunConfig,
    SamplingConfig,
    SmallClipConfig,
    SourcesConfig,
    TextConfig,
    TrainingConfig,
)
from fsar.keys.declare import LARGEST_SEED, MODEL, NOTHING, Section, decided_by, key, section
from fsar.methods import METHODS, MODELS, Components
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.methods.recipes import recipe_of, training_recipe
from fsar.methods.record import AdapterSettings, HeadSettings
from fsar.sources.split_lists import SPLITS

# The sections that a benchmark may overlay.
MERGED = ("frames", "sampling", "episodes", "text", "training")


class Config(Section):
    """Everything a run depends on."""

    seed: int = key(
        "Seed of the data: rendered videos, stored episodes, frames sampled at test time.",
        ("render_videos", "draw_episodes", *MODEL, "report_data"),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )
    device: Literal["auto", "cpu", "cuda"] = key(
        "Where models run; auto takes a GPU if there is one.", NOTHING, default="auto"
    )
    own_methods: list[str] = key(
        "Folders of methods of your own (docs/methods.md): their names are then those of any other.",
        NOTHING,
        once=True,
        default=[],
    )
    run: RunConfig = section("What to run.", default=RunConfig())
    benchmarks: dict[Name, BenchmarkConfig] = section("The benchmarks, by name.")
    backbones: dict[Name, BackboneConfig] = section("The backbones, by name.")
    sources: SourcesConfig = section("Where the published benchmarks come from.", default=SourcesConfig())
    frames: FramesConfig = section("How videos are decoded and kept.", default=FramesConfig())
    sampling: SamplingConfig = section("Which frames the model sees.", default=SamplingConfig())
    episodes: EpisodesConfig = section("The stored episodes.", default=EpisodesConfig())
    text: TextConfig = section("How class names become text features.", default=TextConfig())
    heads: HeadsConfig = section("The heads of methods.", default=HeadsConfig())
    adapters: AdaptersConfig = section("What is put into frozen backbones.", default=AdaptersConfig())
    training: TrainingConfig = section("How methods are trained.", default=TrainingConfig())
    predict: dict[Name, PredictConfig] = section("Clips of your own to label, by the name of the results.", default={})
    small_clips: dict[Name, SmallClipConfig] = section(
        "The demo's own CLIPs: a backbone has the weights of one as data/small_clip/NAME.safetensors.",
        default={"small-clip": SmallClipConfig()},
    )

    def base(self, benchmark: str) -> str:
        """Return the benchmark whose data a benchmark uses: its own, or that of the one it is a variant of."""
        return self.benchmarks[benchmark].variant_of or benchmark

    def shots(self, benchmark: str) -> list[int]:
        """Return the test shots of a benchmark."""
        return self.run.shots or self._own(benchmark, "shots")

    def test_shots(self, benchmark: str) -> list[int]:
        """Return the shots of a benchmark's test episodes: 0 where all its methods decide by class names alone."""
        methods = {method for backbone in self.run.backbones for method in self.methods(benchmark, backbone)}
        return sorted({shot for method in methods for shot in METHODS[method].shots(self.shots(benchmark))})

    def licence(self, benchmark: str) -> str:
        """Return whose the videos of a benchmark are; a variant's are those it shares."""
        return str(self._own(benchmark, "licence"))

    def methods(self, benchmark: str, backbone: str) -> list[str]:
        """Return the methods to compare on a benchmark with a backbone."""
        own = self.backbones[backbone].methods
        if self.run.methods is None:
            return own or self._own(benchmark, "methods")
        return [method for method in self.run.methods if own is None or method in own]

    def trained_here(self, benchmark: str, backbone: str) -> list[str]:
        """Return the models that are trained on a benchmark: those its methods need and nobody gave weights for."""
        given = self.benchmarks[benchmark].trained.get(backbone, {})
        models = dict.fromkeys(METHODS[method].model for method in self.methods(benchmark, backbone))
        return [model for model in models if model not in given and MODELS[model].trained]

    @overload
    def settings(self, benchmark: str, name: Literal["frames"]) -> FramesConfig: ...
    @overload
    def settings(self, benchmark: str, name: Literal["sampling"]) -> SamplingConfig: ...
    @overload
    def settings(self, benchmark: str, name: Literal["episodes"]) -> EpisodesConfig: ...
    @overload
    def settings(
        self, benchmark: str, name: Literal["text"], backbone: str | None = None, model: str | None = None
    ) -> TextConfig: ...
    @overload
    def settings(
        self, benchmark: str, name: Literal["training"], backbone: str, model: str | None = None
    ) -> TrainingConfig: ...
    def settings(self, benchmark: str, name: str, backbone: str | None = None, model: str | None = None) -> Section:
        """Return one section as it holds for a benchmark; `training` for a backbone and a model, `text` for a model.

        Without a model, these are what holds for all that have no recipe.
        """
        return getattr(self, name).overlaid(*(layer for _, layer in self._layers(benchmark, name, backbone, model)))

    def head_settings(self, benchmark: str, backbone: str, model: str) -> HeadSettings:
        """Return the settings of a model's head as they hold for a benchmark and a backbone."""
        components = MODELS[model]
        settings = self._part(benchmark, backbone, model, "heads", components.head, dict(components.fixed))
        assert isinstance(settings, HeadSettings)
        return settings

    def depth(self, benchmark: str, backbone: str) -> int:
        """Return the layers of CLIP-FSAR's temporal transformer, by which figures tell variants apart."""
        settings = self.head_settings(benchmark, backbone, "clip-fsar")
        assert isinstance(settings, ClipFsarConfig)
        return settings.depth

    def adapter_settings(self, benchmark: str, backbone: str, model: str) -> AdapterSettings | None:
        """Return the settings of a model's adapters as they hold for a benchmark; None of a model without any."""
        name = MODELS[model].adapters
        settings = self._part(benchmark, backbone, model, "adapters", name, {}) if name else None
        assert settings is None or isinstance(settings, AdapterSettings)
        return settings

    def _part(self, benchmark: str, backbone: str, model: str, name: str, part: str, fixed: dict[str, Any]) -> Section:
        """Return the section of one head or kind of adapters, among `heads` or `adapters`."""
        own: Section = getattr(getattr(self, name), part)
        about = self.backbones[backbone].published_as
        recipe = type(own)(**recipe_of(model, self.published_kind(benchmark), name, about))
        layers = [getattr(layer, part) for _, layer in self._layers(benchmark, name, None)]
        # A recipe's numbers are the method's own on that benchmark; what a config says of it is stronger.
        return own.overlaid(recipe, *layers, type(own)(**fixed))

    def published_kind(self, benchmark: str) -> str:
        """Return which published benchmark's videos a benchmark has; empty if they are none's."""
        source = self.benchmarks[self.base(benchmark)].source
        return source.kind if isinstance(source, PublishedSource) else ""

    def training_shots(self, benchmark: str, backbone: str, model: str) -> list[int]:
        """Return the shots that a model is trained with, each in a training of its own."""
        shot = self.settings(benchmark, "training", backbone, model).shot
        return self.shots(benchmark) if shot == "tested" else [shot]

    def videos_needed(self, benchmark: str) -> dict[str, int]:
        """Return, by split, how many videos every class must have for the episodes of all that share its data."""
        sharing = [name for name in self.run.benchmarks if self.base(name) == benchmark] or [benchmark]
        needed = dict.fromkeys(SPLITS, 0)
        for name in sharing:
            for split, _, shot, queries in self.episodes_drawn(name):
                needed[split] = max(needed[split], shot + queries)
        return needed

    def episodes_drawn(self, benchmark: str) -> list[tuple[str, int, int, int]]:
        """Return split, largest way, largest shot and queries of every kind of episode drawn from a benchmark.

        Training and validation classes are needed only where something is trained.
        """
        queries = self.settings(benchmark, "episodes").queries
        drawn = [("test", max(self.run.ways), max(self.test_shots(benchmark), default=0), queries)]
        for backbone in self.backbones_used(benchmark):
            for model in self.trained_here(benchmark, backbone):
                training = self.settings(benchmark, "training", backbone, model)
                shot = max(self.training_shots(benchmark, backbone, model))
                drawn.append(("train", training.way, shot, training.queries))
                # A checkpoint is chosen by episodes like those it trained on.
                drawn.append(("val", training.way, shot, queries))
        return list(dict.fromkeys(drawn))

    def model_to_predict(self, name: str) -> tuple[str, str, str, int]:
        """Return benchmark, backbone, method and training seed of the model that clips are labelled with."""
        asked = self.predict[name]
        assert asked.benchmark is not None and asked.method is not None  # checked when the config is loaded
        seed = self.run.seeds[0] if asked.seed is None else asked.seed
        return asked.benchmark, asked.backbone or self.run.backbones[0], asked.method, seed

    def backbones_used(self, benchmark: str) -> list[str]:
        """Return the backbones that are used on a benchmark: those of the run, and others to label clips with."""
        asked = [self.model_to_predict(name)[:2] for name, own in self.predict.items() if own.benchmark is not None]
        others = (backbone for place, backbone in asked if place == benchmark)
        return list(dict.fromkeys([*self.run.backbones, *others]))

    def threads_to_predict(self, name: str) -> int:
        """Return the cores to label clips with: those of the model's other jobs."""
        if self.predict[name].model:
            return self.training.threads
        benchmark, backbone, _, _ = self.model_to_predict(name)
        return self.settings(benchmark, "training", backbone).threads

    def _own(self, benchmark: str, name: str) -> Any:
        own = self.benchmarks[benchmark]
        if name in own.model_fields_set or own.variant_of is None:
            return getattr(own, name)
        return getattr(self.benchmarks[own.variant_of], name)

    def _layers(
        self, benchmark: str, name: str, backbone: str | None, model: str | None = None
    ) -> Iterator[tuple[str, Section]]:
        """Yield what overlays a general section, with where it stands in the config."""
        for place in dict.fromkeys((self.base(benchmark), benchmark)):
            own = self.benchmarks[place]
            yield f"benchmarks.{place}.{name}", getattr(own, name)
            if name == "training" and backbone in own.training_of_backbone:
                yield f"benchmarks.{place}.training_of_backbone.{backbone}", own.training_of_backbone[backbone]
        if name == "training" and model is not None:
            about = self.backbones[backbone].published_as if backbone else ""
            recipe = training_recipe(model, self.published_kind(benchmark), about)
            yield f"the recipe of {model}", TrainingConfig(**recipe)
        if name == "text" and model is not None:
            recipe = recipe_of(model, self.published_kind(benchmark), "text", "")
            yield f"the recipe of {model}", TextConfig(**recipe)
        if name in ("training", "text") and model is not None:
            for place in dict.fromkeys((self.base(benchmark), benchmark)):
                of_models = getattr(self.benchmarks[place], f"{name}_of_model")
                if model in of_models:
                    yield f"benchmarks.{place}.{name}_of_model.{model}", of_models[model]


def components_record(components: Components) -> dict[str, Any]:
    """Return what differs from a plain model, as parameters of a rule: a new field with a default leaves no trace."""
    return {f.name: value for f in fields(components) if (value := getattr(components, f.name)) != f.default}


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
    for name in MERGED:
        general = getattr(config, name)
        for key_name in sorted(general.model_fields_set):
            value = getattr(general, key_name)
            hidden: dict[str, Any] = {}
            for benchmark in config.run.benchmarks:
                for backbone in config.run.backbones:
                    for place, layer in config._layers(benchmark, name, backbone):
                        if key_name in layer.model_fields_set and getattr(layer, key_name) != value:
                            hidden[place] = getattr(layer, key_name)
            if hidden:
                stronger = ", ".join(f"{place}.{key_name} is {own!r}" for place, own in hidden.items())
                yield f"{name}.{key_name} = {value!r} does not hold everywhere: {stronger}, which comes before it"


def effective(config: Config) -> list[dict[str, str]]:
    """Return what holds for each benchmark and backbone: methods, ways, shots, and every value that is no default."""
    rows = []
    for benchmark in config.run.benchmarks:
        for backbone in config.run.backbones:
            sections = {name: config.settings(benchmark, name, backbone) for name in MERGED}  # type: ignore[call-overload]
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
