"""The seeds of all random draws: what `--seed N` is turned into for each of them.

Two draws of one build never share a generator, so that changing one leaves the others as they
were. The weights, the order of the examples and what an epoch shows take the seed itself.
"""

from __future__ import annotations

MAX_SEED = 2**31 - 1000
"""The largest `--seed`: what is added to it below stays within the 32 bits that Keras takes."""

SPLIT = 42
"""The split into train, validation and test: the same for every `--seed`."""
LABEL_REVIEW = 43
"""The folds of the label review, likewise."""

CHECKS = 1
"""Added to the seed: the varied validation examples that every epoch is measured on."""
CALIBRATION = 2
"""Likewise: what the temperature and the minimum score are set on."""
LABEL_NOISE = 3
"""Likewise: the drawings by which doubtful digits are found."""
REJECTION = 4
"""Likewise: what the rejection head learns from."""
QUANTIZATION = 5
"""Likewise: the letters among the samples that set the ranges of the int8 files."""
STRANGERS = 6
"""Likewise: things of no class, drawn to see what the minimum score refuses."""


def judge(seed: int, network: int, fold: int) -> int:
    """The seed of one of the networks that look for label noise; `network` and `fold` from 1."""
    return seed + 100 * network + fold
