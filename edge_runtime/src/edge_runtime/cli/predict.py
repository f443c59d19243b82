"""`edge-runtime predict`: files and folders of them are classified, a row for each file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

import click

from ..inputs.files import is_uri
from .exits import (
    EXIT_GATE,
    EXIT_SOME_FAILED,
    errors_as_exits,
    interruptible,
    printable,
    stop,
)
from .options import (
    UNKNOWN_ENDING,
    RealRange,
    complete_files,
    max_pixels_option,
    min_score_option,
    model_option,
    precision_or_auto_option,
    providers_option,
    read_spec,
    timeout_option,
    top_k_option,
)

if TYPE_CHECKING:
    from io import BufferedReader

    from ..inference.classifier import MinScore
    from ..inference.precision import Precision
    from ..output.encoding import Encoding
    from ..output.row_format import FileFormat


@click.command(
    epilog="""\b
Examples:
  edge-runtime predict scans/ -o readings.csv
  edge-runtime predict scans/ -o readings.csv --resume
  edge-runtime predict photos/ --model exported/photos --top-k 3
  find scans/ -name "*.png" | edge-runtime predict - -o readings.jsonl

\b
Exit status: 0 all classified, 1 some files failed, 2 usage,
3 the bundle or model is bad, 4 more failed than --max-failure-rate allows,
130 interrupted.
"""
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=complete_files)
@model_option
@click.option(
    "-o",
    "--output",
    metavar="FILE|-",
    default="-",
    shell_complete=complete_files,
    help="Where the rows go: .csv, .jsonl or .ndjson, each also .gz, or .parquet.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Default: by the ending of FILE, on standard output csv, with Ray parquet.",
)
@click.option("--recursive/--no-recursive", default=True, help="Enter folders inside folders.")
@click.option("--all-files", is_flag=True, help="In folders, take files of every ending.")
@top_k_option
@min_score_option
@click.option(
    "--batch-size",
    metavar="B",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Images in one call of the model.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    help="Processes. Default: one for each processor allowed.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="onnxruntime's threads in a process.",
)
@precision_or_auto_option
@providers_option
@max_pixels_option
@timeout_option
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="With ray, PATH may be a URI (s3://...), FILE is a folder or URI of parts.",
)
@click.option("--address", metavar="HOST:PORT", help="The Ray cluster. Default: this machine.")
@click.option("--resume", is_flag=True, help="Go on after the rows that FILE already holds.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--max-failure-rate",
    metavar="R",
    type=RealRange(0, 1),
    help="Exit status 4 if more than this share of the files fails; an empty folder counts too.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def predict(
    paths: tuple[str, ...],
    model: str | None,
    output: str,
    format_: FileFormat | None,
    recursive: bool,
    all_files: bool,
    top_k: int,
    min_score: MinScore,
    batch_size: int,
    workers: int | None,
    threads: int,
    precision: Precision | Literal["auto"],
    providers: list[str],
    max_pixels: int,
    timeout: float,
    engine: str,
    address: str | None,
    resume: bool,
    force: bool,
    max_failure_rate: float | None,
    quiet: bool,
) -> None:
    """Classify files and folders of them, one row for each file.

    PATH is an image (for a model of sounds a WAV file, for one of series an NPY
    file), a folder, or - to read file names from standard input. Rows come in
    the order of the inputs; folders are walked in sorted order.
    """
    if resume and output == "-":
        raise click.UsageError("--resume needs -o FILE, the output to go on with")
    if resume and force:
        raise click.UsageError("give --resume to keep the rows of FILE, or --force to replace it")
    if resume and precision == "auto":
        raise click.UsageError(
            "--resume goes on in the precision of the rows that are there: give --precision fp32 or"
            " int8, as the run that began them said"
        )
    _check_engine(engine, force, address, output, paths)
    can_go_on = engine == "ray" or _can_be_resumed(output)
    goes_on = "; --resume goes on from here" if can_go_on else ""
    with errors_as_exits(interrupted=f"interrupted{goes_on}"):
        from ..bundle.manifest import BUILT_IN
        from ..inputs.formats import ENDINGS, PLURALS
        from ..inputs.walk import count_files, walk
        from ..output.encoding import encoding_of, row_stream
        from ..output.row_format import RowFormat
        from ..output.rows import RowMaker, rows_in_order, write_rows
        from ..system.cpus import available_cpus
        from ..system.standard_error import mute_libraries
        from .progress import Progress

        mute_libraries()
        model_path = BUILT_IN if model is None else Path(model)
        if engine == "local":
            named = [path for path in paths if path != "-"]
            if output != "-":
                from ..output.protect import refuse_model, refuse_named

                refuse_model(output, model_path)
                refuse_named(output, named)
            encoding = _encoding(output, format_)
            if resume and not encoding.can_be_resumed:
                raise click.UsageError(
                    f"{output}: --resume goes on with .csv and .jsonl only; --force writes it anew"
                )
        arguments = {
            "model": model_path,
            "precision": precision,
            "top_k": top_k,
            "min_score": min_score,
            "threads": threads,
            "providers": providers,
        }
        if precision == "auto":
            from ..inference.precision import choose_apart

            choice = choose_apart(model_path, threads, providers)
            arguments["precision"] = choice.precision
            if not quiet:
                click.echo(f"precision auto: {choice}", err=True)
        spec = read_spec(arguments)
        if min_score == "recommended":
            arguments["min_score"] = spec.min_score
        reads = spec.preprocessing.reads
        rows_are_shown = output == "-" and sys.stdout is not None and sys.stdout.isatty()
        progress = Progress(reads, spec.labels, quiet=quiet, live=not rows_are_shown)
        top_k = min(top_k, len(spec.labels))
        empty: list[str] = []
        if engine == "ray":
            from ..system.forked import end_ahead
            from .predict_on_ray import predict_on_ray

            end_ahead()
            job = {
                "arguments": arguments | {"top_k": top_k},
                "recursive": recursive,
                "all_files": all_files,
                "batch_size": batch_size,
                "max_pixels": max_pixels,
                "timeout": timeout,
                "resume": resume,
                "reads": reads,
            }
            by_name = encoding_of(output)
            format_ = format_ or (by_name.format if by_name else "parquet")
            predict_on_ray(paths, output, format_, job, workers, address, progress)
        else:
            row_format = RowFormat("csv" if encoding.format == "csv" else "jsonl", top_k)
            maker = RowMaker(arguments, row_format, max_pixels)
            rules: dict[str, Any] = {
                "recursive": recursive,
                "all_files": all_files,
                "endings": ENDINGS[reads],
            }
            if output != "-":
                from ..output.protect import refuse_walked

                refuse_walked(output, named, **rules)
            with _open_output(output, resume, force) as stream:
                names = _with_names_from_stdin(paths, output, stream)
                files = walk(names, **rules, passed_over=progress.pass_over, empty=empty.append)
                if "-" not in paths:
                    progress.expect(count_files(paths, **rules))
                if resume:
                    from ..output.resume import skip_earlier_rows

                    rows_before = skip_earlier_rows(
                        stream, output, maker, spec.labels, files, timeout
                    )
                    progress.count_earlier(rows_before.counts)
                earlier = resume and bool(stream.tell())
                workers = workers or available_cpus()
                chunks = rows_in_order(maker, files, batch_size, workers, timeout)
                try:
                    header = b"" if earlier else row_format.header()
                    replace = not earlier and output != "-"
                    with row_stream(stream, encoding, top_k) as rows:
                        write_rows(rows, header, progress.count(chunks), replace=replace)
                except KeyboardInterrupt:
                    progress.finish()
                    raise
        progress.finish()
        if engine == "ray" and not progress.total:
            empty += paths
        if not quiet and progress.total:
            for folder in empty:
                click.echo(printable(f"{folder}: no {PLURALS[reads]} found"), err=True)
    if max_failure_rate is not None:
        failed, total = progress.failed + len(empty), progress.total + len(empty)
        if failed > max_failure_rate * total:
            what = f"files and empty folders ({len(empty)})" if empty else "files"
            stop(
                EXIT_GATE,
                f"{failed} of {total} {what} failed, more than the share of {max_failure_rate:g}"
                " that --max-failure-rate allows",
            )
    if progress.failed:
        sys.exit(EXIT_SOME_FAILED)


def _check_engine(
    engine: str, force: bool, address: str | None, output: str, paths: Iterable[str]
) -> None:
    """Refuse the options of the other engine, by name."""
    if engine == "local":
        if address is not None:
            raise click.UsageError("--address needs --engine ray")
        for name in (*paths, output):
            if is_uri(name) and not os.path.lexists(name):
                raise click.UsageError(f"{name}: a URI needs --engine ray, a local file its path")
    elif force:
        raise click.UsageError("--engine ray empties no folder: give -o OUT that is empty or new")
    elif output == "-":
        raise click.UsageError("--engine ray needs -o OUT, a folder or URI for the parts")
    elif "-" in paths:
        raise click.UsageError("--engine ray reads no file names from standard input")


def _can_be_resumed(output: str) -> bool:
    return output != "-" and not output.lower().endswith((".gz", ".parquet"))


def _encoding(output: str, format_: FileFormat | None) -> Encoding:
    """The encoding of the local engine's output. Refuses a name whose ending tells none."""
    from ..output.encoding import Encoding, encoding_of

    found = encoding_of(output)
    if format_ is not None:
        found = Encoding(format_, output.lower().endswith(".gz"))
    elif output == "-" or (os.path.exists(output) and not os.path.isfile(output)):
        found = found or Encoding("csv", False)
    if found is None:
        raise click.UsageError(UNKNOWN_ENDING.format(output=output))
    if found.format == "parquet":
        if output == "-" or found.gzip:
            raise click.UsageError("parquet needs -o FILE.parquet")
        if find_spec("pyarrow") is None:
            raise click.UsageError(
                f"{output}: parquet needs pyarrow; pip install 'edge-runtime[parquet]'"
            )
    return found


