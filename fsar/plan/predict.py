"""What labelling a user's clips depends on: the examples and clips as they are now, and the model."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsar.config import BackboneConfig, FramesConfig
from fsar.config.merged import MergedConfig
from fsar.errors import UserError
from fsar.methods import METHODS, Components
from fsar.methods.settings import HeadSettings
from fsar.plan import paths
from fsar.plan.imported import decoder_file, model_files
from fsar.plan.plan import Plan, PlannedModel
from fsar.predict.clips import list_clips, list_examples
from fsar.predict.folder import WEIGHTS, describing_file
from fsar.predict.motion_share import check_motion
from fsar.sources.there import state_of


class PlannedPredictions:
    """The predictions that a config asks for."""

    def __init__(self, plan: Plan):
        self.plan, self.config = plan, plan.config

    def check(self) -> None:
        """Check what a user brings, before any job; raises UserError if examples, clips or a model cannot be used."""
        for name, asked in self.config.predict.items():
            self.videos(name)
            if asked.model:
                self.model_files(name)
            try:
                check_motion(asked.motion, *self._matching(name))
            except UserError as error:
                raise UserError(f"{error} (key predict.{name}.motion)") from None

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
        model = self._model(prediction)
        return self.plan.trained_weights(model) + self.plan.backbone_files(model) + self.plan.descriptions(model)

    def model(self, prediction: str) -> dict[str, Any]:
        """Return what decides the model: a folder and a method, or its settings without a trace of what is default."""
        asked = self.config.predict[prediction]
        if asked.model:
            return {"folder": asked.model, "method": asked.method}
        model, settings = self._model(prediction), self.settings(prediction)
        if model.training == paths.UNTRAINED:
            knows = "as pretrained"
        elif model.training == paths.GIVEN:
            knows = f"trained elsewhere, with settings of {self.config.training_of(model.benchmark)}"
        else:
            knows = f"trained on {self.config.training_of(model.benchmark)}, {model.training}"
        decided = settings.decisive("predict_clips")
        names = ("sampling", "frames", "text", "components", "backbone", "head", "adapters")
        return {name: decided.get(name, {}) for name in names} | {
            **decided.get("training", {}),  # float32
            "method": settings.methods[0],
            "seed": settings.seed,
            "trained": bool(self.plan.trained_weights(model)),
            "knows": f"{model.backbone}, {knows}",
        }

    def settings(self, prediction: str) -> MergedConfig:
        """Return the settings of the model that labels, with the one method that decides."""
        benchmark, backbone, method, _ = self.config.model_to_predict(prediction)
        return replace(self.config.of(benchmark, backbone, METHODS[method].model), methods=(method,))

    def facts(self, prediction: str) -> dict[str, Any]:
        """Return what the job looks up about the method and what its model is made of."""
        asked = self.config.predict[prediction]
        name = asked.method if asked.model else self.config.model_to_predict(prediction)[2]
        if name is None:  # the first one that the folder's model decides by
            return {}
        method = METHODS[name]
        own = {"decides_by": method.decides_by, "inductive": method.inductive, "title": method.title}
        return own | method.components.facts()

    def files_by_name(self, prediction: str) -> list[Path]:
        """Return the files that the code imports by name: of the backbone's library, of the metric and the decoder."""
        asked = self.config.predict[prediction]
        if not asked.model:
            own = self.settings(prediction)
            return [*model_files(own.backbone, own.components), decoder_file(own.frames)]
        described = self._described(prediction)
        backbone_of_folder = BackboneConfig(**described["backbone"])
        components = Components(**described["components"])
        return [*model_files(backbone_of_folder, components), decoder_file(FramesConfig(**described["frames"]))]

    def _described(self, prediction: str) -> dict[str, Any]:
        """Return what the folder of a model says of it."""
        return json.loads(Path(self.model_files(prediction)[1]).read_text(encoding="utf-8"))

    def _matching(self, prediction: str) -> tuple[HeadSettings, str]:
        """Return the settings of the head that decides, and the method."""
        asked = self.config.predict[prediction]
        if not asked.model:
            own = self.settings(prediction)
            return own.head, own.methods[0]
        if asked.method is not None:
            return METHODS[asked.method].components.settings, asked.method
        components = Components(**self._described(prediction)["components"])
        return components.settings, f"of {asked.model}"

    def _model(self, prediction: str) -> PlannedModel:
        """Return the model that labels, in the training whose weights are used."""
        benchmark, backbone, method, seed = self.config.model_to_predict(prediction)
        at = benchmark, backbone, METHODS[method].model
        training = self.plan.trainings(*at)[0]
        if paths.seed_of(training) is not None:
            training = paths.training_name(seed, paths.shot_of(training))
        return PlannedModel(*at, training)
