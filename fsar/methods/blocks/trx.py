"""TRX as a metric of frames (Perrett et al., CVPR 2021), with its best set of tuples: pairs and triples."""

from torch import Tensor

from fsar.methods.blocks.metric import Metric
from fsar.methods.blocks.tuples import TupleMatching
from fsar.methods.needs import Inputs, Tensors

CARDINALITIES, TUPLE_WIDTH, DROPOUT = (2, 3), 1152, 0.1  # as published


class Matching(Metric):
    """The mean distance of a query's tuples from what they find among those of all support videos of a class."""

    keeps_shots = True
    episodes_at_once = 4  # more do not fit into the processor's cache

    def __init__(self, inputs: Inputs, smoothing: float):
        super().__init__(inputs, smoothing)
        self.tuples = TupleMatching(inputs.width, inputs.frames, CARDINALITIES, TUPLE_WIDTH, DROPOUT)

    def represent(self, frames: Tensor) -> Tensors:
        """Return the keys and values of the tuples of each video: see `TupleAttention.represent`."""
        return self.tuples.represent(frames)

    def forward(self, queries: Tensors, support: Tensors) -> Tensor:
        """Compare the tuples of every query with those of every class's shots: → (B, Q, N) distances."""
        return self.tuples(support, queries)
