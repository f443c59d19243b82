"""A new model on a device: checked first, switched in one step, the old one kept."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..bundle.manifest import MANIFEST_NAME, SIGNATURE_NAME
from ..errors import BundleError
from ..system.atomic import exchange
from ..system.lock import lock
from .golden import check_files, prove


def update(new: Path, target: Path) -> Path | None:
    """Put a copy of the bundle `new` in the place of `target`; returns where the old one is kept.

    Whoever opens `target` finds the old bundle or the new one, whenever this process is killed
    or the power fails (on Linux; elsewhere `target` is absent for a moment). The old one is
    kept as `target` with `.old` behind its name, in the place of the one before it, and what
    stands there is a whole bundle at every moment, too; None when there was none. Raises
    BundleError, with `target` untouched, when `new` does not pass its hashes and golden vectors.
    """
    if target.is_symlink() or (target.exists() and not (target / MANIFEST_NAME).is_file()):
        raise BundleError(f"{target}: is there and is no bundle; give the folder of one")
    prove(new)
    old = target.with_name(target.name + ".old")
    staged = target.with_name(f".{target.name}.new")
    with _alone(target):
        _remove(staged)  # of an update that was killed
        try:
            _copy(new, staged)
            prove(staged)
            if not target.exists():
                os.rename(staged, target)
                return None
            if old.exists():
                exchange(staged, old)
            else:
                os.rename(staged, old)
            exchange(old, target)
            return old
        finally:
            _remove(staged)
            _sync(target.parent)


def _copy(source: Path, target: Path) -> None:
    """Copy the files that the manifest knows, and have them on the disk before returning."""
    checked, _ = check_files(source)
    names = [file.path for file in checked] + [MANIFEST_NAME]
    if (source / SIGNATURE_NAME).exists():
        names.append(SIGNATURE_NAME)
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(source / name, "rb") as reader, open(path, "wb") as writer:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
    for folder, _, _ in os.walk(target):
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    if sys.platform == "win32":  # cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two updates beside each other would mix what they copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # where a folder cannot be opened
        yield
        return
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        if not lock(handle):
            raise BundleError(
                f"{target}: another update of this folder is under way; wait for its end"
            )
        yield
    finally:
        os.close(handle)
