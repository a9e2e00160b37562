"""Videos compared with the mean video of each class (Snell et al., NeurIPS 2017, with cosine).

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D.
"""

from torch import Tensor

from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.blocks.whole_video import WholeVideos
from fsar.methods.needs import Tensors


class NearestCentroid(WholeVideos):
    """The cosine of a query video with the mean of a class's support videos."""

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the cosines, (B, Q, N)."""
        return {"few_shot": cosine_similarity(queries["videos"], support["videos"].squeeze(2))}
