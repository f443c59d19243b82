"""The command line: a thin shell over the library, and the only place that prints or exits."""

from __future__ import annotations

import os
import sys

import click

from .. import __version__
from .exits import errors_as_exits, usage_as_exits

_COMPLETE = "_EDGE_RUNTIME_COMPLETE"
"""The variable by which shells ask for completions; the name is click's rule."""
_COMMANDS = ("bench", "check", "demo", "explain", "info", "predict", "update", "watch")
_VERSION = {"version": __version__, "prog_name": "edge-runtime"}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they run or are listed.

    It is the pattern of click's documentation ("Lazily Loading Subcommands").
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # For an unknown name, click suggests similar ones of self.commands.
        for name in (cmd_name,) if cmd_name in _COMMANDS else _COMMANDS:
            if name not in self.commands:
                self.commands[name] = click.version_option(**_VERSION, hidden=True)(_imported(name))
        return self.commands.get(cmd_name)


def _imported(name: str) -> click.Command:
    match name:
        case "bench":
            from .bench import bench as command
        case "check":
            from .check import check as command
        case "demo":
            from .demo import demo as command
        case "explain":
            from .explain import explain as command
        case "info":
            from .info import info as command
        case "predict":
            from .predict import predict as command
        case "update":
            from .update import update as command
        case _:
            from .watch import watch as command
    return command


@click.group(
    cls=_LazyGroup,
    no_args_is_help=False,  # click 8.1 would end with status 0; see usage_as_exits
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(**_VERSION)
def main() -> None:
    """Classify images, sounds or series with an exported model: onnxruntime, and
    no TensorFlow.

    Without --model or BUNDLE, the handwritten-digits model inside this package.

    \b
    Example: edge-runtime predict scans/ -o readings.csv

    \b
    Exit status: 0 all classified, 1 some files failed, 2 usage,
    3 the bundle or model is bad, 4 a gate failed, 130 interrupted.
    """


def run() -> None:
    """The command line as a process: its errors are one line and an exit status."""
    asked = os.environ.get(_COMPLETE)
    if asked:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(main, {}, "edge-runtime", _COMPLETE, asked))
    # click's own main() would call a closed pipe an error.
    with (
        usage_as_exits("edge-runtime"),
        errors_as_exits(),
        main.make_context("edge-runtime", sys.argv[1:]) as context,
    ):
        main.invoke(context)
