"""The learning-rate schedule of the public CLIP-FSAR settings."""

from bisect import bisect_right

from fsar.config import TrainingConfig


def learning_rate(iteration: int, config: TrainingConfig) -> float:
    """Return the learning rate at an iteration (counted in episodes, from 0).

    Linear from `warmup_from` to `learning_rate` over `warmup_iterations`, then divided by 10 at each milestone.
    """
    if iteration < config.warmup_iterations:
        share = iteration / config.warmup_iterations
        return config.warmup_from + share * (config.learning_rate - config.warmup_from)
    return config.learning_rate * 0.1 ** bisect_right(config.milestones, iteration)
