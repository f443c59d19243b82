"""The command line: a thin shell over the library, and the only place that prints or exits."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from .. import __version__
from .exits import (
    EXIT_BAD_BUNDLE,
    EXIT_GATE,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    errors_as_exits,
    interruptible,
    mute_libraries,
    printable,
    stop,
    usage_as_exits,
)
from .progress import Tally, counted

if TYPE_CHECKING:
    from ..bundle.spec import ModelSpec
    from ..distributed.job import PartFormat
    from ..inference.classifier import Precision
    from ..output.formats import Format
    from ..output.rows import RowMaker

bundle_argument = click.argument("bundle", required=False, type=click.Path(path_type=Path))
key_option = click.option(
    "--key",
    metavar="PUBLIC.pem",
    type=click.Path(path_type=Path),
    help="The Ed25519 key that must have signed the bundle.",
)
model_option = click.option("--model", metavar="BUNDLE|FILE.onnx", help="The model to run.")
min_score_option = click.option(
    "--min-score",
    metavar="S",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Below this probability the label is 'unknown'.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["fp32", "int8"]),
    default="fp32",
    show_default=True,
    help="Which of the bundle's models.",
)
max_pixels_option = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(1, 178_000_000),
    show_default="64000000",
    help="Larger images are 'too_large'; so are sounds of more samples.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="edge-runtime")
def main() -> None:
    """Classify images, sounds or series with an exported model: onnxruntime, and
    no TensorFlow.

    Without --model or BUNDLE, the handwritten-digits model inside this package.

    \b
    Exit status: 0 all classified, 1 some files failed, 2 usage,
    3 the bundle or model is bad, 4 a gate failed, 130 interrupted.
    """


@main.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@model_option
@click.option("-o", "--output", metavar="FILE|-", default="-", help="Where the rows go.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Default: by the ending of FILE, else csv (parquet with Ray).",
)
@click.option("--recursive/--no-recursive", default=True, help="Enter folders inside folders.")
@click.option("--all-files", is_flag=True, help="In folders, take files of every ending.")
@click.option(
    "--top-k",
    metavar="K",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Labels in a row.",
)
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
@precision_option
@max_pixels_option
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="With ray, PATH may be a URI (s3://...), FILE is a folder or URI of parts.",
)
@click.option("--address", metavar="HOST:PORT", help="The Ray cluster. Default: this machine.")
@click.option("--resume", is_flag=True, help="Go on after the rows that FILE already holds.")
@click.option(
    "--max-failure-rate",
    metavar="R",
    type=click.FloatRange(0, 1),
    help="Exit status 4 if more than this share of the files fails.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
def predict(
    paths: tuple[str, ...],
    model: str | None,
    output: str,
    format_: PartFormat | None,
    recursive: bool,
    all_files: bool,
    top_k: int,
    min_score: float,
    batch_size: int,
    workers: int | None,
    threads: int,
    precision: Precision,
    max_pixels: int | None,
    engine: str,
    address: str | None,
    resume: bool,
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
    _check_engine(engine, address, output, format_, paths)
    with errors_as_exits(
        "interrupted" if output == "-" else "interrupted; --resume goes on from here"
    ):
        from ..bundle.manifest import BUILT_IN
        from ..inputs.files import MAX_PIXELS
        from ..inputs.formats import ENDINGS, PLURALS
        from ..inputs.walk import walk
        from ..output.formats import Sink
        from ..output.rows import RowMaker, rows_in_order
        from ..system.cpus import available_cpus

        mute_libraries()
        arguments = {
            "model": BUILT_IN if model is None else Path(model),
            "precision": precision,
            "top_k": top_k,
            "min_score": min_score,
            "threads": threads,
        }
        spec = _spec(arguments)
        reads = spec.preprocessing.reads
        tally = Tally(quiet, reads, PLURALS[reads])
        format_ = format_ or _format_of(output, "csv" if engine == "local" else "parquet")
        if engine == "ray":
            arguments["top_k"] = min(top_k, len(spec.labels))
            job = {
                "recursive": recursive,
                "all_files": all_files,
                "batch_size": batch_size,
                "max_pixels": max_pixels or MAX_PIXELS,
                "resume": resume,
                "reads": reads,
            }
            _predict_on_ray(paths, output, format_, arguments, job, workers, address, tally)
        else:
            sink = Sink(cast("Format", format_), min(top_k, len(spec.labels)))
            maker = RowMaker(arguments, sink, max_pixels or MAX_PIXELS)
            files = walk(
                _named(paths),
                recursive=recursive,
                all_files=all_files,
                endings=ENDINGS[reads],
                passed_over=tally.pass_over,
            )
            with _open_output(output, resume) as stream:
                if resume:
                    files = _after_earlier_rows(files, maker, spec.labels, stream, output, tally)
                earlier = resume and bool(stream.tell())
                chunks = rows_in_order(maker, files, batch_size, workers or available_cpus())
                try:
                    header = b"" if earlier else sink.header()
                    replace = not earlier and output != "-"
                    _write_rows(tally.count(chunks), header, stream, replace)
                except KeyboardInterrupt:
                    tally.finish()
                    raise
        tally.finish()
    if max_failure_rate is not None and tally.failed > max_failure_rate * tally.total:
        stop(
            EXIT_GATE,
            f"{tally.failed} of {tally.total} files failed, more than the share of"
            f" {max_failure_rate:g} that --max-failure-rate allows",
        )
    if tally.failed:
        sys.exit(EXIT_SOME_FAILED)


@main.command()
@bundle_argument
def info(bundle: Path | None) -> None:
    """Say what a bundle holds and how its model was measured."""
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN, Manifest

        manifest = Manifest.load(bundle or BUILT_IN)
        spec = manifest.spec
        shape = "x".join(map(str, spec.input.shape))
        how = ", ".join(f"{key} {value}" for key, value in spec.preprocessing.to_json().items())
        labels = ", ".join(spec.labels[:20]) + (", ..." if len(spec.labels) > 20 else "")
        click.echo(f"{spec.name} {spec.version}   ({bundle or 'inside this package'})")
        click.echo(f"labels         {len(spec.labels)}: {labels}")
        click.echo(f"input          {spec.input.name}: {shape} {spec.input.dtype} (H x W x C)")
        click.echo(f"preprocessing  {how}")
        click.echo(f"output         {spec.output}")
        click.echo(f"min score      {spec.min_score:g} recommended")
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


@main.command()
@bundle_argument
@key_option
def check(bundle: Path | None, key: Path | None) -> None:
    """Check a bundle on this device: every hash, then the golden vectors.

    The golden vectors are encoded images, sounds or series with the tensors that
    they must become and the probabilities that the model must give.
    """
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN
        from ..deployment.golden import check_files, check_golden
        from ..inference.classifier import Classifier

        folder = bundle or BUILT_IN
        if key is not None:
            _verify(folder, key)
        checked, absent = check_files(folder)
        missing = f", {len(absent)} not on this device" if absent else ""
        click.echo(f"{len(checked)} files have the hashes of the manifest{missing}")
        click.echo()
        classifier = Classifier(folder)
        title = f"golden {classifier.spec.preprocessing.reads}"
        click.echo(f"{title:<40}{'label':>7}{'tensor':>8}{'probability':>13}  ")
        failed = total = 0
        for result in check_golden(folder, classifier):
            total += 1
            failed += not result.passed
            label = result.label
            if label != result.expected:
                label = f"{label}, not {result.expected}"
            click.echo(
                f"{result.image + ': ' + result.about:<40}{label:>7}"
                f"{result.tensor_difference:>8}{result.probability_difference:>13.1e}"
                f"  {'ok' if result.passed else 'FAILED'}"
            )
        click.echo()
        if failed:
            stop(
                EXIT_BAD_BUNDLE,
                f"{folder}: {failed} of {total} golden vectors failed; this device or its"
                " libraries read images differently from the machine that built the bundle",
            )
        click.echo(f"{total} of {total} golden vectors passed")


@main.command()
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
def bench(bundle: Path | None, images: Path | None, json_path: Path | None) -> None:
    """Measure a bundle's speed on this device, in about ten seconds.

    First the way from a file to its label, one image at a time in one process,
    split into decoding, preprocessing and inference. Then the model alone, on
    images that are preprocessed already, by batch size. Each for every precision
    that the bundle has. Files are in memory before they are timed.
    """
    if json_path and not json_path.parent.is_dir():
        raise click.UsageError(f"{json_path}: there is no folder {json_path.parent}")
    with errors_as_exits(interrupted="interrupted; nothing was written"):
        from ..deployment.benchmark import bench as measure
        from ..inputs.image import ignore_decoder_warnings

        ignore_decoder_warnings()
        report = measure(bundle, images)
        click.echo(report.table())
        if json_path:
            json_path.write_text(report.to_json(), encoding="utf-8")


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@click.option("-o", "--output", metavar="FILE", help="Append a row for each file: CSV or JSONL.")
@click.option(
    "--sort-into",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Move each file into a folder of its label in DIR.",
)
@model_option
@min_score_option
@precision_option
@max_pixels_option
@click.option(
    "--poll",
    metavar="SECONDS",
    type=click.FloatRange(0.1),
    help="Look at DIR so often: for network folders, whose changes the kernel does not tell.",
)
def watch(
    folder: str,
    output: str | None,
    sort_into: Path | None,
    model: str | None,
    min_score: float,
    precision: Precision,
    max_pixels: int | None,
    poll: float | None,
) -> None:
    """Classify the files of DIR as they arrive, for as long as it runs.

    Give -o, --sort-into or both. A file is read once it is whole, and gets one row;
    after a restart, or a crash, it goes on where it was. Files that fail are moved
    into failed/STATUS. Hidden files, files with other endings and folders within
    DIR are left alone. A model that is changed is checked and then used.

    Exit status: 0 ended by SIGTERM, 130 by Ctrl-C, 1 when DIR is gone or a row
    cannot be written; else as above.
    """
    if output is None and sort_into is None:
        raise click.UsageError("give -o FILE, --sort-into DIR or both")
    if output == "-":
        raise click.UsageError("-o needs a file: its rows tell what was read before a restart")
    with errors_as_exits():
        from ..bundle.manifest import BUILT_IN
        from ..inputs.files import MAX_PIXELS
        from ..inputs.formats import PLURALS
        from ..output.formats import Sink
        from ..watch.loop import watch as start

        mute_libraries()
        arguments = {
            "model": BUILT_IN if model is None else Path(model),
            "precision": precision,
            "min_score": min_score,
        }
        reads = _spec(arguments).preprocessing.reads
        tally = start(
            os.path.normpath(folder),
            arguments,
            output=output,
            sort_into=sort_into,
            sink=Sink("jsonl" if (output or "").endswith(".jsonl") else "csv"),
            reads=reads,
            poll=poll,
            max_pixels=max_pixels or MAX_PIXELS,
            say=lambda text: click.echo(printable(text), err=True),
        )
        failed = f", {tally.failed:,} failed" if tally.failed else ""
        click.echo(counted(tally.files, reads, PLURALS[reads]) + failed, err=True)
        if tally.signal == signal.SIGINT:
            raise KeyboardInterrupt


@main.command()
@click.argument("new_bundle", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@key_option
def update(new_bundle: Path, target: Path, key: Path | None) -> None:
    """Switch the bundle TARGET to a copy of NEW_BUNDLE.

    The hashes and the golden vectors of NEW_BUNDLE are checked first. The old
    bundle is kept as TARGET.old. At every moment TARGET is the one or the other.
    """
    with errors_as_exits():
        from ..deployment.update import update as switch

        if key is not None:
            _verify(new_bundle, key)
        old = switch(new_bundle, target)
        kept = f"; the old bundle is kept as {old}" if old else ""
        click.echo(printable(f"{target} is {new_bundle} now{kept}"))


@main.command()
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
    """Serve a page where images are drawn or dropped, and read in the browser.

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


