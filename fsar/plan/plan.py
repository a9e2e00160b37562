"""The plan of a run: what each rule is given, as functions of its wildcards, and the rows of the tables."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fsar.config import BackboneConfig, Config, DemoSource, FramesConfig, PublishedSource
from fsar.config.merge import components_record
from fsar.evaluation.predictions import parts_of_file
from fsar.files import from_working_directory
from fsar.keys.declare import Section
from fsar.methods import METHODS, MODELS, Components, Method, module_file
from fsar.model.backbone_facts import OWN_ARCHITECTURES
from fsar.plan import paths, sources
from fsar.plan.code import PACKAGE
from fsar.plan.setting import Setting
from fsar.plan.shown import Values
from fsar.plan.videos import PresentVideos
from fsar.sources.data_sets import PUBLISHED

# The model whose features are those of the backbone as it is.
UNTRAINED_MODEL = "frozen"


def model_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return the files that are imported by name: of a backbone's library, adapters, a head, and a metric in that."""
    return [_library_file(backbone), *map(module_file, components.imported_by_name)]


def encoder_files(backbone: BackboneConfig, components: Components) -> list[Path]:
    """Return those of them that features come from: of frames they come whatever the head is."""
    if components.stores_its_own:
        return model_files(backbone, components)
    adapters = [name for name in components.imported_by_name if name.endswith(".adapter")]
    return [_library_file(backbone), *map(module_file, adapters)]


def _library_file(backbone: BackboneConfig) -> Path:
    return PACKAGE / "model" / f"{backbone.library}_backbone.py"


def decoder_file(frames: FramesConfig) -> Path:
    """Return the file of a decoder, which is imported by its name."""
    return PACKAGE / "videos" / "decoders" / f"{frames.decoder}.py"


def architecture_files(model: str) -> list[str]:
    """Return the file that describes an architecture, if it is the user's or this project's and not a library's."""
    if model.endswith(".json"):
        return [model]
    own = OWN_ARCHITECTURES / f"{model}.json"
    return [from_working_directory(own)] if own.is_file() else []


def first_method(model: str) -> Method:
    """Return the first method that decides with a model, whose name and source stand for it."""
    return next(method for method in METHODS.values() if method.model == model)


