"""The options that several commands share, and the reading of the model they name."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..inputs.files import FILE_SECONDS, MAX_PIXELS
from .exits import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..bundle.spec import ModelSpec


class RealRange(click.FloatRange):
    """A number within bounds; NaN, which no bound stops, and infinity are refused."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the text of an option, as click asks."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class MinScore(RealRange):
    """A probability from 0 to 1, or `recommended`."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the text of an option, as click asks."""
        if value == "recommended":
            return value
        try:
            float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number from 0 to 1 nor 'recommended'.", param, ctx)
        return super().convert(value, param, ctx)


def complete_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Tell a shell that completes an option or argument to complete names of files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


UNKNOWN_ENDING = (
    "{output}: its ending tells no format of rows; give .csv, .jsonl or .ndjson (each also .gz),"
    " .parquet, or --format"
)

bundle_argument = click.argument("bundle", required=False, type=click.Path(path_type=Path))
key_option = click.option(
    "--key",
    metavar="PUBLIC.pem",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Ed25519 key that must have signed the bundle.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on standard output instead of text."
)
model_option = click.option(
    "--model",
    metavar="BUNDLE|FILE.onnx",
    shell_complete=complete_files,
    help="The model to run.",
)
top_k_option = click.option(
    "--top-k",
    metavar="K",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Labels in a row.",
)
min_score_option = click.option(
    "--min-score",
    metavar="S",
    type=MinScore(),
    default=0.0,
    show_default=True,
    help="Below this probability the label is 'unknown'; 'recommended' takes the model's own.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="Which of the bundle's models.",
)
precision_or_auto_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "int8", "auto"]),
    default="fp32",
    show_default=True,
    help="Which of the bundle's models; auto measures which is quicker here.",
)


def check_providers(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> list[str]:
    """Check the values of `--provider`, as click calls it. Raises BadParameter."""
    if not values:
        return []
    from ..inference.providers import checked_providers

    try:
        return checked_providers(values)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


providers_option = click.option(
    "--provider",
    "providers",
    metavar="NAME",
    multiple=True,
    callback=check_providers,
    help="Run on this execution provider of onnxruntime (openvino, cuda, ...), the rest on the next"
    " one given, then on the CPU. Options: NAME:key=value,key=value.",
)
max_pixels_option = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(1, 178_000_000),
    default=MAX_PIXELS,
    show_default=True,
    help="Larger images are 'too_large'; so are sounds of more samples.",
)
timeout_option = click.option(
    "--timeout",
    metavar="SECONDS",
    type=RealRange(1),
    default=FILE_SECONDS,
    show_default=True,
    help="A file that takes longer gets the status 'timeout'.",
)


def check_new(file: Path, force: bool | None = None) -> None:
    """Raise click.UsageError for an output that exists, or that stands in no folder.

    force: of a command that has `--force`.
    """
    if os.path.lexists(file) and not force:
        instead = "remove it" if force is None else "--force replaces it"
        raise click.UsageError(f"{file}: exists already; {instead}, or name another file")
    if not file.parent.is_dir():
        raise click.UsageError(f"{file}: there is no folder {file.parent}")


def read_spec(arguments: dict[str, Any]) -> ModelSpec:
    """Read the model's labels and input, before anything is written.

    arguments: of the Classifier; `model` is a Path. Raises BundleError, also when the file's hash
    is not the manifest's.
    """
    if arguments["model"].is_dir():
        from ..bundle.manifest import read_model

        return read_model(arguments["model"], arguments["precision"])[0].spec
    if arguments["precision"] != "fp32" and arguments["model"].is_file():
        from ..inference.classifier import LONE_FILE

        message = LONE_FILE.format(path=arguments["model"], precision=arguments["precision"])
        raise click.BadParameter(message, param_hint="--precision")
    from ..bundle.manifest import read_lone_spec

    return read_lone_spec(arguments["model"])


def check_signature(bundle: Path, key: Path, quiet: bool) -> None:
    """Check that `key` has signed the bundle, and say so unless quiet. Raises BundleError."""
    from ..bundle.signature import verify

    verify(bundle, key)
    if not quiet:
        click.echo(printable(f"signed with the key of {key}"))


def echo_json(data: Mapping[str, Any]) -> None:
    """Print a JSON object, in ASCII, which every terminal and pipe can take."""
    import json

    click.echo(json.dumps(data, indent=2))
