"""The model's input and its preprocessing, chosen to suit the data."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime import InputError
from edge_runtime.bundle.preprocessing import MAX_LENGTH, Fit, LogMel, Preprocessing, Series
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.inputs.formats import PLURALS
from edge_runtime.preprocessing.log_mel import filterbank

from ..errors import BuildError
from .sources.base import Source

SIDE = 96
"""The longer side of the input, in pixels, unless the images are smaller or --size says so."""
MIN_SIDE = 8
BACKBONE_STEP = 32
"""The sides of a backbone's input are multiples of it: its last feature map is as many times
smaller."""
PHOTO_SIDE = 64
"""The longer side of most images, in pixels, below which a backbone is not tried unasked: enlarged
several times they are not what it was trained on, and small networks are made for them."""
OVERSAMPLING = 1.0
"""By how much a JPEG is decoded larger than it becomes in the input."""
SAMPLE = 256
"""How many examples, evenly spread, are looked at to choose."""
COLOURED = 12
"""Difference of two channels, in grey levels, above which a pixel is coloured."""
RATE = 16_000
"""Samples a second of a sound, unless it has fewer."""
BANDS = 40
WINDOWS = 128
"""Of a sound: windows are apart by 10 ms, or more so that no more than these are needed."""


@dataclass(frozen=True)
class ChosenInput:
    """What suits the data."""

    spec: InputSpec
    preprocessing: Preprocessing
    shape: tuple[float, float] = (0.0, 0.0)
    """Usual height and width of images, in pixels."""

    def for_backbone(self, side: int, size: int | None) -> InputSpec:
        """The input of a backbone that was trained on images of `side` x `side` pixels: about as
        many, in the proportions of most images, so that nothing is cut off or distorted. size:
        what the longer side is to be.
        """
        scale = size / max(self.shape) if size else side / math.sqrt(math.prod(self.shape))
        steps = (round(length * scale / BACKBONE_STEP) for length in self.shape)
        height, width = (BACKBONE_STEP * max(1, count) for count in steps)
        return InputSpec(height, width, 3)

    def suits_backbone(self, size: int | None) -> bool:
        """True for images in colour or grey that are large enough to be photos."""
        return min(max(self.shape), size or math.inf) >= PHOTO_SIDE


def choose_input(source: Source, size: int | None, channels: int | None) -> ChosenInput:
    """What suits the examples that are not in the test part.

    size: what the longer side of images is to be, in pixels. channels: 1 or 3 for them.
    Raises BuildError when no example of the sample can be opened, or they do not fit together.
    """
    places = [place for place in range(len(source.labels)) if source.parts[place] != "test"]
    tried = places[:: max(1, len(places) // SAMPLE)]
    sample: list[Any] = []
    refused: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    for place in tried:
        try:
            example = source.examples[place]
        except InputError as error:
            reasons[error.status] += 1
            refused.setdefault(error.status, f"{source.examples.name(place)} ({error})")
            continue
        # A photo takes many megabytes: only what matters of it is kept.
        image = source.reads == "image"
        sample.append((example.shape[:2], _is_coloured(example)) if image else example)
    if not sample:
        ((reason, count),) = reasons.most_common(1)
        raise BuildError(
            f"none of {len(tried):,} {PLURALS[source.reads]} could be opened; {count:,} {reason},"
            f" as {refused[reason]}"
        )
    if source.reads == "image":
        return _images(sample, size, channels)
    if size is not None or channels is not None:
        raise BuildError(f"--size and --channels are for images, this is {source.about}")
    return ChosenInput(*(_sounds(sample) if source.reads == "sound" else _series(sample)))


def _images(sample: list[Any], size: int | None, channels: int | None) -> ChosenInput:
    """Their usual size up to `SIDE`, colour if they have any.

    The whole image with its proportions kept: nothing is cut off, nothing distorted.
    """
    shapes, colours = zip(*sample, strict=True)
    height, width = np.median(shapes, axis=0)
    scale = (size or min(SIDE, max(height, width))) / max(height, width)
    high, wide = (max(MIN_SIDE, round(side * scale)) for side in (height, width))
    coloured = sum(colours) > 0.05 * len(sample)
    spec = InputSpec(high, wide, channels or (3 if coloured else 1))
    how = Fit(oversampling=OVERSAMPLING)
    return ChosenInput(spec, how, (float(height), float(width)))


def _is_coloured(pixels: Any) -> bool:
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        return False
    step = max(1, min(pixels.shape[:2]) // 256)
    pixels = pixels[::step, ::step]
    spread = pixels.max(axis=2).astype(int) - pixels.min(axis=2)
    return bool((spread > COLOURED).mean() > 0.01)


def _sounds(sample: list[Any]) -> tuple[InputSpec, Preprocessing]:
    """Windows of about 32 ms, and as many as 19 of 20 sounds fit in."""
    rate = min(RATE, int(np.median([sound.rate for sound in sample])))
    window = 1 << round(math.log2(0.032 * rate))
    seconds = float(np.quantile([len(sound.samples) / sound.rate for sound in sample], 0.95))
    hop = min(window, max(rate // 100, math.ceil(seconds * rate / WINDOWS)))
    width = min(2 * WINDOWS, max(16, math.ceil((seconds * rate - window) / hop) + 1))
    how = LogMel(sample_rate=rate, window=window, hop=hop, low_hz=20.0, high_hz=rate / 2)
    bands = BANDS
    while not filterbank(bands, how).any(axis=1).all():
        bands -= 1
    return InputSpec(bands, width, 1), how


def _series(sample: list[Any]) -> tuple[InputSpec, Preprocessing]:
    """Their own length. Series that come normalised are normalised on the device as well; the
    values of others count as they are, in the range of the training part.
    """
    shapes = {series.shape for series in sample}
    if len(shapes) > 1:
        few = ", ".join(sorted(map(str, shapes))[:3])
        raise BuildError(f"series of several shapes ({few}); bring them to one length")
    (shape,) = shapes
    if len(shape) not in (1, 2) or not 8 <= shape[0] <= MAX_LENGTH:
        raise BuildError(
            f"series of shape {shape}; expected 8 to {MAX_LENGTH} values, as (T,) or (T, channels)"
        )
    values = np.stack([s.reshape(shape[0], -1) for s in sample]).astype(np.float64)
    values = values[np.isfinite(values).all(axis=(1, 2))]
    if not len(values):
        raise BuildError("no series without values that are missing or infinite")
    spec = InputSpec(1, shape[0], values.shape[2])
    normal = (np.abs(values.mean(axis=1)) < 0.05) & (np.abs(values.std(axis=1) - 1) < 0.05)
    if normal.mean() > 0.9:
        limit = float(np.clip(np.ceil(np.abs(values).max() + 0.5), 2, 10))
        bounds = (limit,) * spec.channels
        how = Series(normalise="each", low=tuple(-bound for bound in bounds), high=bounds)
        return spec, how
    low, high = np.quantile(values, [0.001, 0.999], axis=(0, 1))
    margin = 0.1 * (high - low) + 1e-6 * np.maximum(1, np.abs(high))
    return spec, Series(
        normalise="none",
        low=tuple((low - margin).tolist()),
        high=tuple((high + margin).tolist()),
    )
