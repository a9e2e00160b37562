"""Mean-pooled cosine prototypes (Snell et al., NeurIPS 2017, with cosine): frames are averaged, their order is lost."""

from torch import Tensor

from fsar.methods.blocks.metric import Metric
from fsar.methods.blocks.similarity import cosine_similarity


class Matching(Metric):
    """T · (1 − cos(mean query frame, mean prototype frame)); times T, so that logits have the range of OTAM's."""

    def distances(self, queries: Tensor, prototypes: Tensor) -> Tensor:
        """Return the distance of every query from every prototype: (…, Q, T, D), (…, N, T, D) → (…, Q, N)."""
        return queries.shape[-2] * (1 - cosine_similarity(queries.mean(dim=-2), prototypes.mean(dim=-2)))
