"""How a command ends: one line on stderr and an exit status, whatever happens.

The command lines of edge_runtime and of model_build both end with these.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NoReturn

import click

from ..errors import BundleError, EdgeRuntimeError, MissingExtraError, OutputError, one_line

EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_BUNDLE = 3
EXIT_GATE = 4
EXIT_INTERRUPTED = 130

EXIT_STATUSES: Mapping[type[Exception], int] = MappingProxyType(
    {
        BundleError: EXIT_BAD_BUNDLE,
        OutputError: EXIT_USAGE,
        MissingExtraError: EXIT_USAGE,
        ModuleNotFoundError: EXIT_USAGE,
        EdgeRuntimeError: EXIT_SOME_FAILED,
        OSError: EXIT_SOME_FAILED,
    }
)
"""The exit status of an error of this class, or of a class below it that is not listed."""


@contextmanager
def errors_as_exits(
    program: str = "edge-runtime",
    *,
    interrupted: str = "interrupted",
    statuses: Mapping[type[Exception], int] = EXIT_STATUSES,
) -> Iterator[None]:
    """End the process, with one line on stderr, when an error is raised in this context.

    program: the name that the line begins with.
    interrupted: the line's text for Ctrl-C (KeyboardInterrupt), whose exit status is 130.
    statuses: the exit status for each class of errors; of several classes that an error belongs
        to, the nearest one counts. Another command line gives
        `{**EXIT_STATUSES, ItsError: 2, ...}`. Errors of other classes pass through.

    A closed pipe (BrokenPipeError) ends the process with status 0: whoever read the output has
    had enough. Standard output is flushed on leaving, so that its errors are met here.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
        sys.exit(0)
    except KeyboardInterrupt:
        stop(EXIT_INTERRUPTED, interrupted, program)
    except Exception as error:
        status = next((statuses[c] for c in type(error).__mro__ if c in statuses), None)
        if status is None:
            raise
        message = str(error)
        if isinstance(error, OSError):
            _discard_stdout()
            message = _os_message(error)
        if isinstance(error, ModuleNotFoundError):
            message = f"{error.name} is not installed; pip install {program} brings it"
        stop(status, message, program)


def _os_message(error: OSError) -> str:
    """The file and the system's words, or what was raised without them: `OSError("odd")`."""
    if error.strerror is None:
        return one_line(error)
    return f"{error.filename or 'output'}: {error.strerror}"


def _discard_stdout() -> None:
    """Send what is left in stdout's buffer nowhere: to write it at exit would fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt in this context, so that files are closed properly."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # as a shell's background job has it
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def usage_as_exits(program: str) -> Iterator[None]:
    """End the process, with one line on stderr, when click finds a mistake in the options."""
    try:
        yield
    except click.exceptions.Exit as end:  # after --help or --version
        sys.exit(end.exit_code)
    except click.UsageError as error:
        if error.ctx and not sys.argv[1:]:
            click.echo(error.ctx.get_help(), err=True)
            sys.exit(EXIT_USAGE)
        command = error.ctx.command_path if error.ctx else program
        stop(EXIT_USAGE, f"{error.format_message()} ({command} --help says more)", program)
    except click.ClickException as error:
        stop(error.exit_code, error.format_message(), program)


def stop(status: int, message: str, program: str = "edge-runtime") -> NoReturn:
    """End the process with that exit status and one line on stderr."""
    priority = "<3>" if in_journal() else ""
    click.echo(f"{priority}{program}: {printable(message)}", err=True)
    sys.exit(status)


def in_journal() -> bool:
    """Tell if standard error goes to systemd's journal, which takes `<3>` for an error's priority.

    systemd says in JOURNAL_STREAM which stream that is (systemd.exec(5)).
    """
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream or sys.stderr is None:
        return False
    try:
        found = os.fstat(sys.stderr.fileno())
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def printable(text: str) -> str:
    """The text in one line, with escapes for characters that would disturb a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