class Plan:
    """What a config asks for.

    Args:
        config: the checked config.
    """

    def __init__(self, config: Config):
        self.config = config
        self.videos = PresentVideos(config)
        self.bases = sorted({config.base(benchmark) for benchmark in config.run.benchmarks})
        self.settings = list(self._settings())

    # Files of a benchmark's data, which a variant shares with another benchmark.

    def of_base(self, path: str) -> Callable[[str], str]:
        """Return a path as a function of the benchmark: that of the data it uses."""
        return lambda benchmark: path.format(benchmark=self.config.base(benchmark))

    def shards(self, suffix: str) -> Callable[[str], list[str]]:
        """Return the shards' files of one suffix as a function of the benchmark."""

        def files(benchmark: str) -> list[str]:
            base = self.config.base(benchmark)
            count = self.config.settings(base, "frames").shards
            return [paths.SHARD.format(benchmark=base, shard=paths.shard(number)) + suffix for number in range(count)]

        return files

    def listings(self, benchmark: str) -> list[str]:
        """Return the lists of a benchmark's videos."""
        return sources.listings(self.config, benchmark)

    def rendered(self, benchmark: str) -> dict[str, Any]:
        """Return what decides the videos of a benchmark that the workflow renders."""
        source = self.config.benchmarks[benchmark].source
        assert isinstance(source, DemoSource)
        return source.decisive("render_videos")

    def split_lists(self, benchmark: str) -> list[str]:
        """Return the split lists of a published benchmark."""
        return sources.split_lists(self._published(benchmark))

    def inventory(self, benchmark: str) -> str:
        """Return the table of the files that a published benchmark's data set has."""
        return paths.FOLDER_INVENTORY.format(dataset=PUBLISHED[self._published(benchmark)].name)

    def made_files(self, dataset: str) -> list[str]:
        """Return what is there when the workflow has put a data set's videos into their folder."""
        return sources.made_files(self.config, dataset)

    def videos_folder(self, dataset: str) -> str:
        """Return the folder that a data set's videos lie in."""
        return sources.videos_folder(self.config, dataset)

    def makers_of_videos(self, benchmark: str) -> list[str]:
        """Return the files after which a benchmark's videos are there, and after which all are decoded again."""
        source = self.config.benchmarks[benchmark].source
        if isinstance(source, DemoSource):
            return self.listings(benchmark)
        if isinstance(source, PublishedSource) and not self._comes_in_parts(source):
            return self.made_files(PUBLISHED[source.kind].name)
        return []

    def lists_of_videos(self, benchmark: str) -> list[str]:
        """Return the fetched files that name a benchmark's videos, whose changes concern some shards only.

        What comes in parts is among them: fetching a part anew leaves the videos that are there as they are. A user's
        own list is not: it is there before the run, and under another name it lists the same videos.
        """
        source = self.config.benchmarks[benchmark].source
        if not isinstance(source, PublishedSource):
            return []
        parts = self.made_files(PUBLISHED[source.kind].name) if self._comes_in_parts(source) else []
        return self.split_lists(benchmark) + parts

    def annotations(self, benchmark: str) -> list[str]:
        """Return the annotations that name a published benchmark's classes, where its lists do not."""
        return sources.annotations(self.config, self._published(benchmark))

    def _comes_in_parts(self, source: PublishedSource) -> bool:
        return PUBLISHED[source.kind].comes == "parts"

    def _published(self, benchmark: str) -> str:
        source = self.config.benchmarks[benchmark].source
        assert isinstance(source, PublishedSource)
        return source.kind

    def missing(self, benchmark: str) -> list[str]:
        """Return the list of the published videos that are not there, for a published benchmark."""
        published = isinstance(self.config.benchmarks[benchmark].source, PublishedSource)
        return [paths.MISSING.format(benchmark=benchmark)] if published else []

    def episodes(self, benchmark: str, split: str) -> dict[str, int]:
        """Return what the stored episodes of a split are drawn by, beside their way and shot."""
        drawn = self.config.settings(benchmark, "episodes")
        return {"queries": drawn.queries, "episodes": getattr(drawn, split), "seed": self.config.seed}

    def data_files(self, benchmark: str) -> list[str]:
        """Return everything that is made before a model is looked at: frames, stored episodes, the data's report."""
        config, base = self.config, self.config.base(benchmark)
        drawn = {("test", way, shot) for way in config.run.ways for shot in config.test_shots(benchmark)}
        for backbone in config.run.backbones:
            for model in config.trained_here(benchmark, backbone):
                way = config.settings(benchmark, "training", backbone, model).way
                drawn |= {("val", way, shot) for shot in config.training_shots(benchmark, backbone, model)}
        episodes = (
            paths.EPISODES.format(benchmark=base, split=split, way=way, shot=shot) for split, way, shot in sorted(drawn)
        )
        return [paths.DATA_REPORT.format(benchmark=base) + ".html", *episodes]

    # Models.

    def backbone_files(self, backbone: str) -> list[str]:
        """Return local files that a backbone is read from (a rule may make them); pretrained tags are no files."""
        about = self.config.backbones[backbone]
        return architecture_files(about.model) + ([about.weights] if about.weights_are_a_file else [])

    def training_descriptions(self, benchmark: str, model: str) -> list[str]:
        """Return the file that describes the classes a model is trained on, if there is one and the model reads it."""
        file = self.config.settings(benchmark, "text", model=model).descriptions
        return [file] if file and MODELS[model].reads_text else []

    def feature_descriptions(self, benchmark: str, backbone: str, model: str) -> list[str]:
        """Return the file that describes the test classes, if there is one and the backbone encodes them."""
        file = self.config.settings(benchmark, "text", model=model).descriptions
        return [file] if file and self.config.backbones[backbone].has_text else []

    def feature_text(self, benchmark: str, backbone: str, model: str) -> dict[str, Any]:
        """Return how the test classes become text, where the backbone encodes them: whether or not the model looks at
        it, as features are for every method that decides with it."""
        text = self.config.settings(benchmark, "text", model=model).decisive("encode_features")
        return text if self.config.backbones[backbone].has_text else {}

    def validation_episodes(self, benchmark: str, backbone: str, model: str, shot: str) -> str:
        """Return the episodes a training is validated on: of its way and shot."""
        way = self.config.settings(benchmark, "training", backbone, model).way
        return paths.EPISODES.format(benchmark=self.config.base(benchmark), split="val", way=way, shot=shot)

    def trainings(self, benchmark: str, backbone: str, model: str, shot: int | None = None) -> list[str]:
        """Return the trainings of a model, or those that its tests of one shot look at.

        What is not trained here has one result, whatever the seeds.
        """
        if model not in self.config.trained_here(benchmark, backbone):
            return [paths.GIVEN if MODELS[model].trained else paths.UNTRAINED]
        shots: list[int | None] = [None]
        if self._a_training_per_shot(benchmark, backbone, model):
            shots = [own for own in self.config.training_shots(benchmark, backbone, model) if shot in (None, own)]
        return [paths.training_name(seed, own) for seed in self.config.run.seeds for own in shots]

    def training_of(self, benchmark: str, backbone: str, model: str, shot: str, seed: str) -> str:
        """Return the name of the training with a shot and a seed."""
        apart = self._a_training_per_shot(benchmark, backbone, model)
        return paths.training_name(int(seed), int(shot) if apart else None)

    def _a_training_per_shot(self, benchmark: str, backbone: str, model: str) -> bool:
        return self.config.settings(benchmark, "training", backbone, model).shot == "tested"

    def model_file(self, benchmark: str, backbone: str, model: str, training: str, name: str) -> str:
        """Return a file of a model that is trained here."""
        shot = paths.shot_of(training)
        if shot is None:
            (shot,) = self.config.training_shots(benchmark, backbone, model)
        seed = paths.seed_of(training)
        folder = paths.MODEL.format(benchmark=benchmark, backbone=backbone, model=model, shot=shot, seed=seed)
        return f"{folder}/{name}"

    def trained_weights(self, benchmark: str, backbone: str, model: str, training: str) -> list[str]:
        """Return the trained weights of a model; none of one that is not trained."""
        if training == paths.UNTRAINED:
            return []
        if training == paths.GIVEN:
            return [self.config.benchmarks[benchmark].trained[backbone][model]]
        return [self.model_file(benchmark, backbone, model, training, "model.safetensors")]

    def features(self, benchmark: str, backbone: str, model: str, training: str) -> str:
        """Return the features that a model is tested on."""
        model, training = self._encoder(benchmark, backbone, model, training)
        return paths.FEATURES.format(benchmark=benchmark, backbone=backbone, model=model, training=training)

    def encoder_weights(self, benchmark: str, backbone: str, model: str, training: str) -> list[str]:
        """Return the trained weights that those features are encoded with, if there are any."""
        return self.trained_weights(benchmark, backbone, *self._encoder(benchmark, backbone, model, training))

    def encoder_descriptions(self, benchmark: str, backbone: str, model: str, training: str) -> list[str]:
        """Return the file that describes the test classes to that encoder, if there is one."""
        return self.feature_descriptions(benchmark, backbone, self._encoder(benchmark, backbone, model, training)[0])

    def encoded_by(self, benchmark: str, backbone: str, model: str, training: str) -> dict[str, Any]:
        """Return the settings that those features are encoded with, as they are written into their file."""
        return self.encoding_settings(benchmark, backbone, self._encoder(benchmark, backbone, model, training)[0])

    def encoding_settings(self, benchmark: str, backbone: str, model: str) -> dict[str, Any]:
        """Return what of the config decides the features of a model."""
        stage = "encode_features"
        own = {name: self.decisive(name, stage)(benchmark, backbone, model) for name in ("adapters", "training")}
        return own | {
            "backbone": self.config.backbones[backbone].decisive(stage),
            "sampling": self.decisive("sampling", stage)(benchmark),
            "text": self.feature_text(benchmark, backbone, model),
            "components": self.encoding(model),
            "head": self.encoding_head(benchmark, backbone, model),
            "data_seed": self.config.seed,
        }

    def _encoder(self, benchmark: str, backbone: str, model: str, training: str) -> tuple[str, str]:
        """Return whose features a model is tested on: a head alone, on frame features, has those of the backbone."""
        parts = MODELS[model]
        if parts.trains == "head" and parts.needs == "frames":
            own, plain = (self.feature_text(benchmark, backbone, name) for name in (model, UNTRAINED_MODEL))
            if own == plain:
                return UNTRAINED_MODEL, paths.UNTRAINED
        return model, training

    def trained_models(self, name: str) -> list[str]:
        """Return one file of every model that is trained here."""
        config = self.config
        return [
            self.model_file(benchmark, backbone, model, training, name)
            for benchmark in config.run.benchmarks
            for backbone in config.run.backbones
            for model in config.trained_here(benchmark, backbone)
            for training in self.trainings(benchmark, backbone, model)
        ]

    def title(self, model: str) -> str:
        """Return what a model is called: as the first method that decides with it."""
        return first_method(model).title

    def citation(self, model: str) -> str:
        """Return where that method is from."""
        return first_method(model).citation

    def source(self, model: str) -> dict[str, str]:
        """Return the public code of that method, where this project's differs, and how that code chose its weights."""
        return {name: getattr(first_method(model), name) for name in ("code", "deviations", "code_selection")}

    def licences(self, benchmark: str, backbone: str) -> dict[str, str]:
        """Return whose the videos and the pretrained weights of a model are."""
        config = self.config
        return {"videos": config.licence(benchmark), "weights": config.backbones[backbone].licence}

    # Parameters of rules: what decides them, without a trace of what is default.

    def components(self, model: str) -> dict[str, Any]:
        """Return what a model is made of."""
        return components_record(MODELS[model])

    def facts(self, model: str) -> Values:
        """Return what jobs look up about a model's components."""
        return Values("facts", MODELS[model].facts())

    def encoding_facts(self, model: str) -> Values:
        """Return what of that decides what is kept of each video."""
        return Values("facts", MODELS[model].encoding.facts())

    def decisive(self, name: str, stage: str) -> Callable[..., dict[str, Any]]:
        """Return the decisive values of a section as a function of wildcards: `benchmark`, `backbone` and `model`.

        Of a model, `head` is the section of its own head.
        """

        def values(benchmark: str, backbone: str | None = None, model: str | None = None) -> dict[str, Any]:
            if model is None:
                section: Section = self.config.settings(benchmark, name, backbone)  # type: ignore[call-overload]
                return section.decisive(stage)
            assert backbone is not None  # a model is always one of a backbone
            if name == "head":
                section = self.config.head_settings(benchmark, backbone, model)
            elif name == "adapters":
                own = self.config.adapter_settings(benchmark, backbone, model)
                if own is None:
                    return {}
                section = own
            else:
                section = self.config.settings(benchmark, name, backbone, model)  # type: ignore[call-overload]
            decided = section.decisive(stage)
            return {key: value for key, value in decided.items() if self._reads(benchmark, backbone, model, name, key)}

        return values

    def encoding(self, model: str) -> dict[str, Any]:
        """Return what of a model's components decides what is kept of each video."""
        return components_record(MODELS[model].encoding)

    def encoding_head(self, benchmark: str, backbone: str, model: str) -> dict[str, Any]:
        """Return what of a model's head decides what is kept of each video: nothing, if it keeps frame features."""
        if not MODELS[model].stores_its_own:
            return {}
        return self.config.head_settings(benchmark, backbone, model).decisive("train_model")

    def _reads(self, benchmark: str, backbone: str | None, model: str, name: str, key: str) -> bool:
        if name == "head" and key == "text_weight":
            assert backbone is not None  # only tests read it, which are of a backbone
            return any(test["decides_by"] == "both" for test in self.tests(benchmark, backbone, model))
        return name not in ("head", "text", "training") or MODELS[model].reads(name, key)

    # Tests.

    def tests(self, benchmark: str, backbone: str, model: str, training: str = "") -> list[dict[str, Any]]:
        """Return what a model is tested with: every method that uses it, every way, every shot its training is for."""
        only = paths.shot_of(training)
        return [
            {"method": method, "decides_by": METHODS[method].decides_by, "way": way, "shot": shot}
            | ({} if METHODS[method].inductive else {"inductive": False})
            for method in self.config.methods(benchmark, backbone)
            if METHODS[method].model == model
            for way in self.config.run.ways
            for shot in METHODS[method].shots(self.config.shots(benchmark))
            if only in (None, shot)
        ]

    def parts_of_tests(self, benchmark: str, backbone: str, model: str, training: str) -> list[str]:
        """Return the parts that the tests of a model are divided into, whose features depend on the episode."""
        names = {"benchmark": benchmark, "backbone": backbone, "model": model, "training": training}
        parts = self.test_jobs(**names)
        return [paths.PREDICTIONS_PART.format(part=part, parts=parts, **names) for part in range(parts)]

    def test_jobs(self, benchmark: str, backbone: str, model: str, training: str) -> int:
        """Return how many jobs those tests are divided over: as many as they were begun with, or as the config says.

        So another number repeats nothing: tests that are there are known by their parts, and what a part holds depends
        on how many there are.
        """
        names = {"benchmark": benchmark, "backbone": backbone, "model": model, "training": training}
        whole = Path(paths.PREDICTIONS.format(**names))
        if (parts := parts_of_file(whole)) is not None:
            return parts
        begun: Counter[int] = Counter()
        for part in whole.with_suffix("").glob("part*of*.parquet"):
            if match := re.fullmatch(r"part\d+of(\d+)", part.stem):
                begun[int(match[1])] += 1
        asked = self.config.run.test_jobs
        return max(begun, key=lambda parts: (begun[parts] / parts, parts == asked), default=asked)

    def evaluation(self, benchmark: str, backbone: str, model: str, training: str) -> str:
        """Return the name of one job of a cluster: a model's features, and all tests on them."""
        return "-".join(("evaluation", benchmark, backbone, model, training))

    def test_episodes(self, benchmark: str, backbone: str, model: str, training: str) -> list[str]:
        """Return the stored episodes of each test."""
        base = self.config.base(benchmark)
        return [
            paths.EPISODES.format(benchmark=base, split="test", way=test["way"], shot=test["shot"])
            for test in self.tests(benchmark, backbone, model, training)
        ]

    # Rows of the tables.

    def setting(self, benchmark: str, backbone: str, method: str, way: int, shot: int, trainings: list[str]) -> Setting:
        """Return one row of a table, with the files it comes from."""
        model = METHODS[method].model
        names = {"benchmark": benchmark, "backbone": backbone, "model": model}
        seeds = tuple(seed for training in trainings if (seed := paths.seed_of(training)) is not None)
        return Setting(
            benchmark=benchmark,
            backbone=backbone,
            method=method,
            title=METHODS[method].title,
            way=way,
            shot=shot,
            seeds=seeds,
            selection="val" if seeds else {paths.GIVEN: "given"}.get(trainings[0], "not trained"),
            predictions=tuple(paths.PREDICTIONS.format(training=training, **names) for training in trainings),
            counts=paths.COUNTS.format(benchmark=self.config.base(benchmark)),
            base=self.config.base(benchmark),
            frames=self.config.settings(benchmark, "sampling").frames,
            depth=self.config.depth(benchmark, backbone),
            published_method=METHODS[method].published_as,
            published_backbone=self.config.backbones[backbone].published_as,
            inductive=METHODS[method].inductive,
        )

    def _settings(self) -> Iterator[Setting]:
        """Yield every setting the config asks for, in the order of the config."""
        config = self.config
        for benchmark in config.run.benchmarks:
            for backbone in config.run.backbones:
                for way in config.run.ways:
                    for shot in sorted({0, *config.shots(benchmark)}):
                        for method in config.methods(benchmark, backbone):
                            if shot in METHODS[method].shots(config.shots(benchmark)):
                                trainings = self.trainings(benchmark, backbone, METHODS[method].model, shot)
                                yield self.setting(benchmark, backbone, method, way, shot, trainings)

    def settings_of_deals(self) -> list[Setting]:
        """Return the rows of the demo's benchmarks, where several are run: deals of the same classes."""
        own = self.config.benchmarks
        deals = [name for name in self.config.run.benchmarks if isinstance(own[name].source, DemoSource)]
        return [setting for setting in self.settings if setting.benchmark in deals] if len(deals) > 1 else []

    def settings_of_a_model(self, benchmark: str, backbone: str, model: str, shot: str, seed: str) -> list[Setting]:
        """Return what one trained model is tested with."""
        training = self.training_of(benchmark, backbone, model, shot, seed)
        return [
            self.setting(benchmark, backbone, test["method"], test["way"], test["shot"], [training])
            for test in self.tests(benchmark, backbone, model, training)
        ]

    def predictions_of_a_model(self, benchmark: str, backbone: str, model: str, shot: str, seed: str) -> str:
        """Return the predictions of one trained model."""
        training = self.training_of(benchmark, backbone, model, shot, seed)
        return paths.PREDICTIONS.format(benchmark=benchmark, backbone=backbone, model=model, training=training)

    def predictions(self) -> list[str]:
        """Return every file of predictions, once."""
        return list(dict.fromkeys(path for setting in self.settings for path in setting.predictions))

    def models(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield benchmark, backbone, model and training of everything that is tested."""
        for benchmark in self.config.run.benchmarks:
            for backbone in self.config.run.backbones:
                for model in dict.fromkeys(
                    METHODS[method].model for method in self.config.methods(benchmark, backbone)
                ):
                    for training in self.trainings(benchmark, backbone, model):
                        yield benchmark, backbone, model, training

    def measured(self) -> list[str]:
        """Return where the times of the jobs are that cost most: decoding, training, features and tests."""
        shards = [
            paths.DECODE_LOG.format(benchmark=base, shard=paths.shard(number))
            for base in self.bases
            for number in range(self.config.settings(base, "frames").shards)
        ]
        tested = []
        for benchmark, backbone, model, training in self.models():
            names = {"benchmark": benchmark, "backbone": backbone, "model": model}
            if (seed := paths.seed_of(training)) is not None:
                shot = paths.shot_of(training) or self.config.training_shots(benchmark, backbone, model)[0]
                tested.append(paths.TRAIN_LOG.format(shot=shot, seed=seed, **names))
            logs = [paths.FEATURES_LOG, paths.TESTS_LOG]
            if MODELS[model].across_videos:
                jobs = self.test_jobs(training=training, **names)
                logs = [
                    paths.PART_LOG.replace("{part}", str(part)).replace("{parts}", str(jobs)) for part in range(jobs)
                ]
            tested += [log.format(training=training, **names) for log in logs]
        return [f"{log}.tsv" for log in shards + tested]
