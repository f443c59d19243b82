"""Images and series in arrays: MNIST-style IDX files, and NumPy's .npz and .npy."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BuildError
from .base import Arrays, Part, Source

_IDX = re.compile(r"(.*?)[-_.]?(images|labels)[-_.]idx([13])-ubyte(\.gz)?\Z", re.IGNORECASE)
_IDX_PARTS: dict[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("t10k", "test"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
}
_VALUES = ("x", "images", "data")
_LABELS = ("y", "labels", "label", "target", "targets")
_MAX_IDX_BYTES = 8 << 30
MIN_SIDE = 8


def idx_source(path: Path) -> Source | None:
    """A folder of IDX files, or one of them with the others beside it; None for anything else."""
    folder = path if path.is_dir() else path.parent
    if path.is_file() and not _IDX.match(path.name):
        return None
    pairs: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        found = _IDX.match(file.name)
        if found and file.is_file():
            pairs.setdefault(found[1].lower(), {}).setdefault(found[2].lower(), file)
    if not pairs:
        return None
    sets: list[tuple[str, Part, NDArray[Any], NDArray[Any]]] = []
    for stem, files in pairs.items():
        if len(files) < 2:
            lone = next(iter(files.values()))
            other = "labels" if "images" in files else "images"
            raise BuildError(f"{lone}: there are no {other} beside it")
        part = _IDX_PARTS.get(stem, "" if len(pairs) == 1 else None)
        if part is None:
            raise BuildError(
                f"{files['images']}: {stem!r} is no part; expected train, val, test or t10k"
            )
        images, labels = _read_idx(files["images"], 3), _read_idx(files["labels"], 1)
        sets.append((files["images"].name, part, images, labels))
    return _source("IDX files", sets)


def _read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes with `axes` axes. Raises BuildError."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or head[3] != axes:
                raise BuildError(
                    f"{path}: begins with {head.hex()}, expected 000008{axes:02x}, the start of"
                    f" an IDX file of bytes with {axes} axes"
                )
            shape = tuple(np.frombuffer(file.read(4 * axes), ">u4").astype(int).tolist())
            if len(shape) < axes:
                raise BuildError(f"{path}: ends within its head")
            expected = int(np.prod([float(side) for side in shape]))
            if expected > _MAX_IDX_BYTES:
                raise BuildError(f"{path}: says that it holds {expected} values, too many")
            values = file.read(expected + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BuildError(f"{path}: is damaged ({error}); copy it again") from None
    if len(values) != expected:
        more = "more" if len(values) > expected else f"{len(values)}"
        raise BuildError(f"{path}: holds {more} values, its head says {expected}; copy it again")
    return np.frombuffer(values, np.uint8).reshape(shape)


def numpy_source(path: Path) -> Source | None:
    """An .npz, an .npy with its labels beside it, or a folder of .npy; None for anything else.

    The names tell what an array is: `x`, `images` or `data` and `y`, `labels` or `target`, with
    `train`, `val` or `test` before or behind, in any case.
    """
    suffix = path.suffix.lower()
    if path.is_file() and suffix == ".npz":
        arrays = _read_npz(path)
    elif (path.is_file() and suffix == ".npy") or (path.is_dir() and _only_arrays(path)):
        folder = path if path.is_dir() else path.parent
        arrays = {
            file.stem: _read_npy(file)
            for file in sorted(folder.iterdir())
            if file.suffix.lower() == ".npy" and _role(file.stem)
        }
    else:
        return None
    sets: dict[Part, dict[str, tuple[str, NDArray[Any]]]] = {}
    for name, array in arrays.items():
        role = _role(name)
        if role:
            sets.setdefault(role[1], {})[role[0]] = name, array
    whole = []
    for part, found in sets.items():
        if len(found) < 2:
            (name, _), other = next(iter(found.values())), {"x": "y", "y": "x"}[next(iter(found))]
            raise BuildError(f"{path}: {name!r} has no {other} of the same part beside it")
        whole.append((found["x"][0], part, found["x"][1], found["y"][1]))
    if not whole:
        raise BuildError(
            f"{path}: holds {', '.join(list(arrays)[:8]) or 'nothing'}; expected arrays named x"
            " and y, or x_train, y_train, x_test and y_test"
        )
    return _source("NumPy arrays", whole)


def _only_arrays(folder: Path) -> bool:
    return any(file.suffix.lower() == ".npy" and _role(file.stem) for file in folder.iterdir())


def _role(name: str) -> tuple[str, Part] | None:
    """("x" or "y", its part) of an array's name, or None when it says neither."""
    words = [word for word in re.split(r"[-_. ]+", name.lower()) if word]
    kind: str | None = None
    part: Part = ""
    for word in words:
        if word in _VALUES:
            kind = "x"
        elif word in _LABELS:
            kind = "y"
        elif word in _IDX_PARTS:
            part = _IDX_PARTS[word]
    return (kind, part) if kind else None


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise BuildError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise BuildError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    return array


