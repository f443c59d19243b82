"""`edge-runtime explain`: where in an image its answer comes from, as a picture."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .exits import errors_as_exits, printable
from .options import check_new, complete_files, model_option


@click.command(
    epilog="""\b
Examples:
  edge-runtime explain photo.jpg --model exported/photos -o heat.png
  edge-runtime explain photo.jpg --model exported/photos --label mug -o m.png

\b
Exit status: 0 written, 1 the image cannot be read, 2 usage,
3 the bundle or model is bad or cannot be explained, 130 interrupted.
"""
)
@click.argument("image", metavar="IMAGE", shell_complete=complete_files)
@model_option
@click.option(
    "-o",
    "--output",
    metavar="FILE.png",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the picture goes.",
)
@click.option("--label", metavar="NAME", help="Explain this label. Default: the answer.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def explain(image: str, model: str | None, output: Path, label: str | None, force: bool) -> None:
    """Show where in an image its answer comes from.

    Prints label and score, and lays a class activation map over the image: the
    lighter the colour, the more that place speaks for the label. What is not
    coloured does not, or speaks against it.
    """
    if output.suffix.lower() != ".png":
        raise click.UsageError(f"{output}: the picture is a PNG; give a name that ends in .png")
    with errors_as_exits(interrupted="interrupted; nothing was written"):
        from ..bundle.manifest import BUILT_IN
        from ..output.protect import refuse_model, refuse_named
        from ..system.standard_error import mute_libraries

        mute_libraries()
        path = BUILT_IN if model is None else Path(model)
        refuse_model(str(output), path)
        refuse_named(str(output), [image])
        check_new(output, force=force)
        from ..inference.batch import own_classifier
        from ..inference.classifier import Classifier

        classifier = own_classifier(Classifier, path)
        if label is not None and label not in classifier.labels:
            labels = ", ".join(classifier.labels[:10]) + ", ..." * (len(classifier.labels) > 10)
            raise click.UsageError(f"--label {label}: the model's labels are {labels}")
        found = classifier.explain(image, label)
        _write(output, found.png(), force)
        click.echo(printable(f"{image}: {found.label} {found.score:.4f}"))


def _write(path: Path, data: bytes, replace: bool) -> None:
    """Write a file that is new or, with `replace`, takes the place of another once it is whole."""
    if not replace:
        with open(path, "xb") as stream:
            stream.write(data)
        return
    path = path.resolve()
    staged = path.with_name(f".{path.name}.new")
    try:
        staged.write_bytes(data)
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
