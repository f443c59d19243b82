"""Small data sets of every kind, drawn: what the tests of a user's own data build on."""

import gzip
import struct
import wave
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("circle", "é 漢", "triangle")


def shape(name: str, rng: np.random.Generator, side: int = 40) -> Image.Image:
    """A filled circle, square (é 漢) or triangle, of a dark colour on a light one."""
    ground, ink = rng.integers(170, 256, 3), rng.integers(0, 100, 3)
    image = Image.new("RGB", (side, side), tuple(ground.tolist()))
    draw, r = ImageDraw.Draw(image), rng.uniform(0.25, 0.4) * side
    x, y = rng.uniform(0.42, 0.58, 2) * side
    box, colour = (x - r, y - r, x + r, y + r), tuple(ink.tolist())
    if name == "circle":
        draw.ellipse(box, fill=colour)
    elif name == "triangle":
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    else:
        draw.rectangle(box, fill=colour)
    return image


def photo(rng: np.random.Generator, side: int = 72) -> Image.Image:
    """Coloured clouds: like photos, random fields with most of their power in low frequencies."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    noise = np.fft.rfft2(rng.normal(size=(3, side, side))) / np.maximum(frequency, 1 / side) ** 1.2
    planes = np.fft.irfft2(noise, (side, side))
    planes = planes[:1] + 0.5 * planes  # the colours have most of their light in common
    planes *= 25 / planes.std()
    return Image.fromarray(np.clip(planes + 100, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def shape_in_photo(name: str, rng: np.random.Generator, side: int = 72) -> Image.Image:
    """A bright circle, square (é 漢) or triangle somewhere in coloured clouds."""
    image, r = photo(rng, side), rng.uniform(0.2, 0.3) * side
    draw, (x, y) = ImageDraw.Draw(image), rng.uniform(0.35, 0.65, 2) * side
    colour = tuple(rng.integers(200, 256, 3).tolist())
    if name == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif name == "triangle":
        draw.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    else:
        draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    return image


def shapes(folder: Path, count: int, seed: int = 0, ending: str = "png") -> None:
    """A folder per class with `count` images each."""
    rng = np.random.default_rng(seed)
    for name in SHAPES:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shape(name, rng).save(folder / name / f"{number:03}.{ending}")


def tones(folder: Path, count: int) -> None:
    """`low_...`, `high_...` and `rising_...` WAV files, with noise, of several lengths."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for name, (first, last) in {"low": (300, 300), "high": (1500, 1500), "up": (300, 1500)}.items():
        for number in range(count):
            length = int(rng.integers(2400, 4000))
            pitch = np.linspace(first, last, length) * rng.uniform(0.85, 1.15)
            samples = np.sin(2 * np.pi * np.cumsum(pitch) / 8000) * rng.uniform(0.1, 0.7)
            samples += rng.normal(0, 0.02, length)
            with wave.open(str(folder / f"{name}_{number}.wav"), "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
                file.writeframes(np.rint(samples * 32767).clip(-32768, 32767).astype("<i2"))


def steps(folder: Path) -> None:
    """`Steps_TRAIN.tsv` and `Steps_TEST.tsv`: one bump or two, somewhere, z-normalised."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    time = np.arange(80)
    for name, count in (("TRAIN", 80), ("TEST", 60)):
        rows = []
        for number in range(count):
            label = 1 + number % 2
            middle, apart = rng.uniform(30, 50), rng.uniform(9, 14)
            places = [middle] if label == 1 else [middle - apart, middle + apart]
            values = sum(np.exp(-(((time - place) / 5) ** 2)) for place in places)
            values = values + rng.normal(0, 0.05, 80)
            values = (values - values.mean()) / values.std()
            rows.append("\t".join([str(label), *(f"{value:.5f}" for value in values)]))
        (folder / f"Steps_{name}.tsv").write_text("\n".join(rows) + "\n")


def idx(path: Path, values: np.ndarray) -> None:
    """An IDX file, compressed when its name ends so."""
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    data = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
