"""`model-build build`: from data to a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from edge_runtime.inputs.formats import PLURALS

from .. import pipeline
from .exits import errors_as_exits
from .options import data_option, seed_option
from .progress import Progress


@click.command(
    epilog="""\b
Examples:
  model-build build
  model-build build --data photos/ --seed 5

\b
Exit status: 0 the bundle is written, 2 usage, or data that cannot be used,
4 an export differs or the model is no better than guessing, 130 interrupted.
"""
)
@data_option
@click.option("--name", metavar="NAME", help="The bundle's name. Default: that of the data.")
@click.option(
    "--bundle-version",
    metavar="V",
    help="The bundle's version, by which a device refuses an older one. Default: that of"
    " model-build.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("exported"),
    show_default=True,
    help="Where bundles stand.",
)
@click.option(
    "--architecture",
    metavar="NAME",
    help="auto, compact, lenet, grid, efficientnet-lite0, -lite1, -lite2, or a network of"
    " keras.applications, as mobilenet_v2. Default: compact for the digits, else auto: for photos"
    " the better of efficientnet-lite0 and grid, else grid.",
)
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Those of a network of keras.applications, without its top. Default: fetched by Keras.",
)
@click.option("--epochs", metavar="N", type=int, help="As many, without stopping early.")
@click.option("--batch-size", metavar="B", type=click.IntRange(1), help="Images a step.")
@click.option(
    "--learning-rate", metavar="R", type=click.FloatRange(0, min_open=True), help="The highest."
)
@click.option(
    "--size",
    metavar="N",
    type=click.IntRange(8, 1024),
    help="The input's longer side in pixels. Default: that of most images, at most 96; for a"
    " pretrained network about what it was trained on.",
)
@click.option(
    "--channels", metavar="1|3", type=click.Choice(["1", "3"]), help="Grey or colour for all."
)
@click.option(
    "--augment",
    metavar="NAME",
    help="For images warp (turned, zoomed, moved), photo (and in other light), mirror"
    " (and left to right); sound; series; none. Default: photo for colour, else warp.",
)
@click.option(
    "--group-by",
    metavar="BY",
    help="What the split does not divide: folder, prefix (walk1_01.jpg, walk1_02.jpg), or a"
    " column of the .csv.",
)
@seed_option
@click.option("--c-array", is_flag=True, help="The int8 TFLite also as a C header.")
@click.option("--ort", is_flag=True, help="ORT files too, for a reduced onnxruntime build.")
@click.option(
    "--tensorboard",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the training's curves there, for TensorBoard.",
)
@click.option("--strict", is_flag=True, help="No bundle without the int8 files.")
@click.option(
    "--force",
    is_flag=True,
    help="Replace an existing bundle; write a model no better than guessing.",
)
def build(channels: str | None, bundle_version: str | None, **options: Any) -> None:
    """Train, export, verify, and write OUTPUT/NAME.

    When an export does not give the trained model's answers, or the model is no
    better than guessing (without --force), nothing is written; an existing bundle
    stays as it is. An int8 file that fails is left out, unless --strict is given.
    """
    progress = Progress()
    with (
        errors_as_exits(
            gate_failed="; no bundle was written, an existing one stays",
            interrupted="interrupted; no bundle was written, the same command goes on from here",
        ),
        progress,
    ):
        built = pipeline.build(
            **options,
            channels=int(channels) if channels else None,
            version=bundle_version,
            say=progress.say,
            scanned=progress.scanned,
            progress=progress.epoch,
            computed=progress.computed,
        )
        click.echo(
            f"the {built.parity.images} test {PLURALS[built.reads]} through every artifact:\n"
        )
        click.echo(built.parity.table())
        command = f"edge-runtime predict --model {shlex.quote(str(built.bundle))} FOLDER"
        click.echo(f"\n{built.bundle} is written; {command}")
