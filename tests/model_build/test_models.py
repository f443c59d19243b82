import numpy as np
import pytest

from edge_runtime.bundle.spec import InputSpec
from model_build.errors import BuildError
from model_build.models import ARCHITECTURES, build_cnn, find_architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_takes_raw_bytes_and_gives_probabilities(name):
    side = find_architecture(name).side
    model = build_cnn(InputSpec(side, side, 1), 7, name)
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 1)).astype(np.float32)
    probabilities = np.asarray(model(pixels, training=False))
    assert probabilities.shape == (3, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert model.layers[1].scale == pytest.approx(1 / 255)


def test_compact_is_at_most_500_kb_of_fp32():
    assert build_cnn(InputSpec(16, 16, 1), 10).count_params() * 4 < 490_000


def test_lenet_is_the_documents_network():
    model = build_cnn(InputSpec(28, 28, 1), 10, "lenet")
    shapes = [tuple(weights.shape) for weights in model.trainable_weights]
    assert shapes == [
        (5, 5, 1, 10),
        (10,),
        (5, 5, 10, 20),
        (20,),
        (320, 50),
        (50,),
        (50, 10),
        (10,),
    ]


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(BuildError, match="resnet: not known; choose auto, compact, lenet"):
        find_architecture("resnet")
