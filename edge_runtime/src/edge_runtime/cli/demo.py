"""`edge-runtime demo`: a page that reads images in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import errors_as_exits, interruptible, printable
from .options import bundle_argument


@click.command(
    epilog="""\b
Examples:
  edge-runtime demo exported/photos
  edge-runtime demo exported/photos --export page/

\b
Exit status: 0 the page is exported, 2 usage, or onnxruntime-web is missing,
3 the bundle is bad, 130 ended by Ctrl-C.
"""
)
@bundle_argument
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Where to listen; 0 takes any free port.",
)
@click.option(
    "--export",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the page's files there instead, to be served by any web server.",
)
def demo(bundle: Path | None, port: int, folder: Path | None) -> None:
    """Serve a page that reads drawn and dropped images.

    The page is served to this machine only, on 127.0.0.1, until Ctrl-C. Its
    address is printed. The browser does all the work, by onnxruntime-web.
    """
    with errors_as_exits():
        from ..web.server import PageServer, export, page_files

        files = page_files(bundle)
        if folder is not None:
            export(files, folder)
            click.echo(
                printable(f"{folder}: {len(files)} files, to be served as they are"), err=True
            )
            return
        with PageServer(files, port) as server:
            click.echo(server.address)
            click.echo("serving on this machine only; Ctrl-C ends it", err=True)
            with interruptible():
                server.serve_forever()
