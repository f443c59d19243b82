"""What `--data PATH` is: recognised, and listed as examples with their class names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inputs.files import MAX_PIXELS
from edge_runtime.preprocessing.base import Reader
from edge_runtime.preprocessing.readers import decoder

Part = Literal["", "train", "validation", "test"]
"""Where the data's owner put an example; "" leaves it to the split."""
NAMED = 5
"""How many items a line on the terminal names; the bundle's data report names all."""


@dataclass(frozen=True)
class Finding:
    """Something about the data that its owner should know, and the items that it is about."""

    about: str
    """A sentence in plain words, with the count."""
    items: tuple[str, ...] = ()

    def line(self, named: int = NAMED) -> str:
        """The finding in one line that names the first items."""
        if not self.items:
            return self.about
        more = ", ..." if len(self.items) > named else ""
        return f"{self.about}: {', '.join(self.items[:named])}{more}"


class Examples(Protocol):
    """Examples in a fixed order, opened one at a time."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, position: int, /) -> Any:
        """One example, decoded: pixels, a Sound or values. Raises edge_runtime.InputError."""

    def decoded(self, position: int, reader: Reader) -> Any:
        """The same as this reader decodes it."""

    def source(self, position: int) -> str | NDArray[Any]:
        """What to hand to a Classifier: a path or an array."""

    def name(self, position: int) -> str:
        """What to call it in a message."""

    def equal(self, first: int, second: int) -> bool:
        """Whether two examples are the same to the byte."""

    def fingerprint(self) -> str:
        """Text that changes when the examples do."""


@dataclass(frozen=True)
class Files:
    """Files of images, sounds or series."""

    root: Path
    paths: Sequence[str]
    """Relative to `root`."""
    reads: str
    """`image`, `sound` or `series`."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int, /) -> Any:
        """Pixels, a Sound, or values. Raises edge_runtime.InputError."""
        return decoder(self.reads)(self.source(position), MAX_PIXELS)

    def decoded(self, position: int, reader: Reader) -> Any:
        """The same as this reader decodes it."""
        return reader.decode(self.source(position), MAX_PIXELS)

    def source(self, position: int) -> str:
        """Its path."""
        return str(self.root / self.paths[position])

    def name(self, position: int) -> str:
        """Its path below the data's folder."""
        return self.paths[position]

    def equal(self, first: int, second: int) -> bool:
        """Whether their files have the same bytes."""
        return cmp(self.source(first), self.source(second), shallow=False)

    def fingerprint(self) -> str:
        """Every path with its size and time of change."""
        lines = []
        for path in self.paths:
            try:
                found = (self.root / path).stat()
                lines.append(f"{path}\0{found.st_size}\0{found.st_mtime_ns}")
            except OSError:
                lines.append(path)
        return "\n".join(lines)


@dataclass(frozen=True)
class Arrays:
    """Images or series that stand in arrays, one array for each part."""

    parts: Sequence[tuple[str, NDArray[Any]]]
    """(what to call it, (N, H, W[, 3]) uint8 images or (N, T[, C]) series)."""

    def __len__(self) -> int:
        return sum(len(array) for _, array in self.parts)

    def __getitem__(self, position: int, /) -> NDArray[Any]:
        """(H, W[, 3]) uint8 or (T[, C])."""
        _, array, place = self._find(position)
        example: NDArray[Any] = array[place]
        return example

    def decoded(self, position: int, reader: Reader) -> NDArray[Any]:
        """The same."""
        return self[position]

    def source(self, position: int) -> NDArray[Any]:
        """The same."""
        return self[position]

    def name(self, position: int) -> str:
        """Its array and its place in it, counted from 0."""
        name, _, place = self._find(position)
        return f"{name}[{place}]"

    def equal(self, first: int, second: int) -> bool:
        """Whether they have the same values."""
        return self[first].tobytes() == self[second].tobytes()

    def fingerprint(self) -> str:
        """The digest of all values."""
        import hashlib

        digest = hashlib.sha256()
        for name, array in self.parts:
            digest.update(f"{name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _find(self, position: int) -> tuple[str, NDArray[Any], int]:
        for name, array in self.parts:
            if position < len(array):
                return name, array, position
            position -= len(array)
        raise IndexError(position)


@dataclass(frozen=True)
class Source:
    """Examples, their class names, and what was noticed while listing them."""

    about: str
    """What it was recognised as."""
    examples: Examples
    labels: Sequence[str]
    """The class name of each example."""
    parts: Sequence[Part]
    """The part that its owner put each example in."""
    findings: tuple[Finding, ...] = ()
    reads: str = "image"
    """`image`, `sound` or `series`."""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of a table with a first row of names, what else it says of each example, by column."""
