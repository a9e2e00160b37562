"""TRX, temporal-relational cross-transformers (Perrett et al., CVPR 2021), with cardinalities and width to choose.

The metric of the same name (`fsar/methods/blocks/trx.py`) is this with pairs and triples, beside the other metrics.
"""

from torch import Tensor

from fsar.methods.blocks.motion import beside_motion, width_beside_motion
from fsar.methods.blocks.tuples import TupleMatching
from fsar.methods.head import Head
from fsar.methods.needs import Inputs, Tensors
from fsar.methods.trx.record import TrxConfig


class Trx(Head):
    """Minus the mean distance of the query's tuples of frames from what they find among the tuples of a class."""

    averages_shots = False
    episodes_at_once = 4  # more do not fit into the processor's cache
    settings: TrxConfig

    def __init__(self, inputs: Inputs, settings: TrxConfig):
        super().__init__(inputs, settings)
        width = width_beside_motion(inputs.width, settings.motion_share)
        self.matching = TupleMatching(
            width, inputs.frames, settings.cardinalities, settings.tuple_width, settings.dropout
        )

    def video_stage(self, stored: Tensors) -> Tensors:
        """Return the keys and values of the tuples of each video: see `TupleAttention.represent`."""
        return self.matching.represent(beside_motion(stored["frames"], self.settings.motion_share))

    def episode_stage(self, support: Tensors, queries: Tensors, text: Tensor) -> Tensors:
        """Return the score of an episode, (B, Q, N)."""
        return {"few_shot": -self.matching(support, queries)}
