"""Values of a JSON object, checked: of the kind and in the range that they must have.

Each raises BundleError, which names the value; `where` says in which file and object it stands.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping, Set
from typing import Any, TypeVar

from ..errors import BundleError

T = TypeVar("T")

ANY = sys.float_info.max
"""A bound that every finite number keeps."""


def only(data: Mapping[str, Any], known: Set[str], where: str) -> None:
    """The object has no key but those."""
    unknown = sorted(set(data) - known)
    if unknown:
        raise BundleError(f"{where}: {unknown[0]!r} is not known to this edge-runtime")


def check_line(text: str, what: str, where: str) -> str:
    """Text that can stand in a line of a terminal, of labels.txt or of an output."""
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise BundleError(f"{where}: {what} {text!r} has a line break or control character in it")
    return text


def is_plain_path(path: str) -> bool:
    """Whether a path means the same everywhere and shows as it is."""
    return "\\" not in path and path.isprintable()


def take(data: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """The value of that kind."""
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
    values = take(data, key, list, where)
    return tuple([number({key: value}, key, -ANY, ANY, where) for value in values])


def whole(data: Mapping[str, Any], key: str, low: int, high: int, where: str) -> int:
    """A whole number from low to high."""
    value = take(data, key, int, where)
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
    """What a value is, in words of JSON."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return _NAMES.get(type(value), "a number")
