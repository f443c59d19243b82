"""Training on a backbone that is small enough for a test: a head, then its last blocks."""

import keras
import numpy as np
import pytest

from edge_runtime.bundle.spec import InputSpec
from model_build.backbones.registry import Backbone
from model_build.data.dataset import Labelled
from model_build.models import LOGITS, build_on
from model_build.training import callbacks, features, fine_tuning
from model_build.training.fine_tuning import find_last_blocks
from model_build.training.head import STRENGTHS, fit_head
from model_build.training.metrics import forward
from model_build.training.transfer import TransferConfig, train_transfer
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
    return train_transfer(
        views, shown.labels, weights, checks, 15, BACKBONE, SPEC, config, workspace, progress
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


def deep_layers(pixels):
    """A convolution, half of its channels added to the others, and a small normalised one."""
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(32, 3, activation="relu")(x)
    x = keras.layers.AveragePooling2D(2, name="middle")(x)
    x = keras.layers.Add(name="joined")([x, keras.layers.Conv2D(32, 1)(x)])
    x = keras.layers.Conv2D(16, 1, use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


DEEP = Backbone("deep", "drawn at random", "none", deep_layers)


def test_the_last_blocks_begin_where_all_that_follows_comes_from_one_layer(monkeypatch):
    model = build_on(DEEP, SPEC, CLASSES)
    assert find_last_blocks(model) == "joined"
    # More work is allowed, but not in the middle of a branch.
    monkeypatch.setattr(fine_tuning, "SHARE", 0.3)
    assert find_last_blocks(model) == "joined"
    monkeypatch.setattr(fine_tuning, "SHARE", 0.4)
    assert find_last_blocks(model) == "middle"
    monkeypatch.setattr(fine_tuning, "VALUES", 3 * 3 * 32 - 1)
    assert find_last_blocks(model) is None
    assert find_last_blocks(build_on(BACKBONE, SPEC, CLASSES)) is None


def deeply_trained(workspace, labels=None, progress=lambda epoch: None):
    shown, checks = coloured(60, 0), coloured(30, 1)
    labels = shown.labels if labels is None else labels
    weights, config = np.ones(CLASSES, np.float32), TransferConfig(seed=3)
    return train_transfer(
        *([shown.tensors], labels, weights, checks, 15, DEEP, SPEC, config, workspace),
        progress=progress,
    )


def test_the_last_blocks_are_trained_on_and_the_others_stay(workspace):
    found = deeply_trained(workspace)
    frozen = found.before
    assert 0 < found.config.tuned <= 1
    assert len(found.history) == found.config.epochs
    assert found.best.validation_loss < frozen.best.validation_loss
    changed = [
        layer.name
        for layer, before in zip(found.model.layers, frozen.model.layers, strict=True)
        if any(map(np.any, map(np.subtract, layer.get_weights(), before.get_weights())))
    ]
    assert [name.partition("_")[0] for name in changed] == ["conv2d", "logits"]
    fresh = coloured(90, 2)
    assert (forward(found.model, fresh.tensors).argmax(1) == fresh.labels).mean() > 0.95
    plain = [coloured(60, 0).tensors, coloured(30, 1).tensors[:15]]
    for each in (found, frozen):
        known = forward(features.features_model(each.model), np.concatenate(plain))
        np.testing.assert_allclose(each.features, known, atol=1e-4)


def test_last_blocks_that_read_worse_stay_as_they_were(workspace):
    """The better these labels are learnt, the worse those of the validation part are read."""
    found = deeply_trained(workspace, (coloured(60, 0).labels + 1) % CLASSES)
    assert found.before is None
    assert found.config.tuned == 0


def test_last_blocks_go_on_after_an_interrupt_and_end_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", -1)

    def run(folder, progress=lambda epoch: None):
        workspace = Workspace(folder, "it")
        try:
            return deeply_trained(workspace, progress=progress)
        finally:
            workspace.__exit__(KeyboardInterrupt)

    def stop(epoch):
        if epoch.number == 5:
            raise KeyboardInterrupt

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", stop)
    seen = []
    again = run(tmp_path / "broken", seen.append)
    assert [epoch.number for epoch in seen] == [4, 5, 6, 7, 8, 9, 10]
    for a, b in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
