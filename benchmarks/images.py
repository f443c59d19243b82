"""The images that everything is measured on, the same on every machine.

Digits: the test digits, which no model was trained on, are drawn as strokes of varying width,
either as light ink on a dark ground, or as photos of dark ink on unevenly lit paper with a sensor's
noise.
Scenes: parts of scikit-learn's two sample photos, a temple and a flower.
The name of a file ends with what it shows: 000123_7.png, 000123_flower.jpg.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from model_build.recipes.digits.dataset import load_digits
from model_build.recipes.digits.strokes import BLOCK, PAD, Strokes, pen_levels, strokes_from_counts

Floats = NDArray[np.float32]

_FIELD = 8 * BLOCK + 2 * PAD  # side of a digit's field, ground included


@dataclass(frozen=True)
class ImageSet:
    """One kind of image."""

    about: str
    width: int
    """Pixels, like the height."""
    height: int
    ending: str
    coarse: int = 1
    """Photos are drawn at this fraction of their size and enlarged, before the noise."""


SCENES = "JPEG photos of 320x240 to 512x384"
SETS = {
    "small": ImageSet("28x28 grey PNG", 28, 28, "png"),
    "photos": ImageSet("JPEG photos of 500x400", 500, 400, "jpg"),
    "large": ImageSet("JPEG photos of 4,000x3,000", 4000, 3000, "jpg", coarse=4),
    "scenes": ImageSet(SCENES, 512, 384, "jpg"),
}


def draw(folder: Path, kind: ImageSet, count: int) -> Path:
    """Fill the folder, unless it holds that many files already; returns it."""
    if folder.is_dir() and len(os.listdir(folder)) == count:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    make: Iterator[tuple[Image.Image, int | str]]
    if kind.about == SCENES:
        make = scenes(rng)
    else:
        make = _photos(kind, rng) if kind.ending == "jpg" else _scans(kind, rng)
    for number, (image, shown) in zip(range(count), make, strict=False):
        image.save(folder / f"{number:06}_{shown}.{kind.ending}", quality=90)
    return folder


def sorted_scenes(folder: Path, count: int) -> Path:
    """Draw other scenes, square, into a folder for each class; returns `folder`."""
    for number, (image, shown) in zip(range(count), scenes(np.random.default_rng(1)), strict=False):
        (folder / shown).mkdir(parents=True, exist_ok=True)
        square = image.crop((0, 0, image.height, image.height))
        square.save(folder / shown / f"{number:06}.jpg", quality=90)
    return folder


def scenes(rng: np.random.Generator) -> Iterator[tuple[Image.Image, str]]:
    """Without end: a part of a sample photo, now and then mirrored, at one of several sizes; its
    name."""
    found = load_sample_images()
    names = [Path(file).stem for file in found.filenames]
    while True:
        which, size, part = int(rng.integers(len(names))), rng.integers(20, 33), rng.uniform(0.5, 1)
        photo = Image.fromarray(found.images[which])
        high = round(photo.height * part)
        wide = high * 4 // 3
        left, top = rng.integers(0, (photo.width - wide + 1, photo.height - high + 1)).tolist()
        box = (left, top, left + wide, top + high)
        scene = photo.resize((16 * int(size), 12 * int(size)), Image.Resampling.BICUBIC, box=box)
        if rng.integers(2):
            scene = scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield scene, names[which]


def shown_in(path: str) -> str:
    """What the file's image shows: a digit or the name of a scene."""
    return Path(path).stem.rpartition("_")[2]


def link(source: Path, folder: Path, count: int, per_folder: int) -> Path:
    """`count` links to the files of `source` in folders of `per_folder`; returns `folder`."""
    files = sorted(source.iterdir())
    for number in range(count):
        file = files[number % len(files)]
        inside = folder / f"{number // per_folder:03}"
        inside.mkdir(parents=True, exist_ok=True)
        os.link(file, inside / f"{number:06}_{file.name}")
    return folder


def _scans(kind: ImageSet, rng: np.random.Generator) -> Iterator[tuple[Image.Image, int]]:
    for field, digit in _fields(rng):
        ink = _place(field, kind.width, kind.height, rng.uniform(0.9, 1.0), 1.0, rng)
        yield Image.fromarray(np.rint(ink * 255).astype(np.uint8)), digit


def _photos(kind: ImageSet, rng: np.random.Generator) -> Iterator[tuple[Image.Image, int]]:
    noise = rng.standard_normal((kind.height, kind.width, 3), dtype=np.float32)
    noise = np.rint(noise * 3 + noise[..., :1] * 2).astype(np.int16)
    width, height = kind.width // kind.coarse, kind.height // kind.coarse
    y, x = np.mgrid[:height, :width].astype(np.float32) / width
    for field, digit in _fields(rng):
        ink = _place(field, width, height, rng.uniform(0.6, 0.95), 0.5, rng)[..., None]
        lamp = rng.uniform(0.2, 0.8, 2)
        light = 1 - rng.uniform(0.2, 0.5) * ((y - lamp[0]) ** 2 + (x - lamp[1]) ** 2)
        paper = np.array([235, 230, 215], np.float32) * np.float32(rng.uniform(0.85, 1.0))
        pen = np.array([45, 50, 80], np.float32) * np.float32(rng.uniform(0.5, 1.3))
        clean = np.clip((paper * (1 - ink) + pen * ink) * light[..., None], 0, 255)
        image = Image.fromarray(np.rint(clean).astype(np.uint8))
        image = image.resize((kind.width, kind.height), Image.Resampling.BICUBIC)
        shift = rng.integers(0, (kind.height, kind.width)).tolist()
        noisy = np.asarray(image) + np.roll(noise, shift, axis=(0, 1))
        yield Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), digit


def _fields(rng: np.random.Generator) -> Iterator[tuple[Floats, int]]:
    """Without end: (44, 44) ink levels, positive in the ink, and the digit."""
    digits = load_digits()
    counts = np.stack([digits.images[i] for i in digits.test]) * np.float32(16 / 255)
    strokes: Strokes = strokes_from_counts(counts)
    labels = digits.labels[digits.test].tolist()
    while True:
        widths = rng.uniform(1.2, 2.4, len(labels)).astype(np.float32)
        yield from zip(pen_levels(strokes, widths, rng), labels, strict=True)


def _place(
    field: Floats, width: int, height: int, share: float, sharpness: float, rng: np.random.Generator
) -> Floats:
    """(height, width) ink in [0, 1]: the digit's field takes that share of the height."""
    side = round(height * share)
    enlarged = Image.fromarray(field).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.zeros((height, width), np.float32)
    top, left = rng.integers(0, (height - side + 1, width - side + 1)).tolist()
    level = np.asarray(enlarged) * np.float32(sharpness * side / _FIELD)
    ink[top : top + side, left : left + side] = np.clip(level + 0.5, 0, 1)
    return ink
