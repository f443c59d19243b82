"""The command line `model-build`: a thin shell over the functions of the package."""

from __future__ import annotations

import click

from edge_runtime.cli.exits import EXIT_INTERRUPTED, usage_as_exits

from .. import __version__
from .build import build
from .evaluate import evaluate
from .exits import PROGRAM, stop
from .sign import sign
from .verify import verify


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, prog_name=PROGRAM)
def main() -> None:
    """Train a small image classifier, export it, and prove every export equal.

    \b
    Example: model-build build --data photos/

    \b
    Exit status: 0 done, 2 usage, 3 the bundle is bad, 4 a gate failed,
    130 interrupted.
    """


for command in (build, verify, evaluate, sign):
    main.add_command(click.version_option(__version__, prog_name=PROGRAM, hidden=True)(command))


def run() -> None:
    """Run the command line as a process: a mistake in it is one line and an exit status."""
    with usage_as_exits(PROGRAM):
        try:
            main(prog_name=PROGRAM, standalone_mode=False)
        except click.Abort:
            stop(EXIT_INTERRUPTED, "interrupted")
