"""The rejection head of data of a user's own: it lowers the scores of strangers and no reading."""

import keras
import numpy as np
import pytest
from keras import layers

from edge_runtime.bundle.spec import InputSpec
from model_build.models import LOGITS, PROBABILITIES
from model_build.recipes.generic.recipe import GenericRecipe, _validation
from model_build.recipes.generic.rejection import LEAST, OPEN, add_rejection_head
from model_build.recipes.generic.strangers import COUNT, draw_strangers
from model_build.training.config import TrainConfig
from model_build.training.features import features_model
from model_build.training.history import Epoch, Trained
from model_build.training.metrics import forward


def colours(count, colour, rng):
    """Images of about one colour, (count, 8, 8, 3)."""
    tint = rng.normal(colour, 12, (count, 1, 1, 3))
    return np.clip(tint + rng.normal(0, 12, (count, 8, 8, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def headed(tmp_path_factory):
    """A network that reads red and green by their mean colour, without the head and with it."""
    from model_build.training.workspace import Workspace

    rng = np.random.default_rng(0)
    images = np.concatenate([colours(60, (200, 40, 40), rng), colours(60, (40, 200, 40), rng)])
    path = tmp_path_factory.mktemp("data") / "colours.npz"
    np.savez(path, x=images, y=np.arange(2).repeat(60))
    with Workspace.temporary() as workspace:
        dataset = GenericRecipe(path).load(workspace)
        pixels = keras.Input(dataset.spec.shape, name="pixels")
        x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pixels))
        logits = layers.Dense(2, name=LOGITS)
        model = keras.Model(pixels, layers.Softmax(name=PROBABILITIES)(logits(x)))
        logits.set_weights([np.array([[9.0, -9.0], [-9.0, 9.0], [0.0, 0.0]]), np.zeros(2)])
        epoch = Epoch(1, 0.1, 0.1, 1.0, 1.0)
        trained = Trained(model, "grid", dataset.spec, TrainConfig(1, 8, 0), (epoch,), epoch)
        checks = _validation(dataset, dataset.spec, 0)
        features = forward(features_model(model), checks.tensors)
        return model, add_rejection_head(trained, dataset, checks, features).model, checks


def scale(model, tensors):
    return forward(keras.Model(model.input, model.get_layer("rejection_least").output), tensors)


def test_no_reading_changes(headed):
    before, after, checks = headed
    noise = np.random.default_rng(1).integers(0, 256, (500, 8, 8, 3)).astype(np.uint8)
    for tensors in (checks.tensors, noise):
        found = forward(after, tensors)
        assert np.array_equal(found.argmax(1), forward(before, tensors).argmax(1))
        assert np.abs(found.sum(1) - 1).max() < 1e-5


def test_what_is_like_the_training_examples_keeps_its_score_and_strangers_do_not(headed):
    _, after, checks = headed
    own = scale(after, checks.tensors)
    assert np.mean(own >= OPEN - 1e-3) >= 0.97
    blue = scale(after, colours(50, (30, 30, 220), np.random.default_rng(2)))
    assert blue.max() < 0.2
    assert min(own.min(), blue.min()) >= LEAST - 1e-6


def test_the_head_is_part_of_the_saved_model(headed, tmp_path):
    _, after, checks = headed
    after.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.abs(forward(loaded, checks.tensors) - forward(after, checks.tensors)).max() < 1e-6


@pytest.mark.parametrize(
    ("reads", "spec"),
    [
        ("image", InputSpec(20, 30, 3)),
        ("sound", InputSpec(64, 50, 1, name="sound")),
        ("series", InputSpec(1, 80, 2, name="series")),
    ],
)
def test_strangers_of_every_kind_of_data_are_drawn(reads, spec):
    drawn = draw_strangers(reads, spec, 3)
    assert ("drawn_disks_refused" in drawn) == (reads == "image")
    again = draw_strangers(reads, spec, 3)
    for name, tensors in drawn.items():
        assert (tensors.shape, tensors.dtype) == ((COUNT, *spec.shape), np.uint8)
        assert np.array_equal(tensors, again[name])
        assert len(np.unique(tensors.reshape(COUNT, -1), axis=0)) > 0.3 * COUNT
    blank = drawn["blank_refused"]
    assert np.array_equal(blank.min((1, 2)), blank.max((1, 2)))
    assert blank.any((1, 2, 3)).all()
