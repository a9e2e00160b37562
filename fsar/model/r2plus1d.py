"""R(2+1)D (Tran et al., CVPR 2018, arXiv 1711.11248): a ResNet whose convolutions look at places first, then at time.

Shapes: clips B, frames of a clip F, time steps t = F / 8, places of a side g = H / 16, width W.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem

from fsar.model.clip_encoders import ClipEncoder, Given
from fsar.video_encoders import INNER_WIDTHS, VideoEncoder

STEM = 64  # channels that torchvision's stem gives


def inner_width(before: int, width: int) -> int:
    """Return the channels between both convolutions, so that they have as many weights as one of 3 × 3 × 3."""
    return before * width * 27 // (before * 9 + 3 * width)


def _own_inner_width(before: int, width: int, _: int, stride: int = 1) -> Conv2Plus1D:
    """Make a pair of convolutions by its own widths; torchvision takes those of the block's first pair for both."""
    return Conv2Plus1D(before, width, inner_width(before, width), stride)


# By the description's `inner_width`: of torchvision's network, and of Caffe2's, from which those of 34 layers come.
PAIRS: dict[str, Callable[..., nn.Module]] = dict(zip(INNER_WIDTHS, (Conv2Plus1D, _own_inner_width), strict=True))


class R2Plus1d(nn.Module):
    """The network without its classifier, (B, 3, F, H, W) → (B, W, t, g, g); weights have torchvision's names.

    Args:
        layers: blocks of each of the four stages.
        widths: channels of each.
        pair: makes a pair of convolutions.
    """

    def __init__(self, layers: Sequence[int], widths: Sequence[int], pair: Callable[..., nn.Module]):
        super().__init__()
        self.stem, before = R2Plus1dStem(), STEM
        for number, (count, width) in enumerate(zip(layers, widths, strict=True), 1):
            blocks = []
            for place in range(count):
                stride, shortcut = 2 if number > 1 and place == 0 else 1, None
                if stride > 1 or before != width:
                    shortcut = nn.Sequential(
                        nn.Conv3d(before, width, 1, stride=stride, bias=False), nn.BatchNorm3d(width)
                    )
                blocks.append(BasicBlock(before, width, pair, stride, shortcut))
                before = width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    @property
    def blocks(self) -> list[nn.Module]:
        """Its blocks, in order."""
        return [block for name, stage in self.named_children() if name != "stem" for block in stage.children()]

    def forward(self, clips: Tensor) -> Tensor:
        """Encode clips."""
        found: Tensor = self.stem(clips)
        for block in self.blocks:
            found = block(found)
        return found


def network(about: Mapping[str, Any]) -> R2Plus1d:
    """Build the network that a description describes."""
    return R2Plus1d(about["layers"], about["widths"], PAIRS[about.get("inner_width", INNER_WIDTHS[0])])


class R2Plus1dEncoder(ClipEncoder):
    """R(2+1)D: tokens are the places of its last map."""

    beside = ("fc.",)

    def __init__(self, model: R2Plus1d, about: VideoEncoder):
        super().__init__(model, about)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """Its blocks, in order."""
        found: Sequence[nn.Module] = self.model.blocks
        return found

    def forward(self, clips: Tensor) -> Given:
        """Encode clips."""
        places = self.tokens(clips)
        return Given(places.mean(dim=(2, 3)), self.of_clips(places), places)

    def tokens(self, clips: Tensor) -> Tensor:
        """Return the places of clips, (B, F, 3, H, W) → (B, t, g, g, W)."""
        found: Tensor = self.model(clips.transpose(1, 2))
        return found.movedim(1, -1)

    def checkpoint_activations(self) -> None:
        """Keep of each block only its input, and compute the rest again in the backward pass."""
        for block in self.blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
