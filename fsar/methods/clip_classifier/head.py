"""Class names and the mean video of each class, mixed: 100 · ((1 − w)·cos(q, c̄) + w·cos(q, t)).

Shapes: episodes B, way N, queries Q, feature width D.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from fsar.methods.clip_classifier.record import ClipClassifierConfig
from fsar.methods.nearest_centroid.head import NearestCentroid
from fsar.methods.needs import Inputs, Tensors

SCALE = 100.0  # of CLIP's cosines, as trained
HALF = 0.5  # w where there are no validation classes to choose it


class ClipClassifier(NearestCentroid):
    """The cosine of a query video with the mean of a class's support videos, and with the text of the class."""

    settings: ClipClassifierConfig

    def __init__(self, inputs: Inputs, settings: ClipClassifierConfig):
        super().__init__(inputs, settings)
        self.text_weight = HALF if settings.text_weight is None else settings.text_weight

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return both cosines, times CLIP's scale: (B, Q, N) each."""
        by_support = super().episode_stage(support, queries, text)["few_shot"]
        by_names = queries["videos"] @ F.normalize(text, dim=-1).mT
        return {"few_shot": SCALE * by_support, "text": SCALE * by_names}

    def score_weights(self) -> Mapping[str, float]:
        """Return 1 − w and w."""
        return {"few_shot": 1 - self.text_weight, "text": self.text_weight}
