import dataclasses

import numpy as np
import pytest

from model_build.errors import BuildError
from model_build.training.trainer import TrainConfig, train


@pytest.fixture(scope="module")
def trainings(dataset):
    config = TrainConfig(epochs=2, seed=3)
    seen = []
    twice = [train(dataset, config=config, progress=seen.append) for _ in range(2)]
    other = train(dataset, config=dataclasses.replace(config, seed=4))
    return twice, other, seen


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trainings):
    (first, second), other, _ = trainings
    for a, b in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.model.get_weights()[0], other.model.get_weights()[0])


def test_every_epoch_is_reported_and_the_best_is_kept(trainings):
    (first, _), _, seen = trainings
    assert [epoch.number for epoch in seen[:2]] == [1, 2]
    assert first.history == tuple(seen[:2])
    assert first.best.validation_loss == min(epoch.validation_loss for epoch in first.history)


def test_lenet_trains_on_enlarged_digits(dataset):
    trained = train(dataset, "lenet", TrainConfig(epochs=1))
    assert trained.input.shape == (28, 28, 1)
    assert dataset.tensors(dataset.test[:2], trained.input).shape == (2, 28, 28, 1)


def test_no_epochs_is_a_users_mistake(dataset):
    with pytest.raises(BuildError, match="--epochs 0"):
        train(dataset, config=TrainConfig(epochs=0))
