"""The kinds of preprocessing that a manifest may declare: parameters, checks and JSON of each.

The code that does what they declare is in `edge_runtime.preprocessing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from ..errors import BundleError
from .json_fields import integer, number, numbers, only, typed

MAX_LENGTH = 65_536
"""The longest series in values, and the longest window of a sound in samples."""
MAX_VALUES = 1 << 24
"""A bound on memory, 134 MB as float64. For series: values times channels. For sounds: samples of
a window times windows, and times bands."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The way from an image, a sound or a series to the input tensor; each kind is a subclass."""

    kind: ClassVar[str]
    """Its name in a manifest."""
    reads: ClassVar[str] = "image"
    """The kind of input: `image`, `sound` or `series`."""

    @property
    def knows_blank(self) -> bool:
        """True if an input that shows nothing becomes a tensor of zeros."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in a manifest."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters in `data`, found at `where` (named in messages).

        Raises BundleError.
        """
        return cls()

    def check_shape(self, shape: tuple[int, int, int], where: str) -> None:
        """Check that the tensor's (height, width, channels) suits. Raises BundleError."""


@dataclass(frozen=True, slots=True)
class Ink(Preprocessing):
    """Find the writing, crop the image to it, and make it light on a dark background."""

    kind = "ink"

    max_stretch: float = 2.0
    """How far the shorter side of the crop may be stretched towards the longer, 1 to 100."""
    spread: float = 0.6
    """Weight of the ink's spread, against its edges, in placing the crop's box, 0 to 1."""
    reach: float = 1.95
    """Half the box that the spread asks for, in standard deviations of the ink, 0.1 to 100."""

    @property
    def knows_blank(self) -> bool:
        """An image without ink becomes zeros."""
        return True

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters. Raises BundleError."""
        return cls(
            max_stretch=number(data, "max_stretch", 1.0, 100.0, where),
            spread=number(data, "spread", 0.0, 1.0, where),
            reach=number(data, "reach", 0.1, 100.0, where),
        )


@dataclass(frozen=True, slots=True)
class Whole(Preprocessing):
    """The image itself at the tensor's size, not what is found in it; each way is a subclass."""

    oversampling: float | None = field(default=None, kw_only=True)
    """A JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the smallest that is at least so many times
    as large as the image becomes in the tensor, 1 to 8. None, as in bundles of version 0.1: the
    smallest at which both sides have 200 pixels."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters. Raises BundleError."""
        return cls(oversampling=_oversampling(data, where))


def _oversampling(data: Mapping[str, Any], where: str) -> float | None:
    return number(data, "oversampling", 1.0, 8.0, where) if "oversampling" in data else None


@dataclass(frozen=True, slots=True)
class Fit(Whole):
    """The whole image with its proportions kept, the rest of the tensor filled."""

    kind = "fit"

    fill: int = 0
    """The value of the pixels that the image does not cover, 0 to 255."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters. Raises BundleError."""
        fill = integer(data, "fill", 0, 255, where)
        return cls(fill, oversampling=_oversampling(data, where))


@dataclass(frozen=True, slots=True)
class Crop(Whole):
    """The largest part in the middle of the image that has the tensor's proportions."""

    kind = "crop"


@dataclass(frozen=True, slots=True)
class Stretch(Whole):
    """The whole image, its proportions not kept."""

    kind = "stretch"


