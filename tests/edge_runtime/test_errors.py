"""Whatever a user does wrong is one line and the status of the contract, never a traceback."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import edge_runtime
from edge_runtime.errors import BundleError, EdgeRuntimeError, ImageError, OutputError

from ..conftest import Run
from ..support.helpers import EXECUTABLE, GOLDEN, TIMEOUT, edit_manifest, environment, flip_byte
from .deployment.test_golden import edit_golden, replace_golden

GOOD = GOLDEN / "7.bmp"
Arrange = Callable[[Path, Path], list[object]]
"""Given a folder and a bundle in it, make something wrong; the arguments that meet it."""


def bundle_with(change: Callable[[Path], object], *command: object) -> Arrange:
    def arrange(folder: Path, bundle: Path) -> list[object]:
        change(bundle)
        return [*(command or ("predict", GOOD, "--model")), bundle]

    return arrange


def model_of(data: bytes) -> Arrange:
    def arrange(folder: Path, bundle: Path) -> list[object]:
        (folder / "x.onnx").write_bytes(data)
        return ["predict", GOOD, "--model", folder / "x.onnx"]

    return arrange


def output_that(make: Callable[[Path], object], *more: object) -> Arrange:
    def arrange(folder: Path, bundle: Path) -> list[object]:
        make(folder / "rows.csv")
        return ["predict", GOOD, "-o", folder / "rows.csv", *more]

    return arrange


def arguments(*words: object) -> Arrange:
    return lambda folder, bundle: list(words)


def replace_by_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def no_files(data: dict[str, object]) -> None:
    data["files"] = []


USAGE: dict[str, Arrange] = {
    "no such command": arguments("explain"),
    "no such option": arguments("predict", GOOD, "--topk", 3),
    "no paths": arguments("predict"),
    "an option without a value": arguments("predict", GOOD, "--top-k"),
    "a number that is none": arguments("predict", GOOD, "--top-k", "many"),
    "a number out of range": arguments("predict", GOOD, "--min-score", 2),
    "too many pixels": arguments("predict", GOOD, "--max-pixels", 10**12),
    "no such precision": arguments("predict", GOOD, "--precision", "int4"),
    "too many arguments": arguments("info", "a", "b"),
    "resume of standard output": arguments("predict", GOOD, "--resume"),
    "an output folder that is not there": arguments("predict", GOOD, "-o", "no/such/rows.csv"),
    "an output that is a folder": output_that(Path.mkdir),
    "an output folder with a line break": arguments("predict", GOOD, "-o", "new\nline/rows.csv"),
    "resume of another file": output_that(lambda path: path.write_text("a,b\n1,2\n"), "--resume"),
    "resume of a binary file": output_that(lambda path: path.write_bytes(b"\xff\0\n"), "--resume"),
    "resume of a pipe": output_that(os.mkfifo, "--resume"),
}
BAD_BUNDLE: dict[str, Arrange] = {
    "absent": bundle_with(shutil.rmtree),
    "an empty folder": bundle_with(lambda bundle: [path.unlink() for path in bundle.rglob("*.*")]),
    "a newline in its name": arguments("predict", GOOD, "--model", "no\nsuch\x1b[2J"),
    "a pipe as manifest": bundle_with(
        lambda bundle: [(bundle / "manifest.json").unlink(), os.mkfifo(bundle / "manifest.json")]
    ),
    "a manifest that is not UTF-8": bundle_with(
        lambda bundle: (bundle / "manifest.json").write_bytes(b"\xff\xfe{}")
    ),
    "an altered manifest": bundle_with(lambda bundle: flip_byte(bundle / "manifest.json", -300)),
    "a newer schema": bundle_with(
        lambda bundle: edit_manifest(bundle, lambda data: data.update(schema_version=2))
    ),
    "unknown preprocessing": bundle_with(
        lambda bundle: edit_manifest(bundle, lambda data: data["preprocessing"].update(kind="x"))
    ),
    "no model": bundle_with(lambda bundle: edit_manifest(bundle, no_files)),
    "the model missing": bundle_with(lambda bundle: (bundle / "model.onnx").unlink()),
    "an altered model": bundle_with(lambda bundle: flip_byte(bundle / "model.onnx")),
    "the model elsewhere": bundle_with(
        lambda bundle: replace_by_link(bundle / "model.onnx", "/etc/hostname")
    ),
    "the model a loop": bundle_with(
        lambda bundle: replace_by_link(bundle / "model.onnx", "model.onnx")
    ),
    "altered labels": bundle_with(lambda bundle: flip_byte(bundle / "labels.txt", 0)),
    "altered golden vectors": bundle_with(
        lambda bundle: flip_byte(bundle / "golden/0.png", 50), "check"
    ),
    "golden vectors that are wrong": bundle_with(
        lambda bundle: edit_golden(bundle, lambda vectors: vectors[0].update(label="other")),
        "check",
    ),
    "golden vectors that are none": bundle_with(
        lambda bundle: replace_golden(bundle, b'[{"image": 1e999}]'), "check"
    ),
    "golden vectors nested deeply": bundle_with(
        lambda bundle: replace_golden(bundle, b"[" * 100_000), "check"
    ),
    "a file too many": bundle_with(lambda bundle: (bundle / "x").touch(), "check"),
    "a link too many": bundle_with(lambda bundle: (bundle / "x").symlink_to("nowhere"), "check"),
    "no bundle to inform of": bundle_with(shutil.rmtree, "info"),
    "an empty model": model_of(b""),
    "a model of noise": model_of(random.Random(0).randbytes(5000)),
    "a model that is a page": model_of(b"<html>404 not found</html>"),
    "a model that is endless": arguments("predict", GOOD, "--model", "/dev/zero"),
    "a model that is an image": arguments("predict", GOOD, "--model", GOOD),
}
SOME_FAILED: dict[str, Arrange] = {
    "an absent file": arguments("predict", "absent.png"),
    "a file with an odd name": arguments("predict", "ab\nsent\x1b.png"),
    "a name on standard input": arguments("predict", "-"),
    "a full disk": arguments("predict", GOOD, "-o", "/dev/full", "--quiet"),
}
GATE: dict[str, Arrange] = {
    "too many failures": arguments("predict", "absent", "--max-failure-rate", 0, "--quiet"),
}
CASES = [
    pytest.param(arrange, status, id=name)
    for status, cases in ((2, USAGE), (3, BAD_BUNDLE), (1, SOME_FAILED), (4, GATE))
    for name, arrange in cases.items()
]


@pytest.mark.parametrize(("arrange", "status"), CASES)
def test_each_error_is_one_line_and_the_status_of_the_contract(
    run: Run, tmp_path: Path, bundle: Path, arrange: Arrange, status: int
) -> None:
    done = run(*arrange(tmp_path, bundle), status=status, input=b"absent file\n")
    (line,) = done.stderr.decode("utf-8").splitlines()
    assert line.isprintable(), ascii(line)
    assert len(line) > 25, "says what happened"
    if status in (2, 3, 4):
        assert line.startswith("edge-runtime: ")
    assert "Errno" not in line


def test_help_is_no_error_and_no_command_shows_it(run: Run) -> None:
    assert run("--help").stderr == b""
    assert run("predict", "--help").stderr == b""
    assert run(status=2).stderr.startswith(b"Usage: edge-runtime ")


def test_python_m_edge_runtime_is_the_same_program(home: Path) -> None:
    for arguments, status in ((["--version"], 0), (["explain"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "edge_runtime", *arguments],
            capture_output=True,
            env=environment(home),
            timeout=TIMEOUT,
        )
        assert done.returncode == status
        assert b"Traceback" not in done.stderr


def test_an_interrupt_at_any_moment_is_no_traceback(home: Path, tmp_path: Path) -> None:
    """From the first line of the program on: while it imports, loads, reads, writes and ends."""
    chance = random.Random(0)
    wrapper = (
        "import sys; sys.argv[0] = 'edge-runtime';"
        "from edge_runtime.__main__ import main; print('.', flush=True); main()"
    )
    # What an interrupt between opening and `with` leaves open ends with the process; Python
    # says so only where this warning is asked for.
    warnings = "default,ignore::ResourceWarning"
    statuses = set()
    for attempt in range(14):
        process = subprocess.Popen(
            [sys.executable, "-c", wrapper, "predict", *[str(GOLDEN)] * 4, "-o", f"{attempt}.csv"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home, PYTHONWARNINGS=warnings),
            cwd=tmp_path,
            # A shell that runs the tests in the background would have it ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stdout
        assert process.stdout.readline() == b".\n"
        time.sleep(0.002 + chance.random() * 0.03 * attempt)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT)
        assert b"Traceback" not in stderr, stderr.decode()
        assert b"Exception ignored" not in stderr, stderr.decode()
        assert len(stderr.splitlines()) <= 2, stderr.decode()
        statuses.add(process.returncode)
        assert process.returncode in (0, 130)
        if process.returncode == 130:
            assert b"edge-runtime: interrupted" in stderr
    assert 130 in statuses


def test_an_interrupt_that_is_ignored_stays_ignored(home: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [EXECUTABLE, "predict", "-", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(home),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stdin
    process.stdin.write(f"{GOOD}\n".encode())
    process.stdin.flush()
    for _ in range(5):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    stdout, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert stdout.count(b"\n") == 2


def test_all_errors_are_of_one_family() -> None:
    for kind in (BundleError, ImageError, OutputError):
        assert issubclass(kind, EdgeRuntimeError)
    assert {"BundleError", "ImageError", "EdgeRuntimeError"} <= set(edge_runtime.__all__)
