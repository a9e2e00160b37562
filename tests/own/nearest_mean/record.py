"""A method from outside the package: videos are compared by their mean frames, which a layer turns first."""

from fsar.keys.declare import HEAD, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import HeadSettings


class NearestMeanConfig(HeadSettings):
    """Nearest mean."""

    scale: float = key("What distances are multiplied by.", HEAD, default=1.0, gt=0)


RECORD = Record(
    title="Nearest mean.",
    head=NearestMeanConfig,
    models={"nearest-mean": Components(head="nearest_mean")},
    methods={"nearest-mean": Method("Nearest mean", "Snell et al., NeurIPS 2017 (arXiv 1703.05175)")},
)
