"""A CSV of `path,label`."""

from __future__ import annotations

import csv
from pathlib import Path

from .errors import BuildError
from .sources import Files, Part, Source

_PATH_NAMES = ("path", "file", "filename", "image")
_LABEL_NAMES = ("label", "class")


def table_source(path: Path) -> Source | None:
    """A .csv with the columns `path` and `label`; None for anything else.

    Paths are relative to the table's folder. A first row that names the columns is optional.
    """
    if not path.is_file() or path.suffix.lower() != ".csv":
        return None
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), 1) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BuildError(f"{path}: is no CSV in UTF-8 ({error})") from None
    where, what = 0, 1
    names = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if any(name in names for name in _PATH_NAMES) and any(name in names for name in _LABEL_NAMES):
        where = next(names.index(name) for name in _PATH_NAMES if name in names)
        what = next(names.index(name) for name in _LABEL_NAMES if name in names)
        rows = rows[1:]
    paths, labels = [], []
    for number, row in rows:
        if len(row) <= max(where, what) or not row[where] or not row[what].strip():
            raise BuildError(f"{path}: line {number}: {','.join(row)!r} is no path,label")
        paths.append(row[where])
        labels.append(row[what].strip())
    owned: list[Part] = [""] * len(paths)
    return Source("a table of path,label", Files(path.parent, paths), labels, owned)
