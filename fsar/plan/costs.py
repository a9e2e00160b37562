"""What tests cost whose features depend on the episode, told before a run begins."""

from collections.abc import Iterator

from fsar.methods import METHODS, MODELS
from fsar.plan.plan import Plan


def costs_of_tests(plan: Plan) -> Iterator[str]:
    """Say for each such method what is encoded for its tests, in videos, and how the work is divided."""
    config = plan.config
    for of in plan.models():
        if not MODELS[of.model].across_videos:
            continue
        drawn = config.videos(of.benchmark).episodes
        for test in plan.tests(of):
            shown = test["way"] * (test["shot"] + drawn.queries)
            row = f"{METHODS[test['method']].title} on {of.benchmark}, {of.backbone}, {of.training}"
            yield (
                f"{row}, {test['way']}-way {test['shot']}-shot: features depend on the episode, so "
                f"{drawn.test * shown:,} videos go through the adapted blocks ({drawn.test:,} episodes of {shown}), in "
                f"{plan.test_jobs(of)} jobs (run.test_jobs)"
            )
