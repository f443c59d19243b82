"""Read fields of a JSON object and check their type and range.

All raise BundleError, whose message names the field; `where` names the file and the object.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping, Set
from typing import Any, TypeVar

from ..errors import BundleError

T = TypeVar("T")

ANY = sys.float_info.max
"""The largest finite number, as a bound that allows all of them."""


def only(data: Mapping[str, Any], known: Set[str], where: str) -> None:
    """Check that the object has only known keys."""
    unknown = sorted(set(data) - known)
    if unknown:
        raise BundleError(f"{where}: {unknown[0]!r} is not known to this edge-runtime")


def check_line(text: str, what: str, where: str) -> str:
    """Check that text has no line breaks or control characters, and return it."""
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise BundleError(f"{where}: {what} {text!r} has a line break or control character in it")
    return text


def is_plain_path(path: str) -> bool:
    """True for a path without backslashes and characters that cannot be printed."""
    return "\\" not in path and path.isprintable()


def typed(data: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """The value of that key, which must have that type."""
    if key not in data:
        raise BundleError(f"{where}: {key!r} is missing")
    value = data[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise BundleError(f"{where}: {key!r} is {kind_of(value)}, expected {_NAMES[kind]}")
    return value


def number(data: Mapping[str, Any], key: str, low: float, high: float, where: str) -> float:
    """A finite number from low to high."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BundleError(f"{where}: {key!r} is {kind_of(value)}, expected a number")
    if not low <= value <= high:  # so not for NaN either
        raise BundleError(f"{where}: {key!r} is {value}, expected {low:g} to {high:g}")
    return value


def numbers(data: Mapping[str, Any], key: str, where: str) -> tuple[float, ...]:
    """A list of finite numbers."""
    values = typed(data, key, list, where)
    return tuple([number({key: value}, key, -ANY, ANY, where) for value in values])


def integer(data: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    """A whole number from low to high."""
    value = typed(data, key, int, where)
    if not low <= value <= high:
        raise BundleError(f"{where}: {key!r} is {value}, expected {low} to {high}")
    return value


_NAMES: dict[type, str] = {
    int: "a whole number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def kind_of(value: object) -> str:
    """The JSON type of a value, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return _NAMES.get(type(value), "a number")
