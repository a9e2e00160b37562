"""What the tests of trainings share: a world to train in, and a training that was not interrupted."""

import pytest

from tests.helpers.training import make_training_world, train


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make_training_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def uninterrupted(world):
    return train(world, "whole").output
