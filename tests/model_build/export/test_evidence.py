"""What `edge_runtime` finds in an exported network: Keras's features, and maps on the things."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from PIL import Image, ImageDraw

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.evidence import Dense, Evidence, FeatureMap
from edge_runtime.bundle.preprocessing import Stretch
from edge_runtime.bundle.spec import InputSpec, ModelSpec
from model_build.export.evidence import find_evidence
from model_build.export.onnx import write_onnx
from model_build.export.saved_model import unscaled
from model_build.models import LOGITS, PROBABILITIES, build_cnn
from model_build.training.metrics import forward
from model_build.verification.features import features_difference

from ...support.helpers import drawn_seven

SIDE, RADIUS = 48, 6
DISCS = ModelSpec("discs", "1", ("red", "blue"), InputSpec(SIDE, SIDE, 3), Stretch())
COLOURS = {"red": (200, 60, 50), "blue": (50, 60, 200)}


def discs(rng, **places):
    """Discs of these colours, around these places, on grey noise."""
    ground = rng.normal(110, 25, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(ground)
    for colour, (x, y) in places.items():
        box = (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS)
        ImageDraw.Draw(image).ellipse(box, fill=COLOURS[colour])
    return np.asarray(image)


def exported(model, spec, folder):
    write_onnx(unscaled(model), spec, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`grid`, trained on red discs and blue ones, and the Classifier of its ONNX file."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 2
    places = rng.uniform(RADIUS, SIDE - RADIUS, (160, 2))
    images = [
        discs(rng, **{DISCS.labels[k]: xy}) for k, xy in zip(labels, places.tolist(), strict=True)
    ]
    keras.utils.set_random_seed(0)
    model = build_cnn(DISCS.input, 2, "grid")
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy())
    model.fit(np.stack(images).astype(np.float32), labels, batch_size=16, epochs=4, verbose=0)
    path = exported(model, DISCS, tmp_path_factory.mktemp("discs"))
    return model, Classifier(path)


def test_the_map_of_a_drawn_object_lies_on_the_object(trained):
    _, classifier = trained
    rng = np.random.default_rng(1)
    beside = []
    for number in range(20):
        near, far = (
            rng.uniform(RADIUS, SIDE / 2 - RADIUS, 2),
            rng.uniform(SIDE / 2, SIDE - RADIUS, 2),
        )
        colours = sorted(COLOURS) if number % 2 else sorted(COLOURS, reverse=True)
        image = discs(rng, **dict(zip(colours, [near, far], strict=True)))
        for colour, place in zip(colours, [near, far], strict=True):
            found = classifier.explain(image, colour)
            left, top, right, bottom = found.map_box
            y, x = np.unravel_index(found.map.argmax(), found.map.shape)
            rows, columns = found.map.shape
            middle = (
                left + (x + 0.5) * (right - left) / columns,
                top + (y + 0.5) * (bottom - top) / rows,
            )
            beside.append(np.array(middle) - place)
    step = SIDE / rows
    assert np.mean(np.abs(beside) <= step) > 0.95
    assert np.abs(np.mean(beside, axis=0)).max() < step / 4


def test_the_picture_is_changed_most_on_the_object(trained):
    _, classifier = trained
    found = classifier.explain(discs(np.random.default_rng(2), red=(12, 34), blue=(34, 12)), "red")
    picture = np.asarray(found.overlay().resize((SIDE, SIDE)), int)
    changed = np.abs(picture - found.pixels).sum(axis=2)
    y, x = np.mgrid[:SIDE, :SIDE]
    on_red = np.hypot(x - 12, y - 34) <= RADIUS
    on_blue = np.hypot(x - 34, y - 12) <= RADIUS
    assert changed[on_red].mean() > 10 * changed[on_blue].mean()


def with_head(spec, features):
    """A network of two convolutions and these features."""
    pixels = keras.Input(spec.shape, name=spec.name)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(pixels)
    x = layers.Dense(3, name=LOGITS)(features(layers.Conv2D(12, 3)(x)))
    return keras.Model(pixels, layers.Softmax(name=PROBABILITIES)(x))


def scaled(model):
    """The same with a rejection head."""
    logits = model.get_layer(LOGITS)
    scale = layers.Dense(1, activation="sigmoid")(logits.input)
    x = layers.Multiply()([logits.output, scale])
    return keras.Model(model.input, layers.Softmax(name=PROBABILITIES)(x), name=model.name)


NETWORKS = {
    "compact": lambda spec: scaled(build_cnn(spec, 3, "compact")),
    "lenet": lambda spec: build_cnn(spec, 3, "lenet"),
    "grid": lambda spec: build_cnn(spec, 3, "grid"),
}


def randomized(model):
    """The model with biases that are not 0."""
    rng = np.random.default_rng(3)
    weights = model.get_weights()
    model.set_weights([w + rng.uniform(0, 0.1, w.shape) if w.ndim == 1 else w for w in weights])
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_features_and_maps_are_those_of_keras(name, tmp_path):
    keras.utils.set_random_seed(4)
    spec = ModelSpec("x", "1", ("a", "b", "c"), InputSpec(28, 28, 1), Stretch())
    model = randomized(NETWORKS[name](spec.input))
    path = exported(model, spec, tmp_path)
    classifier = Classifier(path)
    image = np.random.default_rng(5).integers(0, 256, (28, 28, 1)).astype(np.uint8)
    last = model.get_layer(LOGITS)
    features = forward(keras.Model(model.input, last.input), image[None])[0]
    logits = forward(keras.Model(model.input, last.output), image[None])[0]
    probabilities = forward(model, image[None])[0]
    assert np.abs(classifier.embed(image) - features).max() < 1e-5 * max(1, np.abs(features).max())
    for index, label in enumerate(spec.labels):
        found = classifier.explain(image, label)
        assert found.logit == pytest.approx(logits[index] - logits.mean(), abs=1e-5)
        assert found.map.sum() == pytest.approx(found.logit, abs=1e-5)
        assert found.score == pytest.approx(probabilities[index], abs=1e-5)
    assert features_difference(path, model, image[None]) < 1e-5
    model.get_layer(LOGITS).kernel.assign_add(np.full(last.kernel.shape, [0.1, 0, 0], np.float32))
    assert features_difference(path, model, image[None]) > 1e-3


def test_the_middle_of_each_place_is_known(trained):
    found = trained[1].evidence.feature_map
    # Three strides of 2, each with a pixel more below than above: (0.5 + 1) * 2 and so on.
    assert (found.first, found.step) == ((7.5, 7.5), (8.0, 8.0))


def test_means_over_a_map_with_channels_last_are_found():
    # As the converter writes some networks of keras.applications.
    node, kernel = onnx.helper.make_node, np.zeros((12, 3), np.float32)
    nodes = [
        node("ReduceMean", ["map"], ["means"], axes=[1, 2], keepdims=0),
        node("MatMul", ["means", "kernel"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"]),
    ]
    constants = [onnx.numpy_helper.from_array(kernel, "kernel")]
    graph = onnx.helper.make_graph(nodes, "x", [], [], constants)
    spec = ModelSpec("x", "1", ("a", "b", "c"), InputSpec(12, 12, 1), Stretch())
    model = with_head(spec.input, layers.GlobalAveragePooling2D())
    found = find_evidence(graph, model, spec)
    assert found.embedding == "means"
    assert found.logits == Dense("kernel", None)
    # Of pretrained networks the places are equal parts: here of 12 pixels 4.
    assert found.feature_map == FeatureMap("map", "NHWC", (1.5, 1.5), (3.0, 3.0))
    nodes[0].attribute[0].ints[:] = [1, 3]
    graph = onnx.helper.make_graph(nodes, "x", [], [], constants)
    assert find_evidence(graph, model, spec) == Evidence("means", Dense("kernel", None))


def test_a_digit_is_explained_where_it_was_found(built):
    page = np.full((200, 300), 235, np.uint8)
    page[100:172, 190:242] -= drawn_seven(72, 52) // 255 * 215
    classifier = Classifier(built[0])
    found = classifier.explain(page)
    assert (found.label, found.score) == (answer := classifier.predict(page)).top[0]
    assert answer.label == found.label
    assert found.map.sum() == pytest.approx(found.logit, abs=1e-4)
    changed = np.asarray(found.overlay().resize((300, 200)), int) - page[..., None]
    rows, columns = np.nonzero(np.abs(changed).max(axis=2) > 8)
    assert 90 <= rows.min() < 130 < rows.max() <= 185
    assert 175 <= columns.min() < 215 < columns.max() <= 255
    blank = classifier.explain(np.full((30, 30), 200, np.uint8))
    assert (blank.label, blank.score, blank.map.any()) == ("unknown", 0, False)


def test_other_features_have_no_map(tmp_path):
    spec = ModelSpec("x", "1", ("a", "b", "c"), InputSpec(12, 12, 1), Stretch())
    path = exported(with_head(spec.input, layers.GlobalMaxPooling2D()), spec, tmp_path)
    assert Classifier(path).embed(np.zeros((12, 12), np.uint8)).shape == (12,)
    with pytest.raises(BundleError, match="no map says exactly"):
        Classifier(path).explain(np.zeros((12, 12), np.uint8))
