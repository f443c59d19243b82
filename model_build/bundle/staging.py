"""A bundle built beside the one it replaces, then swapped."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.bundle.manifest import (
    MANIFEST_NAME,
)
from edge_runtime.system.atomic import exchange

from ..errors import BuildError


def refuse_existing(target: Path, force: bool) -> None:
    """Raise BuildError when a build could not write `target`; to be asked before training."""
    if target.exists() and not force:
        raise BuildError(f"{target} exists; --force replaces it, --name writes another")
    if target.exists() and not (target / MANIFEST_NAME).is_file():
        raise BuildError(f"{target} exists and is no bundle; remove it or give another --name")


@contextmanager
def staged(target: Path, force: bool) -> Iterator[Path]:
    """A new folder beside `target`, which takes its place when the block ends well."""
    refuse_existing(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    folder = target.with_name(f".{target.name}.building-{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
        refuse_existing(target, force)
        if target.exists():
            exchange(folder, target)
        else:
            folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(target: Path) -> None:
    """Remove what builds that were killed have left beside `target`."""
    if sys.platform == "win32":  # has no way to ask: its os.kill presses Ctrl-C
        return
    for folder in target.parent.glob(f".{target.name}.building-*"):
        try:
            os.kill(int(folder.name.rpartition("-")[2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:  # alive, somebody else's
            continue
