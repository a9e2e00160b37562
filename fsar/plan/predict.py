"""What labelling a user's clips depends on: the examples and clips as they are now, and the model."""

import hashlib
import json
from pathlib import Path
from typing import Any

from fsar.config import BackboneConfig, FramesConfig
from fsar.config.merge import components_record
from fsar.errors import UserError
from fsar.methods import METHODS, Components
from fsar.plan import paths
from fsar.plan.plan import Plan, decoder_file, model_files
from fsar.plan.shown import Values
from fsar.predict.clips import list_clips, list_examples
from fsar.predict.folder import WEIGHTS, describing_file
from fsar.sources.there import state_of


class PlannedPredictions:
    """The predictions that a config asks for.

    Args:
        plan: of the run.
    """

    def __init__(self, plan: Plan):
        self.plan, self.config = plan, plan.config

    def check(self) -> None:
        """Check what a user brings, before any job; raises UserError if examples, clips or a model cannot be used."""
        for name, asked in self.config.predict.items():
            self.videos(name)
            if asked.model:
                self.model_files(name)

    def videos(self, prediction: str) -> str:
        """Return a fingerprint of the examples and clips: their classes, ids, paths, sizes and times of modification.

        Raises:
            UserError: a list or folder cannot be used.
        """
        asked = self.config.predict[prediction]
        try:
            named = [(label, clip) for label, clips in list_examples(asked.support).items() for clip in clips]
            named += [("", clip) for clip in list_clips(asked.clips)]
        except UserError as error:
            raise UserError(f"{error} (section predict.{prediction})") from None
        states = state_of(str(clip.path) for _, clip in named)
        rows = [
            (label, clip.video_id, str(clip.path), *state) for (label, clip), state in zip(named, states, strict=True)
        ]
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]

    def lists(self, prediction: str) -> list[str]:
        """Return the CSVs of a prediction; what they say is in `videos`."""
        asked = self.config.predict[prediction]
        return [path for path in (asked.support, asked.clips) if path.lower().endswith(".csv")]

    def model_files(self, prediction: str) -> list[str]:
        """Return the files of the model: its weights first, where it is trained, and what it is read from."""
        folder = self.config.predict[prediction].model
        if folder:
            try:
                return [str(Path(folder) / WEIGHTS), str(describing_file(Path(folder)))]
            except UserError as error:
                raise UserError(f"{error} (key predict.{prediction}.model)") from None
        benchmark, backbone, method, _ = self.config.model_to_predict(prediction)
        trained = self.plan.trained_weights(benchmark, backbone, METHODS[method].model, self._training(prediction))
        text = self.plan.feature_descriptions(benchmark, backbone, METHODS[method].model)
        return trained + self.plan.backbone_files(backbone) + text

    def model(self, prediction: str) -> dict[str, Any]:
        """Return what decides the model: a folder and a method, or its settings without a trace of what is default."""
        asked = self.config.predict[prediction]
        if asked.model:
            return {"folder": asked.model, "method": asked.method}
        benchmark, backbone, method, _ = self.config.model_to_predict(prediction)
        model = METHODS[method].model
        sections = {name: self.plan.decisive(name, "predict_clips")(benchmark) for name in ("sampling", "frames")}
        head = self.config.head_settings(benchmark, backbone, model).decisive("predict_clips")
        reads = {key: value for key, value in head.items() if METHODS[method].components.reads("head", key)}
        if METHODS[method].decides_by == "both" and "text_weight" in head:
            reads["text_weight"] = head["text_weight"]
        training = self._training(prediction)
        knows = {paths.UNTRAINED: "as pretrained", paths.GIVEN: f"trained elsewhere, with settings of {benchmark}"}
        return sections | {
            **self.config.settings(benchmark, "training", backbone).decisive("predict_clips"),  # float32
            "text": self.plan.feature_text(benchmark, backbone, model),
            "method": method,
            "components": components_record(METHODS[method].components),
            "backbone": self.config.backbones[backbone].decisive("predict_clips"),
            "head": reads,
            "adapters": self.plan.decisive("adapters", "predict_clips")(benchmark, backbone, model),
            "seed": self.config.seed,
            "trained": bool(self.plan.trained_weights(benchmark, backbone, model, training)),
            "knows": f"{backbone}, {knows.get(training, f'trained on {benchmark}, {training}')}",
        }

    def facts(self, prediction: str) -> Values:
        """Return what the job looks up about the method and what its model is made of."""
        asked = self.config.predict[prediction]
        name = asked.method if asked.model else self.config.model_to_predict(prediction)[2]
        if name is None:  # the first one that the folder's model decides by
            return Values("facts")
        method = METHODS[name]
        own = {"decides_by": method.decides_by, "inductive": method.inductive, "title": method.title}
        return Values("facts", own | method.components.facts())

    def files_by_name(self, prediction: str) -> list[Path]:
        """Return the files that the code imports by name: of the backbone's library, of the metric and the decoder."""
        asked = self.config.predict[prediction]
        if not asked.model:
            benchmark, backbone, method, _ = self.config.model_to_predict(prediction)
            frames = self.config.settings(benchmark, "frames")
            return [*model_files(self.config.backbones[backbone], METHODS[method].components), decoder_file(frames)]
        described = json.loads(Path(self.model_files(prediction)[1]).read_text(encoding="utf-8"))
        backbone_of_folder = BackboneConfig(**described["backbone"])
        components = Components(**described["components"])
        return [*model_files(backbone_of_folder, components), decoder_file(FramesConfig(**described["frames"]))]

    def _training(self, prediction: str) -> str:
        """Return the training whose weights are used."""
        benchmark, backbone, method, seed = self.config.model_to_predict(prediction)
        model = METHODS[method].model
        if model in self.config.trained_here(benchmark, backbone):
            shot = self.config.training_shots(benchmark, backbone, model)[0]
            return self.plan.training_of(benchmark, backbone, model, str(shot), str(seed))
        return self.plan.trainings(benchmark, backbone, model)[0]
