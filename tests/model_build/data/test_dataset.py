import numpy as np
import pytest
from sklearn.datasets import load_digits as load
from sklearn.model_selection import train_test_split

from edge_runtime.bundle.spec import InputSpec
from model_build.errors import BuildError


def test_the_test_part_is_the_seed_documents_own_split(dataset):
    digits = load()
    _, images, _, labels = train_test_split(
        digits.images, digits.target, test_size=0.2, random_state=42
    )
    assert len(dataset.test) == 360
    np.testing.assert_array_equal(
        np.rint(np.stack([dataset.images[i] for i in dataset.test]) * (16 / 255)),
        images,
        strict=False,
    )
    np.testing.assert_array_equal(dataset.labels[dataset.test], labels)


def test_no_image_is_in_two_parts(dataset):
    parts = [dataset.train, dataset.validation, dataset.test]
    assert sorted(np.concatenate(parts)) == list(range(1797))


def test_counts_of_0_to_16_become_bytes_of_0_to_255(dataset):
    images = np.stack([dataset.images[i] for i in range(len(dataset.images))])
    assert images.dtype == np.uint8
    assert sorted(np.unique(images)) == [round(n * 255 / 16) for n in range(17)]


def test_training_sees_what_the_device_sees(dataset):
    from edge_runtime import Classifier

    classifier = Classifier()
    spec = InputSpec(*classifier.spec.input.shape)
    tensors = dataset.tensors(dataset.test[:20], spec)
    for position, tensor in zip(dataset.test, tensors, strict=False):
        np.testing.assert_array_equal(classifier.tensor(dataset.images[position]), tensor)


def test_data_that_is_not_known_is_refused_by_name(load_own):
    with pytest.raises(BuildError, match="--data nowhere: not known"):
        load_own("nowhere")
