"""What a run trains and tests: which models, in which trainings, with which tests, and the files of each."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fsar.backbone_facts import words_files
from fsar.config import Config
from fsar.evaluation.predictions import parts_of_file
from fsar.methods import METHODS, MODELS, trained_as
from fsar.plan import paths
from fsar.plan.imported import architecture_files
from fsar.plan.sources import used_benchmarks
from fsar.plan.videos import PresentVideos
from fsar.plan.ways import ways_of

# The model whose features are those of the backbone as it is.
UNTRAINED_MODEL = "frozen"


class PlannedModel(NamedTuple):
    """A model in one of its trainings. The wildcards of a rule with these four names will do, too."""

    benchmark: str
    backbone: str
    model: str
    training: str


class Plan:
    """What a config asks for."""

    def __init__(self, config: Config):
        self.config = config
        self.videos = PresentVideos(config)
        self._ways: dict[str, list[int]] = {}
        self.bases = sorted(used_benchmarks(config))

    # Trainings.

    def trainings(self, benchmark: str, backbone: str, model: str, shot: int | None = None) -> list[str]:
        """Return the trainings of a model, or those that its tests of one shot look at.

        What is not trained here has one result, whatever the seeds.
        """
        model = trained_as(model)
        if model not in self.config.trained_here(benchmark, backbone):
            return [paths.GIVEN if MODELS[model].trained else paths.UNTRAINED]
        shots: list[int | None] = [None]
        if self._one_for_each_shot(benchmark, backbone, model):
            shots = [own for own in self.config.training_shots(benchmark, backbone, model) if shot in (None, own)]
        return [paths.training_name(seed, own) for seed in self.config.run.seeds for own in shots]

    def trained(self, wildcards: Any) -> PlannedModel:
        """Return a training by benchmark, backbone, model, shot and seed, as it is named where it is tested."""
        at = wildcards.benchmark, wildcards.backbone, wildcards.model
        shot = int(wildcards.shot) if self._one_for_each_shot(*at) else None
        return PlannedModel(*at, paths.training_name(int(wildcards.seed), shot))

    def _one_for_each_shot(self, benchmark: str, backbone: str, model: str) -> bool:
        return self.config.of(benchmark, backbone, model).training.shot == "tested"

    def models(self) -> Iterator[PlannedModel]:
        """Yield everything that is tested."""
        for benchmark in self.config.run.benchmarks:
            for backbone in self.config.run.backbones:
                methods = self.config.methods(benchmark, backbone)
                for model in dict.fromkeys(METHODS[method].model for method in methods):
                    for training in self.trainings(benchmark, backbone, model):
                        yield PlannedModel(benchmark, backbone, model, training)

    # Files of models.

    def model_file(self, of: PlannedModel, name: str) -> str:
        """Return a file of a model that is trained here."""
        return f"{paths.MODEL.format(**self._trained_at(of))}/{name}"

    def _trained_at(self, of: PlannedModel) -> dict[str, Any]:
        """Return the wildcards of the training of a model that is trained here."""
        shot = paths.shot_of(of.training)
        if shot is None:
            (shot,) = self.config.training_shots(of.benchmark, of.backbone, of.model)
        at = {"benchmark": self.config.training_of(of.benchmark), "backbone": of.backbone, "model": of.model}
        return {**at, "shot": shot, "seed": paths.seed_of(of.training)}

    def trained_models(self, name: str) -> list[str]:
        """Return one file of every model that is trained here, once."""
        return list(dict.fromkeys(self.model_file(of, name) for of in self.models() if trains(of)))

    def trained_weights(self, of: PlannedModel) -> list[str]:
        """Return the trained weights of a model, which may be another's; none where nothing is trained."""
        of = PlannedModel(of.benchmark, of.backbone, trained_as(of.model), of.training)
        if of.training == paths.UNTRAINED:
            return []
        if of.training == paths.GIVEN:
            return [self.config.benchmarks[self.config.training_of(of.benchmark)].trained[of.backbone][of.model]]
        return [self.model_file(of, "model.safetensors")]

    def backbone_files(self, of: Any) -> list[str]:
        """Return local files that a backbone is read from (a rule may make them); pretrained tags are no files."""
        about = self.config.backbones[of.backbone]
        weights = [about.weights] if about.weights_are_a_file else []
        return architecture_files(about.model) + weights + [str(file) for file in words_files(about.words)]

    def descriptions(self, of: Any) -> list[str]:
        """Return the file that describes classes, if there is one and the backbone encodes their text."""
        own = self.config.of(of.benchmark, of.backbone, of.model)
        return [own.text.descriptions] if own.text.descriptions and own.has_text else []

    def training_descriptions(self, of: Any) -> list[str]:
        """Return the file that describes the classes a model is trained on, if there is one and the model reads it."""
        file = self.config.of(of.benchmark, of.backbone, of.model).text.descriptions
        return [file] if file and MODELS[of.model].reads_text else []

    def encoder(self, of: PlannedModel) -> PlannedModel:
        """Return the model whose features one is tested on.

        A head on frame features of the backbone as it is has those of `frozen`, unless it reads other texts; so has
        what is trained elsewhere than it is tested, of the benchmark that it is tested on.
        """
        parts = MODELS[of.model]
        if parts.weights_of:
            return PlannedModel(of.benchmark, of.backbone, parts.weights_of, of.training)
        if parts.trains in ("head", "nothing") and parts.needs == "frames":
            own, crosses = self.config.of(of.benchmark, of.backbone, of.model), self.config.crosses(of.benchmark)
            for benchmark in (self.config.base(of.benchmark), of.benchmark) if crosses else (of.benchmark,):
                plain = self.config.of(benchmark, of.backbone, UNTRAINED_MODEL)
                if not own.has_text or own.text == plain.text:
                    return PlannedModel(benchmark, of.backbone, UNTRAINED_MODEL, paths.UNTRAINED)
        return PlannedModel(of.benchmark, of.backbone, of.model, of.training)

    def features(self, of: PlannedModel, split: str = "test") -> str:
        """Return the features of a split's videos that a model is tested on."""
        return paths.FEATURES.format(split=split, **self.encoder(of)._asdict())

    def validation_features(self, of: PlannedModel) -> list[str]:
        """Return the features of the validation videos, where these choose the weight of class names in the tests."""
        return [self.features(self.chosen_on(of), "val")] if self.chooses_text_weight(of) else []

    def chosen_on(self, of: Any) -> PlannedModel:
        """Return a model as it is on the benchmark whose validation classes choose: on that it is trained on."""
        return PlannedModel(self.config.training_of(of.benchmark), of.backbone, of.model, of.training)

    def chooses_text_weight(self, of: PlannedModel) -> bool:
        """Tell whether validation classes choose the weight of class names in the tests of a model."""
        return self.config.of(of.benchmark, of.backbone, of.model).head.chooses_text_weight

    def training_features(self, of: Any) -> list[str]:
        """Return the features of training and validation videos that a model is trained on; none if it encodes them.

        Args:
            of: a model where it is trained, which may be elsewhere than it is tested.
        """
        config = self.config.of(of.benchmark, of.backbone, of.model)
        if not config.components.encoded_once or config.training.views == "fresh":
            return []
        benchmark, backbone, model, _ = self.training_encoder(of)
        at = {"benchmark": benchmark, "backbone": backbone, "model": model}
        return [path.format(**at) for path in (paths.TRAIN_FEATURES, paths.VAL_FEATURES)]

    def training_encoder(self, of: Any) -> PlannedModel:
        """Return the model whose stored training videos one is trained on: `frozen`, of frames that are drawn alike."""
        if MODELS[of.model].needs == "frames":
            own = self.config.of(of.benchmark, of.backbone, of.model).decisive("encode_training")
            for benchmark in (self.config.base(of.benchmark), of.benchmark):
                if own == self.config.of(benchmark, of.backbone, UNTRAINED_MODEL).decisive("encode_training"):
                    return PlannedModel(benchmark, of.backbone, UNTRAINED_MODEL, paths.UNTRAINED)
        return PlannedModel(of.benchmark, of.backbone, of.model, paths.UNTRAINED)

    # Tests.

    def ways(self, benchmark: str) -> list[int]:
        """Return the ways that a benchmark is tested with; raises UserError if its list, which tells, is no list."""
        if benchmark not in self._ways:
            self._ways[benchmark] = ways_of(self.config, self.videos, benchmark)
        return self._ways[benchmark]

    def tests(self, of: PlannedModel) -> list[dict[str, Any]]:
        """Return what a model is tested with: every method that uses it, every way, every shot its training is for."""
        only = paths.shot_of(of.training)
        return [
            {"method": method, "decides_by": METHODS[method].decides_by, "way": way, "shot": shot}
            | ({} if METHODS[method].inductive else {"inductive": False})
            for method in self.config.methods(of.benchmark, of.backbone)
            if METHODS[method].model == of.model
            for way in self.ways(of.benchmark)
            for shot in METHODS[method].shots(self.config.shots(of.benchmark))
            if only in (None, shot)
        ]

    def test_episodes(self, of: PlannedModel) -> list[str]:
        """Return the stored episodes of each test."""
        base = self.config.base(of.benchmark)
        return [
            paths.EPISODES.format(benchmark=base, split="test", way=test["way"], shot=test["shot"])
            for test in self.tests(of)
        ]

    def validation_episodes(self, of: PlannedModel) -> list[str]:
        """Return the stored episodes by which the weight of class names is chosen, for each shot of the tests."""
        if not self.chooses_text_weight(of):
            return []
        base, way = self.validated_on(of.benchmark), self.config.of(of.benchmark, of.backbone, of.model).training.way
        shots = dict.fromkeys(test["shot"] for test in self.tests(of))
        return [paths.EPISODES.format(benchmark=base, split="val", way=way, shot=shot) for shot in shots]

    def test_jobs(self, of: PlannedModel) -> int:
        """Return how many jobs the tests of a model are divided over: as many as they were begun with, or `test_jobs`.

        So another number repeats nothing: tests that are there are known by their parts, and what a part holds depends
        on how many there are.
        """
        whole = Path(predictions_file(of))
        if (parts := parts_of_file(whole)) is not None:
            return parts
        begun: Counter[int] = Counter()
        for part in whole.with_suffix("").glob("part*of*.parquet"):
            if match := re.fullmatch(r"part\d+of(\d+)", part.stem):
                begun[int(match[1])] += 1
        asked = self.config.run.test_jobs
        return max(begun, key=lambda parts: (begun[parts] / parts, parts == asked), default=asked)

    # Data.

    def shards(self, benchmark: str) -> list[str]:
        """Return the numbers of a benchmark's shards, as they stand in paths."""
        return [paths.shard(number) for number in range(self.config.videos(benchmark).frames.shards)]

    def data_files(self, benchmark: str) -> list[str]:
        """Return everything that is made before a model is looked at: frames, stored episodes, the data's report."""
        config, base = self.config, self.config.base(benchmark)
        drawn = {("test", way, shot) for way in self.ways(benchmark) for shot in config.test_shots(benchmark)}
        for backbone in config.run.backbones:
            for model in config.trained_here(benchmark, backbone):
                way = config.of(benchmark, backbone, model).training.way
                drawn |= {("val", way, shot) for shot in config.training_shots(benchmark, backbone, model)}
            for model in config.choosing(benchmark, backbone):
                way = config.of(benchmark, backbone, model).training.way
                drawn |= {("val", way, shot) for shot in config.shots(benchmark)}
        own = {"test": base, "val": self.validated_on(benchmark)}
        episodes = [
            paths.EPISODES.format(benchmark=own[split], split=split, way=way, shot=shot)
            for split, way, shot in sorted(drawn)
        ]
        return [*(paths.DATA_REPORT.format(benchmark=data) + ".html" for data in config.data_of(benchmark)), *episodes]

    def validated_on(self, benchmark: str) -> str:
        """Return the benchmark whose stored validation episodes a benchmark's models are chosen by."""
        trained = self.config.training_of(benchmark)
        return trained if self.config.benchmarks[trained].without else self.config.base(trained)

    def measured(self) -> list[str]:
        """Return where the times of the jobs are that cost most: decoding, training, features and tests."""
        found = [
            paths.DECODE_TIME.format(benchmark=base, shard=shard) for base in self.bases for shard in self.shards(base)
        ]
        for of in self.models():
            if trains(of):
                found.append(paths.TRAIN_TIME.format(**self._trained_at(of)))
                trained = of._replace(benchmark=self.config.training_of(of.benchmark))
                if self.training_features(trained):
                    found.append(paths.ENCODING_TIME.format(**self.training_encoder(trained)._asdict()))
            if MODELS[of.model].across_videos:
                parts = self.test_jobs(of)
                found += [paths.PART_TIME.format(part=part, parts=parts, **of._asdict()) for part in range(parts)]
            else:
                splits = ["test", "val"] if self.chooses_text_weight(of) else ["test"]
                found += [paths.FEATURES_TIME.format(split=split, **of._asdict()) for split in splits]
                found.append(paths.TESTS_TIME.format(**of._asdict()))
        return list(dict.fromkeys(found))


def trains(of: PlannedModel) -> bool:
    """Tell whether a tested model is one that is trained here."""
    return MODELS[of.model].trained and paths.seed_of(of.training) is not None


def predictions_file(of: PlannedModel) -> str:
    """Return the file of a tested model's predictions."""
    return paths.PREDICTIONS.format(benchmark=of.benchmark, backbone=of.backbone, model=of.model, training=of.training)
