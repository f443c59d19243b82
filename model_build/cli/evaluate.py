"""`model-build evaluate`: cross-validation of a recipe, or a bundle on labelled data."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_runtime.cli.options import check_new, complete_files

from .. import evaluation
from .exits import errors_as_exits
from .options import data_option, seed_option
from .progress import Progress


@click.command(
    epilog="""\b
Examples:
  model-build evaluate --folds 10
  model-build evaluate --data labelled/ --model exported/photos

\b
Exit status: 0 measured, 2 usage, or data that cannot be used, 3 the bundle is
bad, 130 interrupted.
"""
)
@data_option
@click.option(
    "--model",
    "bundle",
    metavar="BUNDLE",
    shell_complete=complete_files,
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
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the figures there too.",
)
def evaluate(
    data: str,
    bundle: str | None,
    folds: int,
    seeds: int,
    epochs: int | None,
    seed: int,
    json_path: Path | None,
) -> None:
    """Cross-validate the recipe, or measure a bundle on your data.

    With --data digits, trains on K-1 parts and tests on the other, in turn,
    with shuffled and with unshuffled parts (the digits are in the order of their
    writers), beside an SVC and nearest neighbours. With --data PATH, the images,
    sounds or series there are read by the bundle and compared with their labels;
    of data with a test part of its own only that is read.
    """
    if json_path:
        check_new(json_path)
    progress = Progress()
    with errors_as_exits(), progress:
        figures = evaluation.evaluate(
            data,
            model=bundle,
            folds=folds,
            seeds=seeds,
            epochs=epochs,
            seed=seed,
            say=progress.say,
        )
        click.echo(figures.table())
        if json_path:
            text = json.dumps(figures.to_json(), indent=2, ensure_ascii=False) + "\n"
            json_path.write_text(text, encoding="utf-8")
