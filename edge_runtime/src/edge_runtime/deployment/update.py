"""Replace a bundle on a device: check the new one, switch in one step, keep the old one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..bundle.manifest import MANIFEST_NAME, SIGNATURE_NAME, Manifest
from ..errors import BundleError
from ..system.atomic import exchange
from ..system.lock import lock
from .golden import check_files, prove


def update(new: Path, target: Path, *, allow_older: bool = False) -> Path | None:
    """Put a copy of the bundle `new` in the place of `target`; returns where the old one is kept.

    A program that opens `target` finds the whole old bundle or the whole new one, even after a
    kill or a power failure (on Linux; elsewhere `target` is absent for a moment). The old one is
    kept as `target` with `.old` appended to its name, which replaces the one kept before it and is
    a whole bundle at every moment, too. Returns None when there was no old bundle. Raises
    BundleError, with `target` untouched, when `new` does not pass its hashes and golden vectors,
    and, unless `allow_older`, when its version is lower: a signature does not grow old, so that
    an attacker could bring back a bundle whose faults are known.
    """
    if target.is_symlink() or (target.exists() and not (target / MANIFEST_NAME).is_file()):
        raise BundleError(f"{target}: is there and is no bundle; give the folder of one")
    if Path(os.path.realpath(target)).is_relative_to(os.path.realpath(new)):
        raise BundleError(f"{target}: is {new} or lies in it; give another TARGET")
    prove(new)
    if not allow_older:
        _refuse_older(new, target)
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


def _refuse_older(new: Path, target: Path) -> None:
    if not target.exists():
        return
    try:
        present = Manifest.load(target).spec
    except BundleError:  # damaged: any whole bundle is better
        return
    offered = Manifest.load(new).spec
    if _order(offered.version) < _order(present.version):
        raise BundleError(
            f"{new}: is version {offered.version} of {offered.name}, older than {target}, which is"
            f" version {present.version} of {present.name}; --allow-older takes it"
        )


def _order(version: str) -> list[tuple[int, int, str]]:
    """A key that orders versions: 0.9 < 0.10rc1 < 0.10 = 0.10.0 < 2026-11-27."""
    plain = re.sub(r"(\.0+)+(?![.\d])", "", version.lower().removeprefix("v"))
    parts = re.findall(r"\d+|[a-z]+", plain)
    order = [(2, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]
    return [*order, (1, 0, "")]  # the end is above letters, which mean "before", and below numbers


def _copy(source: Path, target: Path) -> None:
    """Copy the files that the manifest lists, and flush them to the disk."""
    checked, _ = check_files(source)
    names = [file.path for file in checked] + [MANIFEST_NAME]
    if (source / SIGNATURE_NAME).exists():
        names.append(SIGNATURE_NAME)
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(source / name, "rb") as original, open(path, "wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
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
    """Lock the folder: two updates at the same time would mix their files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # cannot open folders
        handle = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT)
    else:
        handle = os.open(target.parent, os.O_RDONLY)
    try:
        if not lock(handle):
            raise BundleError(
                f"{target}: another update of this folder is under way; wait for its end"
            )
        yield
    finally:
        os.close(handle)
