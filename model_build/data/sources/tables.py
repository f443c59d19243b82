"""Tables: a CSV of `path,label`, and UCR's of a label and then values."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inputs.formats import ENDINGS, PLURALS

from ...errors import BuildError
from .arrays import array_source, class_names
from .base import Files, Part, Source

_PATH_NAMES = ("path", "file", "filename", "image")
_LABEL_NAMES = ("label", "class")
_TABLES = (".tsv", ".csv", ".txt")
_PART = re.compile(r"(.*)_(train|test)\Z", re.IGNORECASE)


def values_source(path: Path) -> Source | None:
    """A table whose rows are a label and the values of a series, apart by tabs, commas or
    spaces; `NAME_TRAIN` and `NAME_TEST` belong together. None for anything else.
    """
    if path.is_dir():
        files = [f for f in sorted(path.iterdir()) if _PART.match(f.stem) and _is_values(f)]
    elif _is_values(path):
        files = [path]
        if found := _PART.match(path.stem):
            files = sorted(
                f
                for f in path.parent.iterdir()
                if (other := _PART.match(f.stem)) and other[1] == found[1] and _is_values(f)
            )
    else:
        return None
    parts: dict[Part, Path] = {}
    for file in files:
        named = _PART.match(file.stem)
        part: Part = "" if named is None else "test" if named[2].lower() == "test" else "train"
        parts.setdefault(part, file)  # the same table may stand there as .tsv and as .txt
    if not parts:
        return None
    arrays: list[tuple[str, NDArray[Any]]] = []
    labels: list[str] = []
    owned: list[Part] = []
    for part, file in parts.items():
        names, values = _read_values(file)
        if arrays and values.shape[1] != arrays[0][1].shape[1]:
            raise BuildError(
                f"{file}: series of {values.shape[1]} values, those of {arrays[0][0]} have"
                f" {arrays[0][1].shape[1]}"
            )
        arrays.append((file.name, values))
        labels += names
        owned += [part] * len(names)
    return array_source("series in a table of label and values", arrays, labels, owned, "series")


def _is_values(path: Path) -> bool:
    """Whether the first line of a table is a label and two numbers or more."""
    if path.suffix.lower() not in _TABLES or not path.is_file():
        return False
    try:
        with open(path, encoding="utf-8-sig") as file:
            _, *cells = _cells(file.readline())
        return len(cells) >= 2 and all(np.isreal(float(cell)) for cell in cells)
    except (UnicodeDecodeError, ValueError):
        return False


def _cells(line: str) -> list[str]:
    return [cell for cell in re.split(r"[,\t ]+", line.strip()) if cell]


def _read_values(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    labels: list[str] = []
    rows: list[NDArray[np.float32]] = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            label, *cells = _cells(line)
            try:
                rows.append(np.array(cells, np.float32))
            except ValueError as error:
                raise BuildError(f"{path}: line {number}: {error}") from None
            if len(rows[-1]) != len(rows[0]):
                raise BuildError(
                    f"{path}: line {number} has {len(rows[-1])} values, the first {len(rows[0])};"
                    " bring the series to one length"
                )
            labels.append(label)
    with suppress(ValueError):  # labels may be words
        labels = class_names(np.array(labels, np.float64), path.name)
    return labels, np.stack(rows)


def paths_source(path: Path) -> Source | None:
    """A .csv with the columns `path` and `label`; None for anything else.

    Paths are relative to the table's folder. A first row that names the columns is optional;
    columns that it names besides those two may tell groups.
    """
    if not path.is_file() or path.suffix.lower() != ".csv":
        return None
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), 1) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BuildError(f"{path}: is no CSV in UTF-8 ({error})") from None
    where, what = 0, 1
    others: dict[str, int] = {}
    names = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if any(name in names for name in _PATH_NAMES) and any(name in names for name in _LABEL_NAMES):
        where = next(names.index(name) for name in _PATH_NAMES if name in names)
        what = next(names.index(name) for name in _LABEL_NAMES if name in names)
        others = {cell.strip(): column for column, cell in enumerate(rows[0][1])}
        others = {name: column for name, column in others.items() if column not in (where, what)}
        rows = rows[1:]
    paths, labels = [], []
    for number, row in rows:
        if len(row) <= max(where, what) or not row[where] or not row[what].strip():
            raise BuildError(f"{path}: line {number}: {','.join(row)!r} is no path,label")
        paths.append(row[where])
        labels.append(row[what].strip())
    ending = Path(paths[0]).suffix.lower() if paths else ""
    reads = next((kind for kind, endings in ENDINGS.items() if ending in endings), "image")
    owned: list[Part] = [""] * len(paths)
    about = f"{PLURALS[reads]} in a table of path,label"
    columns = {
        name: [row[column].strip() if column < len(row) else "" for _, row in rows]
        for name, column in others.items()
    }
    examples = Files(path.parent, paths, reads)
    return Source(about, examples, labels, owned, reads=reads, columns=columns)
