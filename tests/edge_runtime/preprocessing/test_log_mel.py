"""The spectrogram: against a plain computation, and what a user relies on of level and place."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.bundle.preprocessing import LogMel
from edge_runtime.bundle.spec import InputSpec
from edge_runtime.preprocessing.log_mel import clip, clip_length, filterbank, log_mel

from ...support.small_bundles import RATE, SOUNDS, tone

SPEC, HOW = SOUNDS.input, SOUNDS.preprocessing


def spectrogram(samples: NDArray[np.float64], rate: int = RATE) -> NDArray[np.uint8] | None:
    return log_mel(clip(samples.astype(np.float32), rate, SPEC, HOW), SPEC, HOW)


def plain_log_mel(samples: list[float], mels: int, columns: int, how: LogMel) -> list[list[float]]:
    """Levels before rounding, [band][column], from the definitions, without numpy."""
    size = 1
    while size < how.window:
        size *= 2

    def mel(hertz: float) -> float:
        return 2595 * math.log10(1 + hertz / 700)

    def hertz(mel: float) -> float:
        return 700 * (10 ** (mel / 2595) - 1)

    low, high = mel(how.low_hz), mel(how.high_hz)
    edges = [hertz(low + (high - low) * i / (mels + 1)) for i in range(mels + 2)]
    powers = []
    for column in range(columns):
        part = samples[column * how.hop : column * how.hop + how.window]
        tapered = [
            value * (0.5 - 0.5 * math.cos(2 * math.pi * i / how.window))
            for i, value in enumerate(part)
        ]
        spectrum = [
            abs(sum(v * cmath.exp(-2j * math.pi * i * k / size) for i, v in enumerate(tapered)))
            for k in range(size // 2 + 1)
        ]
        bands = []
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k, amplitude in enumerate(spectrum):
                f = k * how.sample_rate / size
                if left < f <= centre:
                    total += amplitude**2 * (f - left) / (centre - left)
                elif centre < f < right:
                    total += amplitude**2 * (right - f) / (right - centre)
            bands.append(total)
        powers.append(bands)
    loudest = max(max(bands) for bands in powers)
    decibels = [[10 * math.log10(max(p / loudest, 1e-99)) for p in bands] for bands in powers]
    return [
        [max(0.0, 255 * (1 + decibels[c][m] / how.range_db)) for c in range(columns)]
        for m in range(mels)
    ]


@pytest.mark.parametrize(("window", "hop"), [(64, 32), (50, 50), (63, 1)])
def test_it_is_what_a_plain_computation_gives(window: int, hop: int) -> None:
    how = LogMel(
        **{"sample_rate": 1000, "window": window, "hop": hop},
        **{"low_hz": 30.0, "high_hz": 450.0, "range_db": 60.0},
    )
    spec = InputSpec(height=7, width=5)
    samples = np.random.default_rng(0).normal(size=clip_length(spec, how))
    found = log_mel(samples, spec, how)
    assert found is not None
    wanted = plain_log_mel(samples.tolist(), 7, 5, how)
    assert np.abs(found[..., 0] - np.array(wanted)).max() < 0.5 + 1e-6


def test_louder_is_the_same_and_the_loudest_place_is_the_tone() -> None:
    middles = []
    for hertz in (200, 400, 800, 1600, 3200):
        quiet, loud = spectrogram(tone(hertz) / 100), spectrogram(tone(hertz) * 2)
        assert quiet is not None
        assert quiet.shape == SPEC.shape
        assert np.array_equal(quiet, loud)
        assert quiet.max() == 255
        middles.append(int(quiet[:, 15, 0].argmax()))
    assert middles == sorted(set(middles))


def test_the_same_tone_at_another_rate_gives_the_same_picture() -> None:
    own = spectrogram(tone(1000))
    assert own is not None
    for rate in (11025, 16000, 44100, 48000):
        other = spectrogram(tone(1000, rate=rate), rate)
        assert other is not None
        strong = own > 100  # 49 decibels below the loudest place and less
        assert np.abs(own.astype(int) - other)[strong].max() <= 3


def test_silence_is_blank_whatever_its_level() -> None:
    noise = np.random.default_rng(0).normal(size=4000)
    for silence in (np.zeros(4000), np.ones(4000), np.full(9, -0.3), noise * 1e-6):
        assert spectrogram(silence) is None
    assert spectrogram(noise * 1e-3) is not None
    hears_all = LogMel(sample_rate=RATE, high_hz=4000.0, silence_db=-200.0)
    spec = InputSpec(height=20, width=20)
    for samples, blank in ((np.zeros(4000), True), (noise * 1e-6, False)):
        part = clip(samples.astype(np.float32), RATE, spec, hears_all)
        assert (log_mel(part, spec, hears_all) is None) == blank


def test_a_full_sine_is_at_zero_decibels() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(clip_length(SPEC, HOW)) / RATE)
    for level, blank in ((0.0, False), (-4.0, False), (-8.0, True)):
        how = LogMel(sample_rate=RATE, window=256, hop=128, high_hz=4000.0, silence_db=-6.0)
        assert (log_mel(sine * 10 ** (level / 20), SPEC, how) is None) == blank


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_short_sound_stands_in_the_middle(rate: int) -> None:
    part = clip(tone(500, 0.1, rate).astype(np.float32), rate, SPEC, HOW)
    assert len(part) == clip_length(SPEC, HOW)
    sounding = np.flatnonzero(np.abs(part) > 0.01)
    assert abs((sounding[0] + sounding[-1]) / 2 - len(part) / 2) < 20
    assert len(sounding) < 0.11 * RATE


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize("at", [0.0, 0.3, 2.1, 4.9])
def test_of_a_long_sound_the_loudest_part_is_heard(rate: int, at: float) -> None:
    long = 0.001 * np.random.default_rng(0).normal(size=5 * rate + rate // 10)
    start = round(at * rate)
    word = tone(500, 0.2, rate)
    long[start : start + len(word)] += word
    part = clip(long.astype(np.float32), rate, SPEC, HOW)
    energy = (word**2).sum() * RATE / rate
    assert 0.97 * energy < (part**2).sum() < 1.03 * energy
    if 0 < at < 4.9:  # silence on both sides: in the middle
        centre = (part**2 @ np.arange(len(part))) / (part**2).sum()
        assert abs(centre - len(part) / 2) < 0.05 * RATE


def test_a_sound_a_little_longer_than_the_clip_is_heard() -> None:
    for extra in (0, 1, 127, 128, 129, 300):
        noise = np.random.default_rng(extra).normal(size=clip_length(SPEC, HOW) + extra)
        assert (clip(noise.astype(np.float32), RATE, SPEC, HOW) ** 2).mean() > 0.8


def test_the_bands_cover_what_lies_between_their_ends() -> None:
    bank = filterbank(SPEC.height, HOW)
    assert bank.shape == (SPEC.height, 129)
    frequencies = np.linspace(0, RATE / 2, 129)
    assert (bank >= 0).all()
    assert (bank <= 1).all()
    assert bank.any(axis=1).all()
    assert not bank[:, frequencies <= HOW.low_hz].any()
    edge = 2595 * math.log10(1 + 4000 / 700)
    inner = (frequencies > 150) & (frequencies < 700 * (10 ** (0.95 * edge / 2595) - 1))
    assert np.abs(bank.sum(axis=0)[inner] - 1).max() < 1e-9  # triangles side by side
