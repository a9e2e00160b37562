"""Logistic regression of many small problems at once, with an L2 penalty on the weights and none on the bias.

The weights of a class are a combination of the samples, w = Xᵀa, so there are as many unknowns as samples, whatever the
width of the features. A step minimises a quadratic that lies above the loss (Böhning, Annals of the Institute of
Statistical Mathematics 1992): the softmax's curvature is at most ½, so the same matrix serves all steps and classes,
and no step size has to be found. Nesterov's momentum, started anew where it points uphill (O'Donoghue and Candès,
Foundations of Computational Mathematics 2015), makes the steps fewer.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = 2000
# Of the slope of the loss beside its penalty: where it is this small, logits are right to five digits and more.
TOLERANCE = 1e-8


def fit(gram: Tensor, labels: Tensor, inverse_penalty: float) -> tuple[Tensor, Tensor]:
    """Fit multinomial logistic regression: minimise C·Σ cross-entropy + ½‖W‖².

    Args:
        gram: (B, S, S) inner products of each problem's S samples, G = XXᵀ.
        labels: (S,) class of each sample, 0 to N − 1; each class has samples.
        inverse_penalty: C.

    Returns:
        (B, S, N) coefficients a and (B, N) bias: the logits of a new sample x are (Xx)ᵀa + bias.
    """
    gram, penalty = gram.double(), 1 / inverse_penalty
    batch, samples, _ = gram.shape
    targets = F.one_hot(labels).to(gram)  # (S, N)
    inverse = torch.linalg.inv(_bound(gram, penalty))  # (B, S + 1, S + 1)
    at = last = gram.new_zeros(batch, samples + 1, targets.shape[1])  # the coefficients, and in the last row the bias
    momentum = gram.new_ones(batch, 1, 1)
    for _ in range(STEPS):
        coefficients, bias = at[:, :-1], at[:, -1:]
        slope = (gram @ coefficients + bias).softmax(dim=-1) - targets + penalty * coefficients  # (B, S, N)
        if slope.abs().max() < TOLERANCE * min(1, penalty):
            break
        step = inverse @ torch.cat([slope, coefficients.sum(dim=1, keepdim=True)], dim=1)
        new = at - step
        uphill = ((at - new) * (new - last)).sum(dim=(1, 2), keepdim=True) > 0
        momentum = torch.where(uphill, 1.0, momentum)
        grown = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        at, last, momentum = new + (momentum - 1) / grown * (new - last), new, grown
    return at[:, :-1], at[:, -1]


def _bound(gram: Tensor, penalty: float) -> Tensor:
    """Return the matrix of a step, for the coefficients and the bias together: (B, S + 1, S + 1).

    Of the bound ½[G, 1] + λ for the weights, written for the coefficients; its last row keeps their sum at nought,
    which is what the slope of the bias asks.
    """
    batch, samples, _ = gram.shape
    matrix = gram.new_zeros(batch, samples + 1, samples + 1)
    matrix[:, :-1, :-1] = gram / 2 + penalty * torch.eye(samples, dtype=gram.dtype, device=gram.device)
    matrix[:, :-1, -1] = 0.5
    matrix[:, -1, :-1] = 1.0
    return matrix
