"""`edge-runtime bench`: a bundle's speed on this device."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import errors_as_exits
from .options import bundle_argument, check_new, check_providers


def _checked_alone(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    return [name for value in values for name in check_providers(context, option, (value,))]


@click.command(
    epilog="""\b
Example:
  edge-runtime bench exported/photos --images photos/ --json speed.json

\b
Exit status: 0 measured, 1 no file could be read, 2 usage,
3 the bundle is bad, 130 interrupted.
"""
)
@bundle_argument
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Files like yours. Default: the bundle's golden ones.",
)
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the figures there too, with the machine's facts.",
)
@click.option(
    "--provider",
    "providers",
    metavar="NAME",
    multiple=True,
    callback=_checked_alone,
    help="Measure this execution provider of onnxruntime too (openvino, cuda, ...), beside the CPU."
    " Options: NAME:key=value,key=value.",
)
def bench(
    bundle: Path | None, images: Path | None, json_path: Path | None, providers: list[str]
) -> None:
    """Measure a bundle's speed on this device, in about ten seconds.

    First the way from a file to its label, one image at a time in one process,
    split into decoding, preprocessing and inference. Then the model alone, on
    images that are preprocessed already, by batch size. Each for every precision
    that the bundle has, and for every provider. Files are in memory before they
    are timed.
    """
    if json_path:
        check_new(json_path)
    if bundle is not None and bundle.is_file() and images is None:
        raise click.UsageError(
            f"{bundle}: a lone file has no images to measure with; give --images DIR, or the bundle"
        )
    with errors_as_exits(interrupted="interrupted; nothing was written"):
        from ..deployment.benchmark import bench as measure
        from ..inputs.image import ignore_decoder_warnings

        ignore_decoder_warnings()
        report = measure(bundle, images, providers=providers)
        click.echo(report.table())
        if json_path:
            json_path.write_text(report.to_json(), encoding="utf-8")
