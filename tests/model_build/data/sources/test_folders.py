"""Folders whose examples have no class."""

import pytest

from model_build.data.sources.detect import open_source
from model_build.errors import BuildError


def touch(folder, *paths):
    """Empty files in a folder."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.mark.parametrize(
    "paths",
    [
        ("cat.png", "dog.png", "fish.jpg", "notes.txt"),
        ("IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"),
        ("train/IMG_1.jpg", "train/IMG_2.jpg", "test/IMG_3.jpg"),
        ("thumbnails/index.html", "a.png", "b.png", "c.png"),
    ],
)
def test_pictures_without_a_folder_for_each_class_are_told_where_to_go(tmp_path, paths):
    loose = touch(tmp_path / "loose", *paths)
    with pytest.raises(BuildError) as refused:
        open_source(loose)
    said = str(refused.value)
    assert said.startswith(f"--data {loose}: 3 images without a class, as ")
    assert said.endswith("; put each class into a folder of its own")


def test_names_that_begin_with_the_class_are_classes(tmp_path):
    source = open_source(touch(tmp_path / "named", "cat_1.png", "cat_2.png", "dog_1.png"))
    assert list(source.labels) == ["cat", "cat", "dog"]
    # To be measured on, sounds of one class will do.
    source = open_source(touch(tmp_path / "sounds", "7_a.wav", "7_b.wav"))
    assert list(source.labels) == ["7", "7"]
