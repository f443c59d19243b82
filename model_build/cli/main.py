"""The command line: a thin shell over the library, and the only place that prints or exits."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from edge_runtime import BundleError, EdgeRuntimeError
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.cli.exits import (
    EXIT_BAD_BUNDLE,
    EXIT_GATE,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    stop,
    usage_as_exits,
)
from edge_runtime.inputs.formats import PLURALS

from .. import __version__
from ..errors import BuildError, GateError

if TYPE_CHECKING:
    from ..training.trainer import Epoch

data_option = click.option(
    "--data",
    metavar="digits|PATH",
    default="digits",
    show_default=True,
    help="The examples: a folder per class (images, .wav, .npy), IDX, .npz, .npy, .csv.",
)
seed_option = click.option(
    "--seed", metavar="N", type=int, default=0, show_default=True, help="Same seed, same bytes."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(__version__, prog_name="model-build")
def main() -> None:
    """Train a small image classifier, export it, and prove every export equal.

    \b
    Exit status: 0 done, 2 usage, 3 the bundle is bad, 4 a gate failed,
    130 interrupted.
    """


@main.command()
@data_option
@click.option("--name", metavar="NAME", help="The bundle's name. Default: that of the data.")
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
    help="compact, lenet or grid. Default: compact for the digits, else grid.",
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
    help="The input's longer side in pixels. Default: that of most images, at most 96.",
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
@seed_option
@click.option("--c-array", is_flag=True, help="The int8 TFLite also as a C header.")
@click.option("--ort", is_flag=True, help="ORT files too, for a reduced onnxruntime build.")
@click.option("--force", is_flag=True, help="Replace an existing bundle.")
def build(
    data: str,
    name: str | None,
    output: Path,
    architecture: str | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    size: int | None,
    channels: str | None,
    augment: str | None,
    seed: int,
    c_array: bool,
    ort: bool,
    force: bool,
) -> None:
    """Train, export, verify, and write OUTPUT/NAME.

    When an export does not give the trained model's answers, the exit status is 4
    and nothing is written; an existing bundle stays as it is.
    """
    with _errors_as_exits("verification failed; no bundle was written, an existing one stays"):
        name = name or _name_of(data)
        if name != Path(name).name or name.startswith("."):
            raise BuildError(f"--name {name}: give a plain folder name")
        target = output / name
        if target.exists() and not force:
            raise BuildError(f"{target} exists; --force replaces it, --name writes another")
        _load_tensorflow()
        from ..bundle.staging import refuse_existing
        from ..bundle.writer import write_bundle
        from ..calibration import calibrate
        from ..data.dataset import DataOptions, load_data
        from ..recipes.digits.rejection import add_gate
        from ..training.trainer import plan, train
        from ..training.workspace import Workspace

        refuse_existing(target, force)
        _ignore_decoder_warnings()
        workspace = None if data == "digits" else Workspace(target)
        with workspace or nullcontext():
            options = DataOptions(size, int(channels) if channels else None, augment)
            dataset = load_data(data, options, workspace=workspace, progress=_looking())
            for finding in dataset.findings:
                click.echo(f"  {finding.line()}", err=True)
            architecture = architecture or ("compact" if workspace is None else "grid")
            config = plan(dataset, architecture, seed)
            config = replace(
                config,
                epochs=config.epochs if epochs is None else epochs,
                patience=config.patience if epochs is None else None,
                batch_size=batch_size or config.batch_size,
                learning_rate=learning_rate or config.learning_rate,
            )
            click.echo(
                f"{dataset.about}: {len(dataset.train)} train, {len(dataset.validation)} validate,"
                f" {len(dataset.test)} test",
                err=True,
            )
            if workspace is not None and workspace.keeps_training(
                f"{__version__} {architecture} {config} {dataset.variation}"
            ):
                click.echo(f"going on with the training that {workspace.folder} holds", err=True)
            trained = train(
                dataset,
                architecture,
                config,
                _progress(config.epochs),
                workspace,
                lambda line: click.echo(line, err=True),
            )
            if len(trained.history) < config.epochs:
                ended = "\n" if sys.stderr.isatty() else ""  # the line that was written over
                click.echo(
                    f"{ended}stopped after epoch {len(trained.history)}: the readings of the"
                    " validation part get no better",
                    err=True,
                )
            click.echo(
                f"kept epoch {trained.best.number}, the best on the validation part", err=True
            )
            if workspace is None:
                click.echo("learning to doubt letters ...", err=True)
                trained = add_gate(trained, dataset)
            calibration = calibrate(trained, dataset)
            click.echo("exporting and verifying ...", err=True)
            parity = write_bundle(
                trained, dataset, calibration, target, force=force, c_array=c_array, ort=ort
            )
        things = PLURALS[dataset.preprocessing.reads]
        click.echo(f"the {parity.images} test {things} through every artifact:\n")
        click.echo(parity.table())
        click.echo(f"\n{target} is written; edge-runtime predict --model {target} FOLDER")


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_option
def verify(bundle: Path, data: str) -> None:
    """Run the test images through every artifact of a bundle again."""
    with _errors_as_exits():
        _load_tensorflow()
        from ..bundle.writer import verify_bundle
        from ..data.dataset import load_data

        like = Manifest.load(bundle).spec
        _ignore_decoder_warnings()
        parity = verify_bundle(bundle, load_data(data, like=like, progress=_looking()))
        if parity.failures:
            raise GateError(parity)
        click.echo(parity.table())


@main.command()
@data_option
@click.option(
    "--model",
    "bundle",
    metavar="BUNDLE",
    help="For --data PATH: the bundle that reads it. Default: the digits model.",
)
@click.option(
    "--folds",
    metavar="K",
    type=click.IntRange(2),
    default=10,
    show_default=True,
    help="Parts of the cross-validation.",
)
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Trainings of each fold, with seeds counted from --seed.",
)
@click.option("--epochs", metavar="N", type=int, help="Default: those of the build.")
@seed_option
@click.option("--json", "json_path", metavar="FILE", help="Write the figures there too.")
def evaluate(
    data: str,
    bundle: str | None,
    folds: int,
    seeds: int,
    epochs: int | None,
    seed: int,
    json_path: str | None,
) -> None:
    """Measure: cross-validation of the recipe, or a bundle on data of your own.

    With --data digits, trains on K-1 parts and tests on the other, in turn,
    with shuffled and with unshuffled parts (the digits are in the order of their
    writers), beside an SVC and nearest neighbours. With --data PATH, the images,
    sounds or series there are read by the bundle and compared with their labels;
    of data with a test part of its own only that is read.
    """
    with _errors_as_exits():
        _load_tensorflow()
        from .. import evaluation

        if data == "digits":
            from ..training.trainer import TrainConfig

            config = TrainConfig(seed=seed, **({} if epochs is None else {"epochs": epochs}))
            figures = evaluation.cross_validate(
                folds, seeds, config, lambda line: click.echo(line, err=True)
            )
            click.echo(evaluation.fold_table(figures))
        else:
            figures = evaluation.evaluate_own(Path(data), bundle)
            click.echo(evaluation.own_table(figures))
        if json_path:
            text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
            Path(json_path).write_text(text, encoding="utf-8")


@main.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    metavar="PRIVATE.pem",
    type=click.Path(path_type=Path),
    required=True,
    help="An Ed25519 private key.",
)
def sign(bundle: Path, key: Path) -> None:
    """Sign a bundle: write manifest.sig over manifest.json, which holds every hash.

    On the device, edge-runtime check BUNDLE --key PUBLIC.pem tells whether the
    bundle is the one that was signed.
    """
    with _errors_as_exits():
        from edge_runtime.bundle.signature import sign

        click.echo(f"{sign(bundle, key)} is written")


def run() -> None:
    """The command line as a process: a mistake in it is one line and an exit status."""
    with usage_as_exits("model-build"):
        try:
            main(standalone_mode=False)
        except click.Abort:
            _stop(EXIT_INTERRUPTED, "interrupted")


def _load_tensorflow() -> None:
    """Import it first and quietly: it takes seconds and talks."""
    from ..quiet import quiet

    click.echo("loading tensorflow ...", err=True)
    with quiet():
        import tensorflow  # noqa: F401


def _ignore_decoder_warnings() -> None:
    """What Pillow warns of shows in the findings."""
    from edge_runtime.inputs.image import ignore_decoder_warnings

    ignore_decoder_warnings()


def _name_of(data: str) -> str:
    """What a bundle is called that was not given a name."""
    path = Path(data).resolve()
    return path.name if data == "digits" or path.is_dir() else path.name.partition(".")[0]


def _looking() -> Callable[[int, int], None]:
    """A line that is written over, on a terminal only."""
    live = sys.stderr.isatty()

    def show(done: int, total: int) -> None:
        if live:
            click.echo(f"\rlooking at {done:,} of {total:,}\x1b[K", err=True, nl=done == total)

    return show


def _progress(epochs: int) -> Callable[[Epoch], None]:
    """A line that is written over on a terminal; elsewhere one line for every tenth epoch."""
    live = sys.stderr.isatty()

    def show(epoch: Epoch) -> None:
        left = epoch.seconds / epoch.number * (epochs - epoch.number)
        line = (
            f"epoch {epoch.number:>3}/{epochs}  loss {epoch.loss:.4f}"
            f"  validation {epoch.validation_loss:.4f} ({epoch.validation_accuracy:.2%})"
            f"  {left:.0f} s left"
        )
        last = epoch.number == epochs
        if live:
            click.echo(f"\r{line}\x1b[K", err=True, nl=last)
        elif last or epoch.number % max(1, epochs // 10) == 0:
            click.echo(line, err=True)

    return show


@contextmanager
def _errors_as_exits(gate_failed: str = "verification failed") -> Iterator[None]:
    try:
        with _ctrl_c():
            yield
    except BuildError as error:
        _stop(EXIT_USAGE, str(error))
    except BundleError as error:
        _stop(EXIT_BAD_BUNDLE, str(error))
    except EdgeRuntimeError as error:
        _stop(EXIT_USAGE, str(error))
    except GateError as error:
        click.echo(error.report.table(), err=True)
        for line in error.report.failures:
            click.echo(f"model-build: {line}", err=True)
        _stop(EXIT_GATE, gate_failed)
    except OSError as error:
        _stop(EXIT_USAGE, f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        _stop(EXIT_INTERRUPTED, "interrupted; no bundle was written")


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C ends what is in here as a KeyboardInterrupt, even if a library makes it an error."""
    pressed = False

    def press(*_: Any) -> NoReturn:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # as a shell's background job has it
        signal.signal(signal.SIGINT, press)
    try:
        yield
    except Exception:
        if pressed:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(status: int, message: str) -> NoReturn:
    stop(status, message, "model-build")
