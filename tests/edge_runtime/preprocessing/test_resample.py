"""Resampling: a tone stays that tone, what the new rate cannot hold is gone, nothing is shifted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.preprocessing.resample import resample

RATES = [(44100, 8000), (48000, 16000), (22050, 16000), (8000, 16000), (11025, 16000)]


def sine(hertz: float, rate: int, seconds: float = 0.4) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize(("rate", "target"), RATES)
def test_a_tone_that_both_rates_hold_is_the_same_tone(rate: int, target: int) -> None:
    for hertz in (100, 1000, 0.35 * min(rate, target)):
        wanted = sine(hertz, target)
        found = resample(sine(hertz, rate), rate, target, 0, len(wanted))
        assert np.abs(found - wanted)[200:-200].max() < 0.002


@pytest.mark.parametrize(("rate", "target"), [(44100, 8000), (48000, 16000)])
def test_a_tone_above_half_of_the_new_rate_is_gone(rate: int, target: int) -> None:
    found = resample(sine(0.56 * target, rate), rate, target, 0, target // 4)
    assert np.abs(found)[200:-200].max() < 0.002


@pytest.mark.parametrize(("rate", "target"), [*RATES, (8000, 8000)])
def test_outside_the_sound_is_silence_and_a_start_is_a_start(rate: int, target: int) -> None:
    sound = sine(200, rate)
    whole = resample(sound, rate, target, 0, 1000)
    assert np.abs(resample(sound, rate, target, -10 * rate, 1000)).max() == 0
    assert np.abs(resample(sound, rate, target, 10 * rate, 1000)).max() == 0
    earlier = resample(sound, rate, target, -rate // 25, 1000 + target // 25)
    assert np.abs(earlier[target // 25 :] - whole).max() < 1e-9


@pytest.mark.parametrize("rate", [44101, 43999, 8001, 15999, 383_999])
def test_between_unusual_rates_a_tone_is_off_by_a_thousandth_at_most(rate: int) -> None:
    found = resample(sine(500, rate), rate, 8000, 0, 3200)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(3200), 1 << 16))
    assert abs(spectrum.argmax() * 8000 / (1 << 16) / 500 - 1) < 0.001
    assert np.abs(np.abs(found[200:-200]).max() - 1) < 0.01


def test_a_long_sound_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.random.default_rng(0).normal(size=30_000).astype(np.float32)
    for rate, target in [(44100, 8000), (48000, 16000), (8000, 16000)]:
        at_once = resample(sound, rate, target, -50, 3000)
        monkeypatch.setattr("edge_runtime.preprocessing.resample._AT_ONCE", 2000)
        assert np.abs(resample(sound, rate, target, -50, 3000) - at_once).max() < 1e-12
        monkeypatch.undo()


def test_every_way_of_computing_it_is_the_definition() -> None:
    """One output at a time, from the formula."""
    sound = np.random.default_rng(1).normal(size=500).astype(np.float32)
    for rate, target in [(441, 80), (3, 1), (1, 2), (547, 640)]:
        lower, half = min(1, target / rate), np.ceil(16 * max(1, rate / target) / 0.95)
        for n, found in enumerate(resample(sound, rate, target, 3, 40)):
            away = np.arange(len(sound)) - (3 + n * rate / target)
            weights = np.sinc(away * 0.95 * lower) * np.cos(np.pi / 2 * away / half) ** 2
            weights[np.abs(away) >= half] = 0
            if weights[[0, -1]].any():
                continue  # the edge, where silence counts as well
            assert abs(found - weights @ sound / weights.sum()) < 1e-9
