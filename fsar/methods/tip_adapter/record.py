"""Tip-Adapter: CLIP's texts and a cache of the support."""

from typing import ClassVar, Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import HeadSettings

PAPER = "Zhang et al., ECCV 2022 (arXiv 2207.09519)"


class TipAdapterConfig(HeadSettings):
    """Tip-Adapter; α and β as in the paper, which searches them on validation in its best rows."""

    texts: ClassVar[Literal["none", "mean", "each"]] = "mean"
    prototypes: ClassVar[bool] = False

    residual: float = key("α, the weight of the support beside the class names.", HEAD, default=1.0, ge=0)
    sharpness: float = key("β, how fast a support video's vote falls with its distance.", HEAD, default=5.5, gt=0)
    steps: int = key(
        "Steps of AdamW by which each episode's cache is fitted to its support; 0 trains nothing.",
        HEAD,
        default=0,
        ge=0,
    )
    learning_rate: float = key("Of these steps, at their beginning.", HEAD, default=0.001, gt=0)

    def reads(self, key_name: str) -> bool:
        """Without steps there is no learning rate."""
        return key_name != "learning_rate" or self.steps > 0


RECORD = Record(
    title="Tip-Adapter.",
    head=TipAdapterConfig,
    models={
        "tip-adapter": Components(head="tip_adapter", trains="nothing", fixed=(("steps", 0),)),
        "tip-adapter-f": Components(head="tip_adapter", trains="nothing", fixed=(("steps", 20),)),
    },
    methods={
        "tip-adapter": Method(
            "Tip-Adapter", f"{PAPER}: class names, and the support videos as a cache; nothing is trained"
        ),
        "tip-adapter-f": Method(
            "Tip-Adapter-F", f"{PAPER}: class names, and a cache that 20 steps fit to the support of each episode"
        ),
    },
)
