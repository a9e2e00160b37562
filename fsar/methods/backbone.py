"""What heads and adapters see of a backbone."""

from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from fsar.methods.needs import TransformerSizes

if TYPE_CHECKING:  # it imports open_clip and timm, seconds that a head of stored features does not need
    from fsar.methods.blocks.vision_transformer import VisionTransformer


class Backbone(Protocol):
    """A backbone as adapters see it: `fsar.model.backbone.Backbone`.

    Attributes:
        name: for messages.
        encoders: the visual encoder, `visual`, and the text encoder beside it if there is one.
        image_size: side of the pictures that `visual` is given, in pixels.
        mean, std: of red, green and blue, in levels of 255; they say on which device it is.
    """

    name: str
    encoders: Any
    image_size: int
    mean: Tensor
    std: Tensor

    @property
    def visual(self) -> nn.Module:
        """The visual encoder."""

    @property
    def transformer(self) -> "VisionTransformer":
        """The visual encoder as a transformer; raises UserError if it is none."""

    @property
    def transformer_sizes(self) -> TransformerSizes | None:
        """Its sizes; None if it is no transformer."""
