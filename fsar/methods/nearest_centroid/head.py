"""Videos compared with the mean video of each class (Snell et al., NeurIPS 2017, with cosine).

Shapes: episodes B, way N, shot K, queries Q, videos V, frames T, feature width D.
"""

from torch import Tensor

from fsar.methods.blocks.similarity import cosine_similarity
from fsar.methods.blocks.whole_video import whole_video
from fsar.methods.head import Head
from fsar.methods.needs import Tensors


class NearestCentroid(Head):
    """The cosine of a query video with the mean of a class's support videos."""

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return videos as vectors, (V, D)."""
        return {"videos": whole_video(stored["frames"])}

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the cosines, (B, Q, N)."""
        return {"few_shot": cosine_similarity(queries["videos"], support["videos"].squeeze(2))}
