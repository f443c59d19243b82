"""What this package raises for a person: a user's mistake, or a gate that stayed shut."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .verification.parity import ParityReport


class BuildError(Exception):
    """Something the user can mend: the data, an option, an existing bundle."""


class GateError(Exception):
    """Verification failed and nothing was written; `report` says what each artifact did."""

    def __init__(self, report: ParityReport) -> None:
        super().__init__("; ".join(report.failures))
        self.report = report
