"""How both command lines end: one line on stderr and the exit status of the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.cli.exits import EXIT_STATUSES, errors_as_exits
from edge_runtime.errors import BundleError, EdgeRuntimeError, ImageError, OutputError

from ...conftest import Run
from ...support.helpers import (
    GOLDEN,
    TIMEOUT,
)
from .test_predict import start

GOOD = GOLDEN / "7.bmp"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_closed_pipe_is_no_error(home: Path, scans: Path, workers: int) -> None:
    process = start(home, "predict", *[scans] * 4, "--workers", workers)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"path,status,label,score,error\n"
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(TIMEOUT) == 0
    assert stderr == b""


def test_an_output_that_cannot_be_written_is_one_line(run: Run) -> None:
    done = run("predict", GOOD, "-o", "/dev/full", "--quiet", status=1)
    assert done.stderr == b"edge-runtime: /dev/full: No space left on device\n"


class DataError(Exception):
    """An error of another program that ends by errors_as_exits."""


STATUSES = {**EXIT_STATUSES, DataError: 2, EdgeRuntimeError: 2}


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (BundleError("m.onnx: altered"), 3, "m.onnx: altered"),
        (OutputError("two\nlines"), 2, r"two\nlines"),
        (EdgeRuntimeError("no worker"), 1, "no worker"),
        (ImageError("corrupt", "half an image"), 1, "half an image"),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), 1, "a.csv: No such file or"),
        (OSError(28, "No space left on device"), 1, "output: No space left on device"),
        (OSError("odd"), 1, "odd"),
        (OSError(), 1, "OSError"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=repr,
)
def test_an_error_is_one_line_and_its_exit_status(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    text: str,
) -> None:
    monkeypatch.setattr("edge_runtime.cli.exits._discard_stdout", lambda: None)
    with pytest.raises(SystemExit) as ended, errors_as_exits():
        raise error
    assert ended.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"edge-runtime: {text}")
    assert "None" not in line


@pytest.mark.parametrize(
    ("error", "status"),
    [(DataError("x"), 2), (BundleError("x"), 3), (ImageError("empty", "x"), 2)],
    ids=repr,
)
def test_another_program_has_its_own_name_and_statuses(
    capsys: pytest.CaptureFixture[str], error: Exception, status: int
) -> None:
    with pytest.raises(SystemExit) as ended, errors_as_exits("model-build", statuses=STATUSES):
        raise error
    assert ended.value.code == status
    assert capsys.readouterr().err == "model-build: x\n"
    with (
        pytest.raises(SystemExit),
        errors_as_exits("model-build", interrupted="interrupted; no bundle was written"),
    ):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "model-build: interrupted; no bundle was written\n"


def test_an_error_that_is_nobodys_mistake_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), errors_as_exits():
        raise ZeroDivisionError
    with pytest.raises(DataError), errors_as_exits():
        raise DataError
