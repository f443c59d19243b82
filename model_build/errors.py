"""What this package raises for a person: a user's mistake, or a gate that stayed shut."""

from __future__ import annotations

from collections.abc import Sequence


class BuildError(Exception):
    """Something the user can mend: the data, an option, an existing bundle."""


class GateError(Exception):
    """Verification failed and nothing was written."""

    def __init__(self, failures: Sequence[str], table: str) -> None:
        """failures: a line for each artifact that failed; table: what every artifact did."""
        super().__init__("; ".join(failures))
        self.failures, self.table = tuple(failures), table
