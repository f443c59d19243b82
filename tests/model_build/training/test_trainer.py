import dataclasses

import numpy as np
import pytest

from model_build.errors import BuildError
from model_build.models import build_cnn
from model_build.recipes.digits.recipe import DigitsConfig, DigitsRecipe
from model_build.recipes.generic.choice import GiveUp
from model_build.training import callbacks
from model_build.training.averaging import AveragedWeights
from model_build.training.config import TrainConfig
from model_build.training.trainer import train
from model_build.training.workspace import Workspace

RECIPE = DigitsRecipe()


def train_digits(dataset, workspace, config, architecture="compact", **arguments):
    """A training as a build does it, up to the rejection head."""
    spec = RECIPE.input_spec(dataset, architecture)
    stream = RECIPE.stream(dataset, spec, architecture, config, workspace, lambda line: None)
    checks = RECIPE.checks(dataset, spec, config.seed)
    return train(stream, checks, spec, 10, architecture, config, workspace, **arguments)


@pytest.fixture(scope="module")
def trainings(dataset):
    config = DigitsConfig(epochs=2, seed=3).settling()
    seen = []
    found = []
    for seed in (3, 3, 4):
        settings = dataclasses.replace(config, seed=seed)
        with Workspace.temporary() as workspace:
            found.append(train_digits(dataset, workspace, settings, progress=seen.append))
    return found, seen


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trainings):
    (first, second, other), _ = trainings
    for a, b in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.model.get_weights()[0], other.model.get_weights()[0])


def test_every_epoch_is_reported_and_the_best_is_kept(trainings):
    (first, *_), seen = trainings
    assert [epoch.number for epoch in seen[:2]] == [1, 2]
    assert first.history == tuple(seen[:2])
    assert first.best.validation_loss == min(epoch.validation_loss for epoch in first.history)


def test_lenet_trains_on_enlarged_digits(dataset, workspace):
    config = DigitsConfig(epochs=1).settling()
    trained = train_digits(dataset, workspace, config, "lenet")
    assert trained.input.shape == (28, 28, 1)
    assert dataset.tensors(dataset.test[:2], trained.input).shape == (2, 28, 28, 1)


def test_no_epochs_is_a_users_mistake():
    with pytest.raises(BuildError, match="--epochs 0"):
        TrainConfig(epochs=0, batch_size=8)


def test_a_users_own_callbacks_are_told_of_the_averaged_weights(dataset, workspace):
    import keras

    told = []
    mine = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: told.append(dict(logs)))
    config = DigitsConfig(epochs=1).settling()
    trained = train_digits(dataset, workspace, config, callbacks=[mine])
    (logs,) = told
    assert logs["val_loss"] == trained.best.validation_loss
    assert logs["val_accuracy"] == trained.best.validation_accuracy
    assert logs["loss"] == trained.best.loss


@pytest.mark.parametrize(("rival", "epochs"), [(1.5, 1), (0.01, 4)])
def test_a_training_that_stays_far_behind_is_given_up(dataset, workspace, rival, epochs):
    config = dataclasses.replace(DigitsConfig(epochs=4).settling(), patience=4)
    trained = train_digits(dataset, workspace, config, callbacks=[GiveUp(rival)])
    assert len(trained.history) == epochs


def test_the_longer_a_training_lasts_the_nearer_it_must_have_come():
    import keras

    def given_up(accuracy):
        """The epoch of ten after which a training is that stays at this accuracy."""
        callback, model = GiveUp(0.9), keras.Sequential()
        callback.set_params({"epochs": 10})
        callback.set_model(model)
        model.stop_training = False
        for epoch in range(10):
            callback.on_epoch_end(epoch, {"val_accuracy": accuracy})
            if model.stop_training:
                return epoch + 1
        return None

    assert [given_up(accuracy) for accuracy in (0.6, 0.75, 0.88, 0.95)] == [2, 6, None, None]


def test_digits_go_on_after_an_interrupt_and_end_with_the_same_weights(
    dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", -1)
    config = DigitsConfig(epochs=3).settling()

    def trained(folder, progress=lambda epoch: None):
        workspace = Workspace(folder, "it")
        try:
            return train_digits(dataset, workspace, config, progress=progress)
        finally:
            workspace.__exit__(KeyboardInterrupt)

    def stop_at_two(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", stop_at_two)
    seen = []
    again = trained(tmp_path / "broken", seen.append)
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batch_norm_statistics_are_those_of_the_averaged_weights(dataset, workspace):
    """They are measured on what training shows, whatever was in them before."""
    config = DigitsConfig(epochs=1, outliers=0.0).settling()
    spec = RECIPE.input_spec(dataset, "compact")
    stream = RECIPE.stream(dataset, spec, "compact", config, workspace, lambda line: None)
    model = build_cnn(spec, 10, "compact")
    averages = AveragedWeights(model, stream, config)
    averaged = averages.write()
    (first, *_) = [layer for layer in averaged.layers if "batch_norm" in layer.name]
    images = np.concatenate([np.asarray(images) for images, _ in stream.batches(0, 1)])[:256]
    convolved = np.asarray(averaged.layers[2](images / 255))
    np.testing.assert_allclose(first.moving_mean, convolved.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(first.moving_variance, convolved.var((0, 1, 2)), rtol=0.02)
