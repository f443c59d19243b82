"""What `--data PATH` is, told from what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import BuildError
from .base import Source

_KNOWN = (
    "a folder per class of images, .wav or .npy, IDX files, .npz or .npy arrays, a .csv of"
    " path,label, or a table of label and values"
)


def check_there(path: Path) -> None:
    """Raise BuildError for a path at which there is nothing."""
    if not path.exists():
        raise BuildError(
            f"--data {path}: not known and not there; give digits, or the path of {_KNOWN}"
        )


def open_source(path: Path) -> Source:
    """Recognise `path` and list what is in it. Raises BuildError."""
    from . import arrays, folders, tables

    check_there(path)
    openers: tuple[Callable[[Path], Source | None], ...] = (
        arrays.idx_source,
        arrays.numpy_source,
        tables.values_source,
        tables.paths_source,
        folders.folder_source,
    )
    for opener in openers:
        source = opener(path)
        if source is not None:
            if not len(source.examples):
                raise BuildError(f"--data {path}: {source.about}, but there is nothing in it")
            return source
    raise BuildError(f"--data {path}: not recognised; give {_KNOWN}")
