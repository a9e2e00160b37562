"""The learning-rate schedule."""

import math
from bisect import bisect_right

from fsar.config import TrainingConfig


def learning_rate(iteration: int, config: TrainingConfig) -> float:
    """Return the learning rate at an iteration (counted in episodes, from 0).

    Linear from `warmup_from` to `learning_rate` over `warmup_iterations`. Then either steps down at the milestones, to
    `learning_rate` times the factor of each, or half a cosine that ends at 0.
    """
    if iteration < config.warmup_iterations:
        share = iteration / config.warmup_iterations
        return config.warmup_from + share * (config.learning_rate - config.warmup_from)
    if config.schedule == "cosine":
        share = (iteration - config.warmup_iterations) / max(config.iterations - config.warmup_iterations, 1)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    passed = bisect_right(config.milestones, iteration)
    if config.factors:
        return config.learning_rate * (config.factors[passed - 1] if passed else 1.0)
    return config.learning_rate * 0.1**passed
