"""A new model on a device: checked first, switched in one step, the old one kept."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .classifier import Classifier
from .errors import BundleError
from .golden import check_files, check_golden
from .lock import lock
from .manifest import MANIFEST_NAME, SIGNATURE_NAME

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


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
    _prove(new)
    old = target.with_name(target.name + ".old")
    staged = target.with_name(f".{target.name}.new")
    with _alone(target):
        _remove(staged)  # of an update that was killed
        try:
            _copy(new, staged)
            _prove(staged)
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


def exchange(one: Path, other: Path) -> None:
    """Swap two folders: in one step on Linux, elsewhere in three renames."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # TypeError: on Windows
        rename = None
    if rename is not None:
        paths = os.fsencode(one), os.fsencode(other)
        if not rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE):
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    aside = one.with_name(one.name + ".aside")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def _prove(bundle: Path) -> None:
    check_files(bundle)
    failed = [result for result in check_golden(bundle, Classifier(bundle)) if not result.passed]
    if failed:
        raise BundleError(
            f"{bundle}: golden vector {failed[0].image} gave {failed[0].label!r}, expected"
            f" {failed[0].expected!r}; this device reads images differently from the machine that"
            " built the bundle"
        )


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
