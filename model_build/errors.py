"""What this package raises for a person: a user's mistake, or a gate that stayed shut."""

from __future__ import annotations

from collections.abc import Sequence


class BuildError(Exception):
    """Something the user can mend: the data, an option, an existing bundle."""


class GateError(Exception):
    """A gate stayed shut and nothing was written."""

    def __init__(
        self, failures: Sequence[str], table: str, gate: str = "verification failed"
    ) -> None:
        """failures: a line for each artifact that failed, or for the model; table: what every
        artifact did; gate: which gate it was, in a few words."""
        super().__init__("; ".join(failures))
        self.failures, self.table, self.gate = tuple(failures), table, gate
