"""`model-build sign`: a signature over a bundle's manifest."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import errors_as_exits


@click.command(
    epilog="""\b
Example:
  model-build sign exported/photos --key private.pem

\b
Exit status: 0 signed, 2 usage, 3 the bundle or the key is bad.
"""
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    metavar="PRIVATE.pem",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="An Ed25519 private key.",
)
def sign(bundle: Path, key: Path) -> None:
    """Sign a bundle: write manifest.sig beside manifest.json.

    The signature is of manifest.json, which holds the hash of every other file.
    On the device, edge-runtime check BUNDLE --key PUBLIC.pem tells whether the
    bundle is the one that was signed.
    """
    with errors_as_exits():
        from edge_runtime.bundle.signature import sign

        click.echo(f"{sign(bundle, key)} is written")
