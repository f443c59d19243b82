"""What is left out of the data, and what cannot train a classifier at all."""

import shutil

import numpy as np
import pytest
from PIL import Image

from model_build.errors import BuildError

from ...support import drawn_data


def lines(dataset):
    return [finding.line() for finding in dataset.findings]


def names(dataset, positions):
    return {dataset.images.name(position) for position in positions}


def test_what_the_test_part_holds_as_well_is_not_trained_on(tmp_path, load_own):
    drawn_data.shapes(tmp_path / "train", 22, seed=1)
    drawn_data.shapes(tmp_path / "test", 8, seed=2)
    shutil.copy(tmp_path / "train/circle/003.png", tmp_path / "test/circle/leaked.png")
    shutil.copy(tmp_path / "train/circle/004.png", tmp_path / "test/triangle/wrong.png")
    dataset = load_own(tmp_path)
    assert lines(dataset) == [
        "2 images of the same bytes under more than one class, left out of training:"
        " test/triangle/wrong.png = train/circle/004.png",
        "1 image to train that test holds as well (of the same bytes), left out of training:"
        " train/circle/003.png",
    ]
    tested = names(dataset, dataset.test)
    assert len(tested) == 26
    assert tested >= {"test/circle/leaked.png", "test/triangle/wrong.png"}
    rest = names(dataset, np.concatenate([dataset.train, dataset.validation]))
    assert len(rest) == 64
    assert not rest & {"train/circle/003.png", "train/circle/004.png"}


def test_the_same_image_in_another_file_is_no_copy_of_its_bytes(tmp_path, load_own):
    drawn_data.shapes(tmp_path, 21)
    for number, folder in ((3, "circle"), (4, "triangle")):
        image = Image.open(tmp_path / f"circle/{number:03}.png")
        image.save(tmp_path / folder / "saved again.bmp")
    assert lines(load_own(tmp_path)) == [
        "2 images with the same content once prepared under more than one class, left out of"
        " training:"
        " circle/004.png = triangle/saved again.bmp",
        "1 image with the same content once prepared as another of the same class, left out:"
        " circle/saved again.bmp",
    ]


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_has_nothing_to_train_on_is_left_out(tmp_path, part, load_own):
    drawn_data.shapes(tmp_path / "train", 20, seed=1)
    drawn_data.shapes(tmp_path / part, 4, seed=2)
    shutil.rmtree(tmp_path / "train" / "triangle")
    dataset = load_own(tmp_path)
    assert dataset.class_names == ("circle", "é 漢")
    assert lines(dataset) == [
        "4 images of classes with nothing to train on (triangle), left out: "
        + ", ".join(f"{part}/triangle/00{k}.png" for k in range(4))
    ]


def test_few_and_unbalanced_classes_are_named(tmp_path, load_own):
    drawn_data.shapes(tmp_path, 21)
    for number in range(4, 21):
        (tmp_path / "circle" / f"{number:03}.png").unlink()
    assert lines(load_own(tmp_path)) == [
        "1 class has fewer than 20 images; expect little of the readings: circle (4)",
        "the classes are unbalanced, 21 of 'triangle' and 4 of 'circle'; the rarer ones weigh"
        " more in training",
    ]


def one_class(folder):
    shutil.rmtree(folder / "triangle")
    shutil.rmtree(folder / "é 漢")


def two_each(folder):
    for path in folder.glob("*/002.png"):
        path.unlink()


def all_torn(folder):
    for path in folder.glob("*/*.png"):
        path.write_bytes(path.read_bytes()[:50])


def all_gone(folder):
    for path in folder.glob("*/*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_class, "one class, 'circle'; a classifier needs at least 2 that can be used"),
        (two_each, "class 'circle' has 2 images that can be used, at least 3 are needed"),
        (
            all_torn,
            "none of 9 images could be opened; 9 corrupt, as circle/000.png (image file is",
        ),
        (all_gone, "there is nothing in it"),
    ],
)
def test_what_cannot_train_a_classifier_is_an_error_in_one_line(tmp_path, spoil, words, load_own):
    drawn_data.shapes(tmp_path / "shapes", 3)
    spoil(tmp_path / "shapes")
    with pytest.raises(BuildError) as raised:
        load_own(tmp_path / "shapes")
    assert str(raised.value).startswith(f"--data {tmp_path / 'shapes'}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
