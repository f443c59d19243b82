"""Networks of Keras by name, with weights that the tests make: nothing is fetched."""

import sys

import keras
import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.preprocessing import Stretch
from edge_runtime.bundle.spec import InputSpec, ModelSpec
from model_build.arguments import APPLICATIONS
from model_build.backbones import applications
from model_build.backbones.registry import find_backbone
from model_build.errors import BuildError
from model_build.export.onnx import write_onnx
from model_build.models import LOGITS, PROBABILITIES

SIDE = 32


def test_every_network_of_keras_but_convnext_has_a_name():
    networks = {
        name
        for name in dir(keras.applications)
        if name[0].isupper() and not name.startswith("ConvNeXt")
    }
    assert {applications._constructor(name).__name__ for name in APPLICATIONS} == networks


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_networks_own_preprocessing_is_a_factor_and_an_offset(name):
    found = applications._constructor(name)
    scale, offset, mirrored = applications._scaling(found)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 5, 5, 3)).astype(np.float32)
    mine = pixels * scale + offset
    theirs = sys.modules[found.__module__].preprocess_input(pixels.copy())
    np.testing.assert_allclose(mine[..., ::-1] if mirrored else mine, theirs, rtol=1e-4, atol=1e-4)
    assert mirrored == (name in ("resnet50", "resnet101", "resnet152", "vgg16", "vgg19"))


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16"])
def test_the_features_are_those_of_keras_with_the_weights_of_a_file(name, tmp_path):
    found = applications._constructor(name)
    theirs = found(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    file = tmp_path / "mine.weights.h5"
    theirs.save_weights(file)
    pixels = keras.Input((SIDE, SIDE, 3))
    backbone = find_backbone(name, file)
    mine = keras.Model(pixels, backbone.features(pixels))
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3)).astype(np.float32)
    prepared = sys.modules[found.__module__].preprocess_input(images.copy())
    expected = np.asarray(theirs(prepared, training=False))
    assert np.abs(expected).max() > 0
    got = np.asarray(mine(images, training=False))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert "SHA-256" in backbone.origin
    assert "mine.weights.h5" in backbone.origin


def test_a_file_of_something_else_is_one_line(tmp_path):
    file = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]).save_weights(file)
    (tmp_path / "text.weights.h5").write_text("no weights")
    for path in (file, tmp_path / "text.weights.h5"):
        with pytest.raises(BuildError) as refused:
            find_backbone("mobilenet_v2", path).features(keras.Input((SIDE, SIDE, 3)))
        assert str(refused.value).startswith(f"--weights {path}: holds no weights of mobilenet_v2")
        assert "\n" not in str(refused.value)


def test_without_a_network_the_message_says_how_to_do_without(monkeypatch):
    def unreachable(*arguments, **options):
        raise OSError("URL fetch failure")

    module = sys.modules[keras.applications.MobileNetV2.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", unreachable)
    with pytest.raises(BuildError, match=r"could not fetch .*; give them with --weights FILE"):
        find_backbone("mobilenet_v2").features(keras.Input((SIDE, SIDE, 3)))


def test_weights_of_a_users_own_need_a_network_of_keras(tmp_path):
    (tmp_path / "w.h5").touch()
    with pytest.raises(BuildError, match=r"for a network of keras\.applications"):
        find_backbone("efficientnet-lite0", tmp_path / "w.h5")
    with pytest.raises(BuildError, match="no such file"):
        find_backbone("mobilenet_v2", tmp_path / "none.h5")


def test_tensors_that_a_network_holds_are_constants_of_its_onnx_file(tmp_path):
    """As those of EfficientNetV2: the mean and the deviation of its Normalization layer."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[50.0, 60.0, 70.0])(pixels)
    x = keras.layers.Dense(2, name=LOGITS)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(pixels, keras.layers.Softmax(name=PROBABILITIES)(x))
    shape = InputSpec(SIDE, SIDE, 3)
    spec = ModelSpec("it", "1", ("a", "b"), shape, Stretch())
    write_onnx(model, spec, tmp_path / "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (3, *shape.shape)).astype(np.uint8)
    found = Classifier(tmp_path / "model.onnx").probabilities(images)
    expected = np.asarray(model(images.astype(np.float32), training=False))
    np.testing.assert_allclose(found, expected, atol=1e-5)
