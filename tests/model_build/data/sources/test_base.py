"""What `--data PATH` recognises, and which example gets which label and part."""

import csv

import numpy as np
import pytest
from PIL import Image

from model_build.data.sources.detect import open_source
from model_build.errors import BuildError

from ....support.drawn_data import idx

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 10, 14)).astype(np.uint8)
LABELS = np.arange(12) % 3


def write_idx(folder, ending):
    for name, part in (("train", slice(0, 8)), ("t10k", slice(8, 12))):
        idx(folder / f"{name}-images-idx3-ubyte{ending}", IMAGES[part])
        idx(folder / f"{name}-labels-idx1-ubyte{ending}", LABELS[part])


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_with_a_test_set_of_their_own(tmp_path, ending):
    write_idx(tmp_path, ending)
    source = open_source(tmp_path)
    assert source.reads == "image"
    assert len(source.examples) == 12
    by_part = {part: [i for i in range(12) if source.parts[i] == part] for part in source.parts}
    assert {part: len(places) for part, places in by_part.items()} == {"train": 8, "test": 4}
    for places, part in ((by_part["train"], slice(0, 8)), (by_part["test"], slice(8, 12))):
        np.testing.assert_array_equal([source.examples[i] for i in places], IMAGES[part])
        assert [source.labels[i] for i in places] == [str(label) for label in LABELS[part]]


def test_an_npz_of_images(tmp_path):
    np.savez(tmp_path / "mine.npz", x=IMAGES, y=LABELS)
    source = open_source(tmp_path / "mine.npz")
    assert source.reads == "image"
    np.testing.assert_array_equal([source.examples[i] for i in range(12)], IMAGES)
    assert list(source.labels) == [str(label) for label in LABELS]


def test_an_npz_of_series(tmp_path):
    values = RNG.normal(size=(12, 30)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", x=values, y=np.array(["up", "down", "flat"])[LABELS])
    source = open_source(tmp_path / "mine.npz")
    assert source.reads == "series"
    np.testing.assert_array_equal([source.examples[i] for i in range(12)], values)
    assert list(source.labels[:3]) == ["up", "down", "flat"]


def test_a_csv_of_paths_and_labels(tmp_path):
    (tmp_path / "pictures").mkdir()
    with open(tmp_path / "list.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        for number, image in enumerate(IMAGES):
            Image.fromarray(image).save(tmp_path / f"pictures/{number}.png")
            rows.writerow([f"pictures/{number}.png", "é 漢" if number % 2 else "plain"])
    source = open_source(tmp_path / "list.csv")
    assert source.reads == "image"
    np.testing.assert_array_equal([source.examples[i] for i in range(12)], IMAGES)
    assert list(source.labels[:2]) == ["plain", "é 漢"]


def test_sounds_named_label_first(tmp_path):
    for name in ("7_jackson_32.wav", "7_theo_1.wav", "zero_a.wav"):
        (tmp_path / name).write_bytes(b"")
    source = open_source(tmp_path)
    assert source.reads == "sound"
    assert list(source.labels) == ["7", "7", "zero"]


@pytest.mark.parametrize("damage", ["labels", "cut", "count"])
def test_damaged_idx_files_are_named_in_one_line(tmp_path, damage):
    write_idx(tmp_path, "")
    if damage == "labels":
        (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    elif damage == "cut":
        path = tmp_path / "t10k-images-idx3-ubyte"
        path.write_bytes(path.read_bytes()[:-5])
    else:
        idx(tmp_path / "t10k-labels-idx1-ubyte", LABELS[:3])
    with pytest.raises(BuildError, match="t10k-images-idx3-ubyte") as refused:
        open_source(tmp_path)
    assert "\n" not in str(refused.value)
