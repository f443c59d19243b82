"""`model-build verify`: the test part through every artifact of a bundle again."""

from __future__ import annotations

from pathlib import Path

import click

from edge_runtime.cli.options import json_option

from .. import pipeline
from ..errors import GateError
from .exits import errors_as_exits
from .options import data_option
from .progress import Progress


@click.command(
    epilog="""\b
Example:
  model-build verify exported/photos --data photos/

\b
Exit status: 0 all artifacts agree, 2 usage, or data of other classes than the
bundle's, 3 the bundle is bad, 4 an artifact differs, 130 interrupted.
"""
)
@click.argument("bundle", type=click.Path(path_type=Path))
@data_option
@json_option
def verify(bundle: Path, data: str, as_json: bool) -> None:
    """Run the test images through every artifact of a bundle again."""
    progress = Progress()
    with errors_as_exits(), progress:
        parity = pipeline.verify(bundle, data, say=progress.say, scanned=progress.scanned)
        if as_json:
            click.echo(parity.dumps(), nl=False)
        if parity.failures:
            raise GateError(parity.failures, parity.table())
        if not as_json:
            click.echo(parity.table())
