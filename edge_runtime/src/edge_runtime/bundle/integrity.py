"""A bundle's files read within bounds, and the hash that closes a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BundleError
from ..system.regular_files import NotRegularError, TooLargeError, open_regular, read_bounded

MAX_FILE_BYTES = (2 << 30) - 1
"""The largest file of a bundle that is read; no ONNX file can be larger."""

_SEAL = '  "manifest_sha256": "'
_SEALED = re.compile(rb'\A(.*\n  "manifest_sha256": ")([0-9a-f]{64})"\n}\n\Z', re.DOTALL)


def sealed(data: Mapping[str, Any]) -> str:
    """A manifest's JSON text, whose last line is the SHA-256 of everything before it.

    The hash is of all bytes up to and including the quote in front of it. It detects damage;
    whoever changes a manifest on purpose can compute it again.
    """
    rest = {key: value for key, value in data.items() if key != "manifest_sha256"}
    text = json.dumps(rest, indent=2, ensure_ascii=False, allow_nan=False)
    head = text.removesuffix("\n}") + ",\n" + _SEAL
    return f'{head}{hashlib.sha256(head.encode("utf-8")).hexdigest()}"\n}}\n'


def check_seal(raw: bytes, where: str) -> None:
    """Check that a manifest's last line is the hash of all before it. Raises BundleError."""
    found = _SEALED.match(raw)
    if found is None:
        raise BundleError(
            f'{where}: does not end with a "manifest_sha256" line, so that damage would go'
            " unseen: copy or build the bundle again"
        )
    said, made = found[2].decode("ascii"), hashlib.sha256(found[1]).hexdigest()
    if said != made:
        raise BundleError(
            f"{where}: SHA-256 is {made}, its last line says {said}; the manifest was altered"
            " or damaged: copy or build the bundle again"
        )


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises BundleError."""
    try:
        descriptor = open_regular(path)
        try:
            return read_bounded(descriptor, limit)
        finally:
            os.close(descriptor)
    except NotRegularError:
        raise BundleError(f"{path}: is not a regular file") from None
    except TooLargeError as error:
        raise BundleError(f"{path}: has {error.size} bytes, expected at most {limit}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read ({reason})") from None
