"""`edge-runtime update`: a new bundle in the place of an old one."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import errors_as_exits, printable
from .options import check_signature, echo_json, json_option, key_option


@click.command(
    epilog="""\b
Example:
  edge-runtime update new/photos /srv/models/photos --key public.pem

\b
Exit status: 0 TARGET is the new bundle, 1 TARGET cannot be written, 2 usage,
3 NEW_BUNDLE or TARGET is bad; TARGET stays as it is unless the status is 0.
"""
)
@click.argument("new_bundle", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@key_option
@click.option(
    "--allow-older", is_flag=True, help="Take a bundle of a lower version, as TARGET.old is."
)
@json_option
def update(
    new_bundle: Path, target: Path, key: Path | None, allow_older: bool, as_json: bool
) -> None:
    """Switch the bundle TARGET to a copy of NEW_BUNDLE.

    The hashes and the golden vectors of NEW_BUNDLE are checked first, and that
    its version is not lower than that of TARGET. The old bundle is kept as
    TARGET.old. At every moment TARGET is the one or the other.
    """
    with errors_as_exits():
        from ..bundle.manifest import Manifest
        from ..deployment.update import update as switch

        if key is not None:
            check_signature(new_bundle, key, quiet=as_json)
        old = switch(new_bundle, target, allow_older=allow_older)
        if as_json:
            echo_json(
                {
                    "target": str(target),
                    "bundle": str(new_bundle),
                    "version": Manifest.load(target).spec.version,
                    "signed_by": str(key) if key else None,
                    "old": str(old) if old else None,
                }
            )
            return
        kept = f"; the old bundle is kept as {old}" if old else ""
        click.echo(printable(f"{target} is {new_bundle} now{kept}"))
