"""The whole config, and what follows from it: which methods, models, shots and episodes, and the settings of each.

`run.methods` and `run.shots` are stronger than a benchmark's own, because they are what is asked for in this run. A
backbone is run with those methods that fit it by their records; its own `methods`, where it has some, takes the place
of a benchmark's, and limits those of the run.
"""

from importlib.util import find_spec

from pydantic import PrivateAttr

from fsar.benchmarks.splits import SPLITS
from fsar.config import layers
from fsar.config.file import ConfigFile
from fsar.config.merged import MergedConfig, MergedVideos
from fsar.config.videos import SamplingConfig
from fsar.errors import UserError
from fsar.methods import METHODS, MODELS, trained_as
from fsar.methods.lacks import what_is_lacking


class Config(ConfigFile):
    """Everything a run depends on."""

    _videos: dict[str, MergedVideos] = PrivateAttr(default_factory=dict)
    _settings: dict[tuple[str, str, str], MergedConfig] = PrivateAttr(default_factory=dict)
    _with_layers: dict[str, bool] = PrivateAttr(default_factory=dict)
    _lacking: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)

    def videos(self, benchmark: str) -> MergedVideos:
        """Return how the videos of a benchmark are stored, looked at and drawn."""
        if benchmark not in self._videos:
            self._videos[benchmark] = MergedVideos(
                benchmark=benchmark,
                seed=self.seed,
                without=tuple(sorted(self.benchmarks[benchmark].without)),
                frames=self.frames.overlaid(*layers.overlay(self, "frames", benchmark)),
                sampling=self.sampling.overlaid(*layers.overlay(self, "sampling", benchmark)),
                episodes=self.episodes.overlaid(*layers.overlay(self, "episodes", benchmark)),
            )
        return self._videos[benchmark]

    def of(self, benchmark: str, backbone: str, model: str) -> MergedConfig:
        """Return everything that holds for a model with a backbone on a benchmark."""
        at = benchmark, backbone, model
        if at not in self._settings:
            methods = (name for name in self.methods(benchmark, backbone) if METHODS[name].model == model)
            videos = vars(self.videos(benchmark)) | {"sampling": self.sampling_of(benchmark, backbone)}
            self._settings[at] = MergedConfig(
                **videos,
                device=self.device,
                backbone_name=backbone,
                model=model,
                methods=tuple(methods),
                components=MODELS[model],
                backbone=self.backbones[backbone],
                text=layers.text(self, benchmark, model),
                head=layers.head(self, benchmark, backbone, model),
                adapters=layers.adapters(self, benchmark, backbone, model),
                training=layers.training(self, benchmark, backbone, model),
            )
        return self._settings[at]

    def sampling_of(self, benchmark: str, backbone: str) -> SamplingConfig:
        """Return which frames of a benchmark's videos a backbone sees."""
        return self.videos(benchmark).sampling.overlaid(self.backbones[backbone].own_sampling)

    def shots(self, benchmark: str) -> list[int]:
        """Return the test shots of a benchmark."""
        return self.run.shots or self.own(benchmark, "shots")

    def test_shots(self, benchmark: str) -> list[int]:
        """Return the shots of a benchmark's test episodes: 0 where all its methods decide by class names alone."""
        methods = {method for backbone in self.run.backbones for method in self.methods(benchmark, backbone)}
        return sorted({shot for method in methods for shot in METHODS[method].shots(self.shots(benchmark))})

    def asked(self, benchmark: str) -> list[str]:
        """Return the methods to compare on a benchmark, whatever the backbone."""
        return self.run.methods or self.own(benchmark, "methods")

    def methods(self, benchmark: str, backbone: str) -> list[str]:
        """Return the methods to compare on a benchmark with a backbone: those named for it, or all asked for that fit.

        Of those named for it all must fit: `fsar.config.check` refuses the others.
        """
        own = self.backbones[backbone].methods
        if own is None:
            return [method for method in self.asked(benchmark) if not self.lacks(backbone, method)]
        return own if self.run.methods is None else [method for method in self.run.methods if method in own]

    def lacks(self, backbone: str, method: str) -> str:
        """Return what a backbone lacks for a method, as far as is known before it is built; nothing where it fits."""
        if (backbone, method) not in self._lacking:  # asked thousands of times while a run is planned
            about = self.backbones[backbone]
            has_text = about.has_text_for(METHODS[method].components.each_text)
            found = what_is_lacking(METHODS[method], has_text, lambda: self._has_layers(backbone), about.video)
            self._lacking[backbone, method] = found
        return self._lacking[backbone, method]

    def _has_layers(self, backbone: str) -> bool:
        """Tell whether a backbone is a visual transformer; yes where its library is not here, or does not know it."""
        if backbone not in self._with_layers:
            about = self.backbones[backbone]
            try:
                known = find_spec(about.library) is None or about.facts().transformer
            except UserError:  # `fsar.plan.checks` tells it
                known = True
            self._with_layers[backbone] = known
        return self._with_layers[backbone]

    def trained_here(self, benchmark: str, backbone: str) -> list[str]:
        """Return the models that are trained on a benchmark: those its methods need and nobody gave weights for."""
        given = self.benchmarks[self.training_of(benchmark)].trained.get(backbone, {})
        asked = (METHODS[method].model for method in self.methods(benchmark, backbone))
        models = dict.fromkeys(trained_as(model) for model in asked)
        return [model for model in models if model not in given and MODELS[model].trained]

    def drawn_from(self, benchmark: str, split: str) -> str:
        """Return the benchmark whose videos episodes of a split are drawn from."""
        return self.base(benchmark if split == "test" else self.training_of(benchmark))

    def data_of(self, benchmark: str) -> list[str]:
        """Return the benchmarks whose videos are used for one: that are tested, then what is trained on, if others."""
        return list(dict.fromkeys(self.drawn_from(benchmark, split) for split, *_ in self.episodes_drawn(benchmark)))

    def choosing(self, benchmark: str, backbone: str) -> list[str]:
        """Return the models whose tests take from validation classes how much class names count."""
        models = dict.fromkeys(METHODS[method].model for method in self.methods(benchmark, backbone))
        return [model for model in models if self.of(benchmark, backbone, model).head.chooses_text_weight]

    def training_shots(self, benchmark: str, backbone: str, model: str) -> list[int]:
        """Return the shots that a model is trained with, each in a training of its own."""
        shot = self.of(benchmark, backbone, model).training.shot
        return self.shots(benchmark) if shot == "tested" else [shot]

    def videos_needed(self, benchmark: str) -> dict[str, int]:
        """Return, by split, how many videos every class must have for the episodes of all that share its data."""
        sharing = [name for name in self.run.benchmarks if benchmark in self.data_of(name)] or [benchmark]
        needed = dict.fromkeys(SPLITS, 0)
        for name in sharing:
            for split, _, shot, queries in self.episodes_drawn(name):
                if self.drawn_from(name, split) == benchmark:
                    needed[split] = max(needed[split], shot + queries)
        return needed

    def episodes_drawn(self, benchmark: str) -> list[tuple[str, int, int, int]]:
        """Return split, largest way, largest shot and queries of every kind of episode drawn from a benchmark.

        Training classes are needed only where something is trained, validation classes only where something is chosen.
        """
        queries = self.videos(benchmark).episodes.queries
        validated = self.videos(self.training_of(benchmark)).episodes.queries
        way = max((way for way in self.run.ways if isinstance(way, int)), default=2)  # `all` fits, where there are two
        drawn = [("test", way, max(self.test_shots(benchmark), default=0), queries)]
        for backbone in self.backbones_used(benchmark):
            for model in self.trained_here(benchmark, backbone):
                training = self.of(benchmark, backbone, model).training
                shot = max(self.training_shots(benchmark, backbone, model))
                drawn.append(("train", training.way, shot, training.queries))
                # A checkpoint is chosen by episodes like those it trained on.
                drawn.append(("val", training.way, shot, validated))
        for backbone in self.run.backbones:
            for model in self.choosing(benchmark, backbone):
                way = self.of(benchmark, backbone, model).training.way
                drawn.append(("val", way, max(self.shots(benchmark)), validated))
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
        benchmark, backbone, method, _ = self.model_to_predict(name)
        return self.of(benchmark, backbone, METHODS[method].model).training.threads