def _with_names_from_stdin(paths: Iterable[str], output: str, stream: BinaryIO) -> Iterator[str]:
    """The paths, with the lines of standard input in the place of each `-`."""
    for path in paths:
        if path != "-":
            yield path
        elif output == "-":
            yield from _names_from_stdin()
        else:
            from ..output.protect import refuse_while_read

            yield from refuse_while_read(output, os.fstat(stream.fileno()), _names_from_stdin())


def _names_from_stdin() -> Iterator[str]:
    if sys.stdin is None:
        raise click.UsageError("standard input is closed; give paths instead of -")
    names = cast("BufferedReader", sys.stdin.buffer)
    if b"\0" in names.peek():
        raise click.UsageError(
            "standard input holds NUL bytes, so it is no list of file names: give one name a line,"
            " without -print0, and a file by its path"
        )
    for line in names:
        if name := line.rstrip(b"\r\n"):
            yield os.fsdecode(name)


@contextmanager
def _open_output(output: str, resume: bool, force: bool) -> Iterator[BinaryIO]:
    """Open the file or standard output; Ctrl-C raises KeyboardInterrupt while it is open."""
    if output == "-":
        if sys.stdout is None:
            stop(EXIT_SOME_FAILED, "standard output is closed; give -o FILE")
        with interruptible():
            yield sys.stdout.buffer
        return
    from ..output.file import open_output

    with open_output(output, keep=resume, replace=force) as stream, interruptible():
        yield cast("BinaryIO", stream)
