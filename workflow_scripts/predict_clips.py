"""Label a user's clips by examples of their classes."""

from pathlib import Path

import torch

from fsar.config import load
from fsar.gpus import own_gpus
from fsar.job import logged
from fsar.plan.plan import Plan
from fsar.plan.predict import PlannedPredictions
from fsar.predict.classifier import Classifier
from fsar.predict.clips import list_clips
from fsar.predict.load import planned_model
from fsar.predict.own_threshold import estimate_threshold
from fsar.predict.results import write_predictions

with logged(snakemake.log[0]):
    params, output = snakemake.params, snakemake.output
    config, name = load(snakemake.config), snakemake.wildcards.prediction
    planned = PlannedPredictions(Plan(config)).model(name)  # what decides, as its parameters say
    torch.set_num_threads(config.threads_to_predict(name))  # sums depend on it
    with own_gpus(1, config.device):
        model = planned_model(planned, Path(snakemake.input.model[0]) if snakemake.input.model else None)
        classifier = Classifier(model, device=config.device, frames=params.frames, motion=params.motion)
        classifier.support(params.support)
        if params.unknown is not None:
            classifier.threshold = estimate_threshold(classifier, params.unknown)
        write_predictions(classifier, list_clips(params.clips), csv=Path(output.csv), page=Path(output.page))
