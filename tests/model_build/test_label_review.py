"""Labels to look at: what a small network, trained on some wrong labels, says of them."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from model_build.label_review import cross_fitted, noisy_labels, review_labels
from model_build.recipes.registry import recipe_for
from model_build.training.config import TrainConfig
from model_build.training.trainer import train

from ..support import drawn_data

COUNT = 60
SWAPPED = 9
"""5 % of the 180 labels."""
PLANTED = 10


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Photos of shapes: (folder, those with a wrong label, the copies that were planted)."""
    folder = tmp_path_factory.mktemp("data") / "spoilt"
    rng = np.random.default_rng(0)
    for name in drawn_data.SHAPES:
        (folder / name).mkdir(parents=True)
        for number in range(COUNT):
            image = drawn_data.shape_in_photo(name, rng, 64)
            image.save(folder / name / f"{name[0]}{number:02}.png")
    wrong = set()
    for number in range(SWAPPED):
        label, other = rng.choice(drawn_data.SHAPES, 2, replace=False)
        file = f"{label[0]}{number:02}.png"
        (folder / label / file).rename(folder / other / file)
        wrong.add(f"{other}/{file}")
    planted = set()
    for number in range(PLANTED):
        name = drawn_data.SHAPES[number % 3]
        image = Image.open(folder / name / f"{name[0]}{20 + number}.png")
        image = ImageEnhance.Brightness(image).enhance(1.1)
        image.resize((80, 80)).save(folder / name / f"planted{number}.jpg", quality=80)
        planted.add(f"{name}/planted{number}.jpg")
    return folder, wrong, planted


def test_swapped_labels_come_first_and_planted_copies_are_named(spoilt, workspace):
    folder, wrong, planted = spoilt
    recipe = recipe_for(str(folder))
    dataset = recipe.load(workspace)
    (finding,) = dataset.findings
    assert finding.about.startswith(f"{PLANTED} images nearly the same as another")
    assert planted <= {name for item in finding.items for name in item.split(" = ")}
    config = TrainConfig(epochs=10, batch_size=16)
    stream = recipe.stream(dataset, dataset.spec, "grid", config, workspace, print)
    checks = recipe.checks(dataset, dataset.spec, 0)
    trained = train(stream, checks, dataset.spec, 3, "grid", config, workspace)
    review = review_labels(trained, dataset)
    names = [dataset.images.name(position) for position in review.positions]
    assert len(set(names)) == 3 * COUNT + PLANTED
    first = names[: len(names) // 10]
    assert len(wrong & set(first)) >= 0.8 * len(wrong)
    assert not any(review.doubtful[len(names) // 5 :])
    place = first.index(next(name for name in first if name in wrong))
    assert review.doubtful[place]
    assert review.other_scores[place] > 0.5 > review.scores[place]
    assert review.line(dataset).startswith(f"{review.count} of 190 labels to look at: ")


def test_as_many_labels_are_noise_as_the_sure_examples_say():
    # Class 0 has 8 examples: 3 are as sure to be of it as its examples are on average, 1 is as sure
    # to be of class 1. So one in four of the 8 is taken for noise, if class 1 is the likelier one.
    second = [0.1, 0.1, 0.1, 0.95, 0.7, 0.4, 0.4, 0.4, 0.9, 0.9, 0.9, 0.7]
    probabilities = np.stack([1 - np.array(second), second], 1)
    labels = np.repeat([0, 1], [8, 4])
    assert np.flatnonzero(noisy_labels(probabilities, labels)).tolist() == [3, 4]
    assert not noisy_labels(probabilities[[0, 1, 2, 8, 9, 10]], np.repeat([0, 1], 3)).any()


def test_a_judge_has_seen_no_example_of_the_group_that_it_judges():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    # Features that tell which example it is, and nothing of its class: only a twin gives it away.
    features = np.repeat(rng.normal(size=(60, 200)), 2, axis=0).astype(np.float32)
    labels = np.repeat(labels, 2)
    rows = np.arange(120)
    alone = cross_fitted(features, labels, rows, 2)[rows, labels]
    together = cross_fitted(features, labels, rows // 2, 2)[rows, labels]
    assert alone.mean() > 0.57
    assert together.mean() < 0.53


def test_a_class_of_one_example_stops_nothing():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 20 + [1] * 20 + [2])
    features = rng.normal(size=(41, 5)).astype(np.float32) + labels[:, None]
    found = cross_fitted(features, labels, np.arange(41), 3)
    assert found.shape == (41, 3)
    assert np.allclose(found.sum(1), 1)
