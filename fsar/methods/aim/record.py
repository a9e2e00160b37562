"""AIM, adapting image models, with frames matched by OTAM."""

from typing import ClassVar

from fsar.keys.declare import ADAPTERS, key
from fsar.methods.blocks.record import BottleneckConfig
from fsar.methods.record import Components, Method, Record


class AimConfig(BottleneckConfig):
    """AIM; defaults as published."""

    for_transformers: ClassVar[bool] = True

    joint_scale: float = key(
        "What the adapter beside a block's feed-forward part is multiplied by.", ADAPTERS, default=0.5, gt=0
    )


RECORD = Record(
    title="AIM.",
    adapters=AimConfig,
    models={"otam-aim": Components(trains="adapters", adapters="aim")},
    methods={
        "otam-aim": Method(
            "OTAM + AIM",
            "Yang et al., ICLR 2023 (arXiv 2302.03024): spatial, temporal and joint adapters; matched by OTAM",
        )
    },
)