@dataclass(frozen=True, slots=True)
class LogMel(Preprocessing):
    """A sound's power by mel band and time, in decibels below its loudest place."""

    kind = "log_mel"
    reads = "sound"

    sample_rate: int = 16_000
    """Samples a second, 1000 to 384,000; sounds of other rates are resampled."""
    window: int = 400
    """Samples that one column is made of, 4 to MAX_LENGTH."""
    hop: int = 160
    """Samples from the start of one window to the next, 1 to `window`."""
    low_hz: float = 20.0
    """The lower end of the lowest band, at least 1 Hz below `high_hz`."""
    high_hz: float = 8_000.0
    """The upper end of the highest band, at most half of `sample_rate`."""
    range_db: float = 80.0
    """Decibels below the loudest place that become 0, 1 to 200; the loudest place becomes 255."""
    silence_db: float = -90.0
    """A sound whose loudest place is below this is blank, -200 to 0. A sine from -1 to 1 has 0."""

    @property
    def knows_blank(self) -> bool:
        """Silence becomes zeros."""
        return True

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters. Raises BundleError."""
        sample_rate = integer(data, "sample_rate", 1000, 384_000, where)
        window = integer(data, "window", 4, MAX_LENGTH, where)
        hop = integer(data, "hop", 1, window, where)
        high_hz = number(data, "high_hz", 1.0, sample_rate / 2, where)
        return cls(
            sample_rate=sample_rate,
            window=window,
            hop=hop,
            low_hz=number(data, "low_hz", 0.0, high_hz - 1.0, where),
            high_hz=high_hz,
            range_db=number(data, "range_db", 1.0, 200.0, where),
            silence_db=number(data, "silence_db", -200.0, 0.0, where),
        )

    def check_shape(self, shape: tuple[int, int, int], where: str) -> None:
        """Check that bands and windows stay within MAX_VALUES. Raises BundleError."""
        bands, windows, _ = shape
        if self.window * max(bands, windows) > MAX_VALUES:
            raise BundleError(
                f"{where}: {windows} windows of {self.window} samples, {bands} bands: either"
                f" may be {MAX_VALUES // self.window} at most"
            )


@dataclass(frozen=True, slots=True)
class Series(Preprocessing):
    """Values over time, scaled from a declared range to 0..255."""

    kind = "series"
    reads = "series"

    normalise: str = "each"
    """`each`: each channel of each series less its mean, by its standard deviation;
    `none`: the values as they are."""
    low: tuple[float, ...] = (-4.0,)
    """For each channel the value, after `normalise`, that becomes 0."""
    high: tuple[float, ...] = (4.0,)
    """For each channel the value, after `normalise`, that becomes 255."""

    @property
    def knows_blank(self) -> bool:
        """A normalised series that never changes becomes zeros."""
        return self.normalise == "each"

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Self:
        """Check the parameters. Raises BundleError."""
        normalise = typed(data, "normalise", str, where)
        if normalise not in ("each", "none"):
            raise BundleError(f"{where}: normalise is {normalise!r}, expected 'each' or 'none'")
        return cls(normalise, numbers(data, "low", where), numbers(data, "high", where))

    def check_shape(self, shape: tuple[int, int, int], where: str) -> None:
        """Check that each channel has its bounds, and there are MAX_VALUES values at most.

        Raises BundleError.
        """
        _, length, channels = shape
        if length * channels > MAX_VALUES:
            raise BundleError(
                f"{where}: {length} values of {channels} channels are more than {MAX_VALUES}"
            )
        if not len(self.low) == len(self.high) == channels:
            raise BundleError(
                f"{where}: {len(self.low)} low and {len(self.high)} high values, expected one for"
                f" each of {channels} channels"
            )
        for low, high in zip(self.low, self.high, strict=True):
            if not 0 < high - low < math.inf:
                raise BundleError(f"{where}: low is {low:g} and high {high:g}, expected low < high")


_KINDS: dict[str, type[Preprocessing]] = {
    kind.kind: kind for kind in (Ink, Fit, Crop, Stretch, LogMel, Series)
}


def preprocessing_from_json(data: Mapping[str, Any], where: str) -> Preprocessing:
    """Read a preprocessing of any kind from its JSON object, found at `where`.

    Raises BundleError for an unknown kind, and for a parameter that is missing, unknown or out of
    its range.
    """
    name = typed(data, "kind", str, where)
    if name not in _KINDS:
        raise BundleError(f"{where}: kind is {name!r}, this edge-runtime knows {', '.join(_KINDS)}")
    kind = _KINDS[name]
    only(data, {"kind", *(each.name for each in fields(kind))}, f"{where}: {name!r}")
    return kind.from_json(data, where)
