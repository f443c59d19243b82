"""Copies of a photo are found however they were made; different photos are not."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from model_build.data.near_duplicates import near_duplicates, perceptual_hash

from ...support import drawn_data


def photos(count, side=72, seed=0):
    rng = np.random.default_rng(seed)
    return [drawn_data.photo(rng, side) for _ in range(count)]


def saved(quality):
    def copy(image):
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality)
        return Image.open(stream).convert("RGB")

    return copy


def cut(image):
    wide, high = image.width // 20, image.height // 20
    return image.crop((wide, high, image.width - wide, image.height - high))


COPIES = {
    "saved at quality 30": saved(30),
    "half as large": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "of more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "cut at each side": cut,
    "turned a little": lambda image: image.rotate(1.5, resample=Image.Resampling.BICUBIC),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_found(copy):
    originals = photos(60, side=140)
    copies = [copy(image) for image in originals[:10]]
    hashes = [perceptual_hash(np.asarray(image)) for image in originals + copies]
    classes = np.arange(70) % 2
    classes[60:] = classes[:10]
    found = near_duplicates(hashes, classes)
    assert [group.tolist() for group in found] == [[k, 60 + k] for k in range(10)]


def test_different_photos_with_much_in_common_are_not_near_duplicates():
    frame = np.asarray(photos(1, 100)[0]) // 2
    hashes = [perceptual_hash(frame + np.asarray(image) // 4) for image in photos(200, 100, 1)]
    assert near_duplicates(hashes, np.arange(200) % 2) == []


def test_a_class_that_is_one_burst_does_not_hide_a_copy_in_another():
    rng = np.random.default_rng(0)
    scene = np.asarray(photos(1)[0]).astype(int)
    burst = [np.clip(scene + rng.normal(0, 8, scene.shape), 0, 255) for _ in range(40)]
    others = photos(40, seed=1)
    images = [*burst, *others, saved(50)(others[3])]
    hashes = [perceptual_hash(np.asarray(image).astype(np.uint8)) for image in images]
    classes = np.repeat([0, 1], [40, 41])
    found = near_duplicates(hashes, classes)
    assert [group.tolist() for group in found] == [list(range(40)), [43, 80]]


def test_a_small_image_has_no_hash():
    assert perceptual_hash(np.zeros((63, 200), np.uint8)) == b""
    assert len(perceptual_hash(np.zeros((64, 200, 3), np.uint8))) == 380
    assert near_duplicates([b"", b""], np.array([0, 1])) == []


def lines(dataset):
    return [finding.line() for finding in dataset.findings]


def write(folder, count, seed=0):
    """`count` photos in each of two classes."""
    rng = np.random.default_rng(seed)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            drawn_data.photo(rng).save(folder / name / f"{number:02}.png")


def test_copies_are_named_and_lie_on_one_side_of_the_split(tmp_path, load_own):
    write(tmp_path, 30)
    for name in ("a", "b"):
        for number in range(10):
            image = Image.open(tmp_path / name / f"{number:02}.png")
            image.save(tmp_path / name / f"{number:02} again.jpg", quality=60)
    shutil.copy(tmp_path / "a/00 again.jpg", tmp_path / "b/wrong.jpg")
    image = Image.open(tmp_path / "a/20.png")
    image.save(tmp_path / "b/disputed.jpg", quality=60)
    dataset = load_own(tmp_path)
    said = lines(dataset)
    assert len(said) == 3
    assert said[0].startswith("2 images of the same bytes under more than one class")
    assert said[1] == (
        "1 image nearly the same as another, under more than one class, kept; is a label wrong?:"
        " a/20.png = b/disputed.jpg"
    )
    assert said[2].startswith(
        "19 images nearly the same as another, kept on one side of the split:"
        " a/01 again.jpg = a/01.png,"
    )
    (*_, finding) = dataset.findings
    assert len(finding.items) == 19
    parts = {}
    for part in (dataset.train, dataset.validation, dataset.test):
        for position in part:
            parts[dataset.images.name(position)] = id(part)
    for pair in (*finding.items, "a/20.png = b/disputed.jpg"):
        one, other = pair.split(" = ")
        assert parts[one] == parts[other]


def test_copies_in_a_test_part_of_its_own_are_named_and_kept(tmp_path, load_own):
    write(tmp_path / "train", 20)
    write(tmp_path / "test", 8, seed=1)
    image = Image.open(tmp_path / "train/a/03.png")
    image.save(tmp_path / "test/a/copy.jpg", quality=60)
    dataset = load_own(tmp_path)
    assert [line for line in lines(dataset) if "nearly" in line] == [
        "1 image nearly the same as another, in test and elsewhere, kept; the figures of test may"
        " flatter: test/a/copy.jpg = train/a/03.png"
    ]
    assert (len(dataset.train) + len(dataset.validation), len(dataset.test)) == (40, 17)


def test_a_class_of_one_scene_is_divided_all_the_same(tmp_path, load_own):
    write(tmp_path, 20)
    rng = np.random.default_rng(5)
    scene = np.asarray(drawn_data.photo(rng)).astype(int)
    (tmp_path / "c").mkdir()
    for number in range(20):
        image = np.clip(scene + rng.normal(0, 8, scene.shape), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "c" / f"{number}.png")
    dataset = load_own(tmp_path)
    (line,) = lines(dataset)
    assert line.startswith(
        "19 images nearly the same as another, kept on both sides of the split, since most of a"
        " class are: c/0.png = c/1.png,"
    )
    for part in (dataset.train, dataset.validation, dataset.test):
        assert set(dataset.labels[part]) == {0, 1, 2}
