"""ViSiL's network (Kordopatis-Zilos et al., ICCV 2019): sees patterns in a table of similarities."""

import torch.nn.functional as F
from torch import Tensor, nn

LEAST_ROWS = 4  # two poolings by 2


class Visil(nn.Module):
    """Three convolutions 3 × 3 and one 1 × 1 without biases; a pooling by 2 and a ReLU after the first two."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(given, made, 3, padding=1, bias=False) for given, made in ((1, 32), (32, 64), (64, 128))
        )
        self.last = nn.Conv2d(128, 1, 1, bias=False)

    def forward(self, tables: Tensor) -> Tensor:
        """Refine tables: (…, M, S) → (…, ⌊M/4⌋, ⌊S/4⌋), in [−1, 1]."""
        first, second, third = self.convolutions
        found = tables.flatten(0, -3).unsqueeze(1)
        for convolution in (first, second):
            found = F.relu(F.max_pool2d(convolution(found), 2))
        return self.last(third(found)).clamp(-1, 1).squeeze(1).unflatten(0, tables.shape[:-2])