def _verify(bundle: Path, key: Path) -> None:
    from ..bundle.signature import verify

    verify(bundle, key)
    click.echo(printable(f"signed with the key of {key}"))


def _named(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if path == "-":
            for line in sys.stdin.buffer:
                if name := line.rstrip(b"\r\n"):
                    yield os.fsdecode(name)
        else:
            yield path


def _check_engine(
    engine: str, address: str | None, output: str, format_: str | None, paths: Iterable[str]
) -> None:
    """Refuse the options of the other engine, by name."""
    if engine == "local":
        if address is not None:
            raise click.UsageError("--address needs --engine ray")
        if format_ == "parquet":
            raise click.UsageError("--format parquet needs --engine ray")
    elif output == "-":
        raise click.UsageError("--engine ray needs -o OUT, a folder or URI for the parts")
    elif "-" in paths:
        raise click.UsageError("--engine ray reads no file names from standard input")


def _format_of(output: str, otherwise: PartFormat) -> PartFormat:
    if output.endswith(".jsonl"):
        return "jsonl"
    return "csv" if output.endswith(".csv") else otherwise


def _predict_on_ray(
    paths: tuple[str, ...],
    output: str,
    format_: PartFormat,
    arguments: dict[str, Any],
    options: dict[str, Any],
    workers: int | None,
    address: str | None,
    tally: Tally,
) -> None:
    warnings.filterwarnings("ignore", module=r"ray\.")  # of its own deprecations
    if address is None:
        # Ray's servers listen on every address: they serve only who has this run's token. It
        # reads these when it is imported.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = os.urandom(32).hex()
    try:
        from ..distributed.ray import run
    except ModuleNotFoundError as error:
        stop(EXIT_USAGE, f"--engine ray: {error}")
    from ..distributed.job import Job, model_files
    from ..distributed.storage import plain

    model = model_files(arguments.pop("model"), arguments["precision"])
    sources = tuple(map(plain, paths))
    job = Job(sources, plain(output), format_, model, arguments, **options)
    with interruptible(), closing(run(job, workers=workers, address=address)) as parts:
        try:
            tally.count_parts(parts)
        except KeyboardInterrupt:
            tally.finish()
            raise


def _spec(arguments: dict[str, Any]) -> ModelSpec:
    """The model's labels and input, after its hash has been checked, before anything is written."""
    if arguments["model"].is_dir():
        from ..bundle.manifest import read_model

        return read_model(arguments["model"], arguments["precision"])[0].spec
    from ..inference.classifier import Classifier

    return Classifier(**arguments).spec


def _write_rows(chunks: Iterator[bytes], header: bytes, stream: BinaryIO, replace: bool) -> None:
    """Write whole rows, a chunk at a time, so that an interrupted output ends with a row.

    What is replaced is there until the first rows are: a model that fails costs nothing.
    """
    first = next(chunks, b"")
    if replace:
        with suppress(OSError):  # no file, but a pipe or a device
            stream.truncate(0)
    stream.write(header)
    for rows in chain([first], chunks):
        stream.write(rows)
        stream.flush()


@contextmanager
def _open_output(output: str, resume: bool) -> Iterator[BinaryIO]:
    if output == "-":
        if sys.stdout is None:
            stop(EXIT_SOME_FAILED, "standard output is closed; give -o FILE")
        with interruptible():
            yield sys.stdout.buffer
        return
    from ..output.file import open_output

    with open_output(output, keep=resume) as stream, interruptible():
        yield cast("BinaryIO", stream)


def _after_earlier_rows(
    files: Iterator[str],
    maker: RowMaker,
    labels: tuple[str, ...],
    stream: BinaryIO,
    output: str,
    tally: Tally,
) -> Iterator[str]:
    """The files that have no row yet; the stream stands behind the last row that is kept."""
    from ..output.resume import Terms, keep

    start = cache(maker.start)  # only if there is a row to compare
    terms = Terms(
        frozenset(labels), maker.arguments["min_score"], lambda path: start()([path]).data
    )
    with open(os.dup(stream.fileno()), "rb") as earlier:
        kept = keep(earlier, output, maker.sink, files, terms)
    tally.add_earlier(kept.rows, kept.failed)
    stream.seek(kept.end)
    stream.truncate()
    return files


def run() -> None:
    """The command line as a process: its errors are one line and an exit status."""
    # click's own main() would call a closed pipe an error.
    with (
        usage_as_exits("edge-runtime"),
        errors_as_exits(),
        main.make_context("edge-runtime", sys.argv[1:]) as context,
    ):
        main.invoke(context)
