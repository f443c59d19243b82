"""What an interrupted build leaves beside its target, so that the same command goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.system.lock import lock

from ..data.inspection import Seen
from ..errors import BuildError

Arrays = Mapping[str, NDArray[Any]]

_FILES = {
    "data": ("tensors", "backbone_tensors", "seen.json"),
    "features": ("features", "fine_tuning.npz"),
    "choice": ("choice.npz",),
    "training": ("label_noise.npz", "draws.npz", "state.npz"),
}


class Workspace:
    """A hidden folder with the prepared tensors and the state of the training.

    Each stands beside a hash of what it was made from; another hash removes it.
    """

    def __init__(self, folder: Path, about: str) -> None:
        """about: what is built, for a message. Raises BuildError when another build has it."""
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "wb")  # noqa: SIM115
        if not lock(self._lock.fileno()):
            self._lock.close()
            raise BuildError(f"{about} is being built by another process")

    @classmethod
    def beside(cls, target: Path) -> Workspace:
        """The workspace of the bundle `target`."""
        return cls(target.with_name(f".{target.name}.training"), str(target))

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[Workspace]:
        """A workspace that nothing goes on from; it is removed in any case."""
        with (
            tempfile.TemporaryDirectory(prefix="model-build-") as folder,
            cls(Path(folder) / "workspace", folder) as workspace,
        ):
            yield workspace

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Remove it, unless an interrupt or a failed gate left something to go on with."""
        if kind is None or issubclass(kind, BuildError):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def keeps(self, what: str, key: str) -> bool:
        """True if `what` (a name in `_FILES`) was kept for `key`; if not, it begins anew, and with
        `data` all the rest."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        mark = self.folder / f"{what}.key"
        if mark.is_file() and mark.read_text("ascii", errors="replace") == digest:
            return True
        for each in _FILES if what == "data" else [what]:
            for name in (*_FILES[each], f"{each}.key"):
                (self.folder / name).unlink(missing_ok=True)
        mark.write_text(digest, encoding="ascii")
        return False

    def keep_seen(self, seen: Sequence[Seen]) -> None:
        """Keep what the scan saw; the tensors are then complete."""
        rows = [
            [one.digest.hex(), one.extent, one.flat, one.error, one.phash.hex()] for one in seen
        ]
        path = self.folder / "seen.json.new"
        path.write_bytes(json.dumps(rows).encode())
        os.replace(path, self.folder / "seen.json")

    def seen(self) -> list[Seen] | None:
        """What the scan saw, or None when it did not end."""
        try:
            rows = json.loads((self.folder / "seen.json").read_bytes())
        except FileNotFoundError:
            return None
        return [
            Seen(bytes.fromhex(digest), extent, flat, error, bytes.fromhex(phash))
            for digest, extent, flat, error, phash in rows
        ]

    def keep_arrays(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name (a `.npz` of `_FILES`), in the place of earlier ones."""
        path = self.folder / f"{name}.npz.new"
        with open(path, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(path, self.folder / f"{name}.npz")

    def arrays(self, name: str) -> Arrays | None:
        """The arrays that were kept under a name, or None."""
        try:
            with np.load(self.folder / f"{name}.npz", allow_pickle=False) as kept:
                return dict(kept)
        except FileNotFoundError:
            return None