def _source(about: str, sets: list[tuple[str, Part, NDArray[Any], NDArray[Any]]]) -> Source:
    """One source of (name, part, values, labels) sets. Raises BuildError when they do not fit."""
    parts: list[tuple[str, NDArray[Any]]] = []
    labels: list[str] = []
    owned: list[Part] = []
    series = is_series(sets[0][2])
    for name, part, values, given in sets:
        names = class_names(given, name)
        if len(values) != len(names):
            raise BuildError(f"{name}: {len(values)} examples, but {len(names)} labels")
        parts.append((name, values if series else _bytes(values, name)))
        labels += names
        owned += [part] * len(names)
    return array_source(
        f"{'series' if series else 'images'} in {about}",
        parts,
        labels,
        owned,
        "series" if series else "image",
    )


def array_source(
    about: str,
    parts: list[tuple[str, NDArray[Any]]],
    labels: list[str],
    owned: list[Part],
    reads: str,
) -> Source:
    """Arrays of examples; one part alone is the whole, of which the split makes the others."""
    if len(set(owned)) == 1:
        owned = [""] * len(owned)
    return Source(about, Arrays(parts), labels, owned, reads=reads)


def is_series(values: NDArray[Any]) -> bool:
    """Whether an array holds (N, T) or (N, T, C) series rather than images.

    Three axes may be either: images are of bytes, or of values that can be grey levels on two
    sides that are both 8 or more and of which none is more than four times the other.
    """
    if values.ndim == 2:
        return True
    if values.ndim != 3 or values.dtype == np.uint8 or not values.size:
        return False
    short, long = sorted(values.shape[1:])
    grey = float(values.min()) >= 0 and float(values.max()) <= 255
    return not (grey and short >= MIN_SIDE and long <= 4 * short)


def _bytes(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """(N, H, W) or (N, H, W, C) values of 0..255 or 0..1 as uint8, grey without its axis."""
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] != 3) or not values.size:
        raise BuildError(
            f"{name}: has shape {values.shape}, expected images as (N, H, W) or"
            " (N, H, W, 3), or series as (N, T) or (N, T, channels)"
        )
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        raise BuildError(f"{name}: holds {values.dtype}, expected numbers")
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):
        raise BuildError(f"{name}: values from {low:g} to {high:g}, expected 0 to 1 or 0 to 255")
    scale = 255.0 if high <= 1 else 1.0
    made = np.empty(values.shape, np.uint8)
    for place in range(0, len(values), 1024):  # in pieces, since the product takes 8 times as much
        made[place : place + 1024] = np.rint(values[place : place + 1024] * scale)
    return made


def class_names(labels: NDArray[Any], name: str) -> list[str]:
    """Labels as text: of whole numbers, of text, or one-hot rows."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2:
        labels = labels.argmax(axis=1)
    if labels.ndim != 1:
        raise BuildError(f"{name}: its labels have shape {labels.shape}, expected (N,)")
    if labels.dtype.kind == "f":
        if not (labels == np.rint(labels)).all():
            raise BuildError(f"{name}: its labels are no whole numbers")
        labels = labels.astype(np.int64)
    return [text.decode() if isinstance(text, bytes) else str(text) for text in labels.tolist()]
