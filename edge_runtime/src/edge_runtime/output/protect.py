"""Refuse an output that is the model or one of the inputs, before a byte of it is lost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

from ..bundle.manifest import MANIFEST_NAME, Manifest
from ..errors import OutputError
from ..inputs.formats import has_ending
from ..inputs.walk import find_file, is_file


def refuse_model(output: str, model: Path) -> None:
    """Raise OutputError when the output is a file of the model: a bundle's folder or a lone file.

    Files are compared by device and inode, so that links to them count too.
    """
    target = _stat(output)
    if target is None:
        return
    files = [model]
    if model.is_dir():
        named = [file.path for file in Manifest.load(model).files]
        files = [model / name for name in (MANIFEST_NAME, *named)]
    for file in files:
        if is_file(str(file), target):
            raise OutputError(f"{output}: is the model's own {file}; give another -o")


def refuse_named(output: str, paths: Iterable[str]) -> None:
    """Raise OutputError when the output is one of the files at these paths."""
    target = _stat(output)
    if target is None and os.path.exists(output):  # a pipe, a device or a folder
        return
    place = os.path.realpath(output)
    for path in paths:
        if target is not None:
            same = is_file(path, target)
        else:
            same = os.path.basename(path) == os.path.basename(output)
            same = same and os.path.realpath(path) == place
        if same:
            raise _is_input(output, path)


def refuse_walked(output: str, folders: Iterable[str], **rules: Any) -> None:
    """Raise OutputError when a walk of the folders meets the output, or will once it is there.

    rules: `recursive`, `all_files` and `endings` of the walk.
    """
    target = _stat(output)
    for folder in filter(os.path.isdir, folders):
        if target is not None:
            met = find_file(target, folder, **rules)
        else:
            met = _would_be_met(output, folder, **rules)
        if met:
            raise _is_input(output, met)


def refuse_while_read(output: str, target: os.stat_result, names: Iterator[str]) -> Iterator[str]:
    """Yield names of files; raise OutputError at one that is the output, whose stat is given."""
    for name in names:
        if is_file(name, target):
            raise _is_input(output, name)
        yield name


def _is_input(output: str, path: str) -> OutputError:
    return OutputError(f"{output}: is also an input ({path}); give another -o")


def _stat(output: str) -> os.stat_result | None:
    """The output if it is a regular file, which can be lost."""
    try:
        found = os.stat(output)
    except (OSError, ValueError):
        return None
    return found if S_ISREG(found.st_mode) else None


def _would_be_met(
    output: str, folder: str, *, recursive: bool, all_files: bool, endings: Any
) -> str | None:
    """The path at which a walk of the folder would meet an output that is not there yet."""
    if not all_files and not has_ending(os.path.basename(output), endings):
        return None
    top, place = Path(os.path.realpath(folder)), Path(os.path.realpath(output))
    if os.path.lexists(place) or not place.is_relative_to(top):
        return None
    parts = place.relative_to(top).parts
    hidden = any(part.startswith(".") for part in parts)
    return None if hidden or (len(parts) > 1 and not recursive) else str(place)
