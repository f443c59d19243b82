"""Files that are whole: read within bounds, and a manifest sealed by its own hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BundleError

MAX_FILE_BYTES = (2 << 30) - 1
"""The largest file of a bundle that is read; no ONNX file can be larger."""

_SEAL = '  "manifest_sha256": "'
_SEALED = re.compile(rb'\A(.*\n  "manifest_sha256": ")([0-9a-f]{64})"\n}\n\Z', re.DOTALL)


def sealed(data: Mapping[str, Any]) -> str:
    """A manifest's JSON text, closed by the SHA-256 of everything before it.

    The hash is of the bytes up to and with the quote in front of it. It protects against
    accident; whoever changes a manifest on purpose can seal it again.
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
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(handle, "rb") as source:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"{path}: is not a regular file")
            if found.st_size > limit:
                raise BundleError(f"{path}: has {found.st_size} bytes, expected at most {limit}")
            return source.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path}: cannot be read ({reason})") from None
