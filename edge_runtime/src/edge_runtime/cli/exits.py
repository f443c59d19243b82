"""How a command ends: one line on stderr and an exit status, whatever happens."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from ..errors import BundleError, EdgeRuntimeError, OutputError

EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_BUNDLE = 3
EXIT_GATE = 4
EXIT_INTERRUPTED = 130


@contextmanager
def errors_as_exits(interrupted: str = "interrupted") -> Iterator[None]:
    """What is raised in here ends the process; `interrupted` is what Ctrl-C says."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BundleError as error:
        stop(EXIT_BAD_BUNDLE, str(error))
    except OutputError as error:
        stop(EXIT_USAGE, str(error))
    except EdgeRuntimeError as error:
        stop(EXIT_SOME_FAILED, str(error))
    except BrokenPipeError:
        # Whoever read the output has had enough.
        _write_no_more()
        sys.exit(0)
    except OSError as error:
        _write_no_more()
        stop(EXIT_SOME_FAILED, f"{error.filename or 'output'}: {error.strerror}")
    except KeyboardInterrupt:
        stop(EXIT_INTERRUPTED, interrupted)


@contextmanager
def interruptible() -> Iterator[None]:
    """In here Ctrl-C is a KeyboardInterrupt, so that what is begun can be ended well."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # as a shell's background job has it
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _write_no_more() -> None:
    """What is left in stdout's buffer cannot be written, at exit neither."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def usage_as_exits(program: str) -> Iterator[None]:
    """What click finds wrong with a command line in here ends the process, with one line."""
    try:
        yield
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.UsageError as error:
        if not sys.argv[1:]:  # no error: click shows the help so
            error.show()
            sys.exit(EXIT_USAGE)
        command = error.ctx.command_path if error.ctx else program
        stop(EXIT_USAGE, f"{error.format_message()} ({command} --help says more)", program)
    except click.ClickException as error:
        stop(error.exit_code, error.format_message(), program)


def stop(status: int, message: str, program: str = "edge-runtime") -> NoReturn:
    """End the process with that exit status and one line on stderr."""
    click.echo(f"{program}: {printable(message)}", err=True)
    sys.exit(status)


def printable(text: str) -> str:
    """Text with a file's odd name in it, as one line that leaves the terminal alone."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def mute_libraries() -> None:
    """Keep stderr for this program: libtiff writes what it thinks of a damaged file there."""
    if sys.stderr is sys.__stderr__ and sys.stderr is not None and sys.stderr.fileno() == 2:
        own = os.dup(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(  # noqa: SIM115  until the end
            own, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1
        )
