"""LoRA on attention, with frames matched by OTAM."""

from typing import ClassVar, Literal

from fsar.keys.declare import ADAPTERS, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import AdapterSettings


class LoraConfig(AdapterSettings):
    """LoRA; defaults as its paper has them for RoBERTa-base."""

    for_transformers: ClassVar[bool] = True

    rank: int = key("Rank of what is added to a projection.", ADAPTERS, default=8, ge=1)
    alpha: float = key("α: what is added is multiplied by α / rank.", ADAPTERS, default=8.0, gt=0)
    projections: list[Literal["queries", "keys", "values"]] = key(
        "The projections of each block's attention that are adapted.",
        ADAPTERS,
        once=True,
        default=["queries", "values"],
        min_length=1,
    )


RECORD = Record(
    title="LoRA, on attention.",
    adapters=LoraConfig,
    models={"otam-lora": Components(trains="adapters", adapters="lora")},
    methods={
        "otam-lora": Method(
            "OTAM + LoRA",
            "Hu et al., ICLR 2022 (arXiv 2106.09685): low-rank updates of the attention's weights; matched by OTAM",
        )
    },
)
