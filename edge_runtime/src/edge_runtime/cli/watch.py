"""`edge-runtime watch`: the files of a folder are classified as they arrive."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .exits import errors_as_exits
from .options import (
    RealRange,
    complete_files,
    max_pixels_option,
    min_score_option,
    model_option,
    precision_option,
    providers_option,
    read_spec,
    timeout_option,
    top_k_option,
)

if TYPE_CHECKING:
    from ..inference.classifier import MinScore
    from ..inference.precision import Precision
    from ..output.row_format import FormatName


@click.command(
    epilog="""\b
Example:
  edge-runtime watch inbox/ -o readings.csv --sort-into sorted/

\b
Exit status: 0 ended by SIGTERM, 130 by Ctrl-C, 1 DIR is gone or a row cannot
be written, 2 usage, 3 the bundle or model is bad.
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=complete_files,
    help="Append a row for each file: CSV or JSONL.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl"]),
    help="Default: by the ending of FILE.",
)
@click.option(
    "--sort-into",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Move each file into a folder of its label in DIR.",
)
@model_option
@top_k_option
@min_score_option
@precision_option
@providers_option
@max_pixels_option
@timeout_option
@click.option(
    "--poll",
    metavar="SECONDS",
    type=RealRange(0.1),
    help="Look at DIR so often: for network folders, whose changes the kernel does not tell.",
)
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
def watch(
    folder: str,
    output: str | None,
    format_: FormatName | None,
    sort_into: Path | None,
    model: str | None,
    top_k: int,
    min_score: MinScore,
    precision: Precision,
    providers: list[str],
    max_pixels: int,
    timeout: float,
    poll: float | None,
    quiet: bool,
) -> None:
    """Classify the files of DIR as they arrive, for as long as it runs.

    Give -o, --sort-into or both. A file is read once it is whole, and gets one row;
    after a restart, or a crash, it goes on where it was. Files that fail are moved
    into failed/STATUS. Hidden files, files with other endings and folders within
    DIR are left alone. A model that is changed is checked and then used.

    On a terminal each file has a line; elsewhere the log has the counts of each
    minute, with levels, which systemd's journal takes for priorities.
    """
    if output is None and sort_into is None:
        raise click.UsageError("give -o FILE, --sort-into DIR or both")
    if output == "-":
        raise click.UsageError("-o needs a file: its rows tell what was read before a restart")
    if output is not None:
        format_ = _format_of(output, format_)
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN
        from ..output.row_format import RowFormat
        from ..system.standard_error import mute_libraries
        from ..watch.loop import watch as watch_folder
        from .logs import log_to_stderr

        mute_libraries()
        log_to_stderr(quiet=quiet)
        arguments = {
            "model": BUILT_IN if model is None else Path(model),
            "precision": precision,
            "top_k": top_k,
            "min_score": min_score,
            "providers": providers,
        }
        spec = read_spec(arguments)
        summary = watch_folder(
            os.path.normpath(folder),
            arguments,
            output=output,
            sort_into=sort_into,
            row_format=RowFormat(format_ or "csv", min(top_k, len(spec.labels))),
            reads=spec.preprocessing.reads,
            poll=poll,
            max_pixels=max_pixels,
            timeout=timeout,
        )
        if summary.signal == signal.SIGINT:
            raise KeyboardInterrupt


def _format_of(output: str, given: FormatName | None) -> FormatName:
    from ..output.encoding import Encoding, encoding_of

    found = encoding_of(output) or (given and Encoding(given, False))
    if found is None or found.gzip or found.format == "parquet":
        raise click.UsageError(
            f"{output}: rows are appended to CSV or JSONL; give -o FILE.csv, FILE.jsonl or"
            " FILE.ndjson"
        )
    return given or found.format
