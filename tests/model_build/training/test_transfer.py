"""Training on a backbone that is small enough for a test: features once, then a head on them."""

import keras
import numpy as np
import pytest

from edge_runtime.bundle.spec import InputSpec
from model_build.backbones.registry import Backbone
from model_build.data.dataset import Labelled
from model_build.models import LOGITS
from model_build.training import features
from model_build.training.head import STRENGTHS, fit_head
from model_build.training.metrics import forward
from model_build.training.transfer import TransferConfig, train_head
from model_build.training.workspace import Workspace

SPEC = InputSpec(8, 8, 3)
CLASSES = 3


def layers(pixels):
    x = keras.layers.Rescaling(1 / 255)(pixels)
    return keras.layers.Conv2D(16, 3, activation="relu")(x)


BACKBONE = Backbone("tiny", "drawn at random", "none", layers)


def coloured(count, seed):
    """Noise, each class brightest in a channel of its own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    tensors = rng.integers(0, 120, (count, *SPEC.shape)).astype(np.uint8)
    tensors[np.arange(count), :, :, labels] += 60
    return Labelled(tensors, labels)


def trained(workspace, progress=lambda done, total, seconds: None, copies=1):
    shown, checks = coloured(60, 0), coloured(30, 1)
    views = [shown.tensors, *(shown.tensors[:, :, ::-1] for _ in range(copies))]
    config = TransferConfig(seed=3, copies=copies)
    weights = np.ones(CLASSES, np.float32)
    return train_head(
        views, shown.labels, weights, checks, 20, BACKBONE, SPEC, config, workspace, progress
    )


def test_the_head_reads_the_classes_and_the_backbone_stays_as_it_was(workspace):
    found = trained(workspace)
    fresh = coloured(90, 2)
    assert (forward(found.model, fresh.tensors).argmax(1) == fresh.labels).mean() > 0.95
    assert found.best.validation_accuracy > 0.95
    assert found.config.strength in STRENGTHS
    assert found.backbone is BACKBONE
    keras.utils.set_random_seed(3)
    pixels = keras.Input(SPEC.shape)
    for mine, first in zip(
        found.model.layers[2].get_weights(),
        keras.Model(pixels, layers(pixels)).get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(mine, first, rtol=1e-3, atol=1e-6)


def test_features_that_an_interrupt_left_are_not_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "chunk_size", lambda shape: 16)

    def run(folder, progress=lambda done, total, seconds: None):
        workspace = Workspace(folder, "it")
        try:
            return trained(workspace, progress)
        finally:
            workspace.__exit__(KeyboardInterrupt)

    def stop(done, total, seconds):
        assert total == 150
        if done > 70:
            raise KeyboardInterrupt

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", stop)
    seen = []
    again = run(tmp_path / "broken", lambda done, total, seconds: seen.append(done))
    assert min(seen) > 70
    assert seen[-1] == 150
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_head_gives_a_value_for_each_class(classes):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % classes
    values = rng.normal(size=(200, 8)).astype(np.float32)
    values[np.arange(200), labels] += 4
    head = fit_head(values[:120], labels[:120], np.ones(120), values[120:], labels[120:])
    assert head.kernel.shape == (8, classes)
    assert head.bias.shape == (classes,)
    right = (values[120:] @ head.kernel + head.bias).argmax(1) == labels[120:]
    assert right.mean() == head.validation_accuracy > 0.9


def test_noise_gets_the_strongest_regularisation():
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(200, 40)).astype(np.float32), rng.integers(0, 2, 200)
    head = fit_head(values[:100], labels[:100], np.ones(100), values[100:], labels[100:])
    assert head.strength == STRENGTHS[0]


def test_the_logits_are_a_dense_layer_of_means_over_the_map(workspace):
    """A class activation map is exact only so."""
    model = trained(workspace, copies=0).model
    means = model.get_layer(LOGITS).input
    (operation,) = [layer for layer in model.layers if layer.output is means]
    assert isinstance(operation, keras.layers.GlobalAveragePooling2D)
