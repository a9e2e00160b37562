"""Nearest centroid: nothing is learnt, and the order of frames does not count."""

from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import HeadSettings


class NearestCentroidConfig(HeadSettings):
    """Nothing to set."""


RECORD = Record(
    title="Nearest centroid.",
    head=NearestCentroidConfig,
    models={
        "nearest-centroid": Components(head="nearest_centroid", trains="nothing"),
        "nearest-centroid-otam": Components(head="nearest_centroid", trains="nothing", weights_of="otam"),
        "nearest-centroid-clip-fsar": Components(head="nearest_centroid", trains="nothing", weights_of="clip-fsar"),
    },
    methods={
        "nearest-centroid": Method(
            "Nearest centroid",
            "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine: the mean video of each class, on features as "
            "they are",
        ),
        "nearest-centroid-otam": Method(
            "Nearest centroid on OTAM's features",
            "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine, on the features of a trained OTAM",
        ),
        "nearest-centroid-clip-fsar": Method(
            "Nearest centroid on CLIP-FSAR's features",
            "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine, on the features of a trained CLIP-FSAR",
        ),
    },
)
