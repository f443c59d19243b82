"""`edge-runtime info`: what a bundle holds."""

from __future__ import annotations

from pathlib import Path

import click

from .exits import errors_as_exits
from .options import bundle_argument, echo_json, json_option, read_spec


@click.command(
    epilog="""\b
Example:
  edge-runtime info exported/photos

\b
Exit status: 0 shown, 2 usage, 3 the bundle is bad.
"""
)
@bundle_argument
@json_option
def info(bundle: Path | None, as_json: bool) -> None:
    """Say what a bundle holds and how its model was measured.

    BUNDLE may also be a lone .onnx file.
    """
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN, Manifest

        folder = bundle or BUILT_IN
        manifest = None if folder.is_file() else Manifest.load(folder)
        spec = manifest.spec if manifest else read_spec({"model": folder, "precision": "fp32"})
        if as_json:
            echo_json({"bundle": str(folder)} | (manifest or spec).to_json())
            return
        shape = "x".join(map(str, spec.input.shape))
        how = ", ".join(f"{key} {value}" for key, value in spec.preprocessing.to_json().items())
        labels = ", ".join(spec.labels[:20]) + (", ..." if len(spec.labels) > 20 else "")
        click.echo(f"{spec.name} {spec.version}   ({bundle or 'inside this package'})")
        click.echo(f"labels         {len(spec.labels)}: {labels}")
        click.echo(f"input          {spec.input.name}: {shape} {spec.input.dtype} (H x W x C)")
        click.echo(f"preprocessing  {how}")
        click.echo(f"output         {spec.output}")
        click.echo(f"min score      {spec.min_score:g} recommended")
        if manifest is None:
            click.echo("a lone file; what was measured stands in its bundle")
            return
        for key in ("data", "architecture", "parameters"):
            if key in manifest.training:
                click.echo(f"{key:<14} {manifest.training[key]}")
        click.echo()
        click.echo(f"{'file':<28}{'precision':<11}{'bytes':>9}{'accuracy':>10}{'agreement':>11}")
        for file in manifest.files:
            measured = file.measured
            if file.precision is None or not {"accuracy", "agreement"} <= measured.keys():
                continue
            click.echo(
                f"{file.path:<28}{file.precision:<11}{file.bytes:>9,}"
                f"{measured['accuracy']:>10.2%}{measured['agreement']:>11.2%}"
            )
        if manifest.find("onnx", "fp32") and manifest.find("onnx", "int8"):
            click.echo()
            click.echo("fp32 runs unless --precision is given; auto takes the quicker one here")
