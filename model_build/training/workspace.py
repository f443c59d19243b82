"""What an interrupted build leaves beside its target, so that the same command goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.system.lock import lock

from ..data.inspection import Seen
from ..errors import BuildError, GateError


class Workspace:
    """A hidden folder with the prepared tensors and the state of the training.

    Each stands beside a hash of what it was made from; another hash removes it.
    """

    def __init__(self, target: Path) -> None:
        """Beside the bundle `target`. Raises BuildError when another build has it."""
        self.folder = target.with_name(f".{target.name}.training")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.folder / "lock", "wb")  # noqa: SIM115
        if not lock(self._lock.fileno()):
            self._lock.close()
            raise BuildError(f"{target} is being built by another process")

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Only what interrupted a build can be taken up again; a failed one begins anew."""
        if kind is None or issubclass(kind, BuildError | GateError):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def keeps(self, what: str, key: str) -> bool:
        """Whether `what` (`data` or `training`) was kept for `key`; if not, begin it anew."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        mark = self.folder / f"{what}.key"
        if mark.is_file() and mark.read_text("ascii", errors="replace") == digest:
            return True
        for name in {"data": ("tensors", "seen.json", "state.npz"), "training": ("state.npz",)}[
            what
        ]:
            (self.folder / name).unlink(missing_ok=True)
        mark.write_text(digest, encoding="ascii")
        return False

    def keeps_training(self, settings: str) -> bool:
        """Whether a training with those settings can go on; if not, it begins anew."""
        return self.keeps("training", settings) and (self.folder / "state.npz").is_file()

    def keep_seen(self, seen: Sequence[Seen]) -> None:
        """Keep what the scan saw; the tensors are then complete."""
        rows = [[one.digest.hex(), one.extent, one.flat, one.error] for one in seen]
        self._replace("seen.json", json.dumps(rows).encode())

    def seen(self) -> list[Seen] | None:
        """What was kept, or None when the scan did not end."""
        try:
            rows = json.loads((self.folder / "seen.json").read_bytes())
        except FileNotFoundError:
            return None
        return [Seen(bytes.fromhex(digest), *rest) for digest, *rest in rows]

    def keep_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep the state of the training, in the place of the one before."""
        path = self.folder / "state.npz.new"
        with open(path, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(path, self.folder / "state.npz")

    def state(self) -> Mapping[str, NDArray[Any]] | None:
        """What was kept, or None."""
        try:
            with np.load(self.folder / "state.npz", allow_pickle=False) as kept:
                return dict(kept)
        except FileNotFoundError:
            return None

    def _replace(self, name: str, data: bytes) -> None:
        path = self.folder / f"{name}.new"
        path.write_bytes(data)
        os.replace(path, self.folder / name)
