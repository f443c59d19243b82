"""Checks of a caller's arguments, where they enter: a wrong one is never used."""

from __future__ import annotations

import math
import operator
from typing import Any


def whole_number(name: str, value: Any) -> int:
    """The value as an int of 1 or more.

    Raises TypeError for anything but a whole number (numpy's count, booleans do not), and
    ValueError for one below 1.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected a whole number of at least 1") from None
    if number < 1:
        raise ValueError(f"{name} is {number}, expected at least 1")
    return number


def seconds(name: str, value: Any) -> float:
    """The value as a float of 1 or more. Raises TypeError, and ValueError, also for NaN."""
    try:
        if isinstance(value, str | bool):
            raise TypeError
        number = float(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected seconds, at least 1") from None
    if not number >= 1:
        raise ValueError(f"{name} is {number}, expected seconds, at least 1")
    return number


def share(name: str, value: Any) -> float:
    """The value as a float from 0 to 1. Raises TypeError, and ValueError, also for NaN."""
    number = _number(name, value, "a number from 0 to 1")
    if not 0 <= number <= 1:
        raise ValueError(f"{name} is {number}, expected 0 to 1")
    return number


def positive(name: str, value: Any) -> float:
    """The value as a finite float above 0. Raises TypeError, and ValueError, also for NaN."""
    number = _number(name, value, "a number above 0")
    if not 0 < number < math.inf:
        raise ValueError(f"{name} is {number}, expected a finite number above 0")
    return number


def _number(name: str, value: Any, expected: str) -> float:
    try:
        if isinstance(value, str | bool):
            raise TypeError
        return float(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected {expected}") from None
