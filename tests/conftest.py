from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime import Classifier

from .support.helpers import (
    DIGITS,
    EXECUTABLE,
    GOLDEN,
    TIMEOUT,
    Completed,
    copy_bundle,
    environment,
)

Run = Callable[..., Completed]


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the built-in bundle that a test may damage."""
    return copy_bundle(tmp_path / "bundle")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Run:
    """Run `edge-runtime` as a process, from tmp_path, and wait for it."""

    def run(*arguments: object, status: int | None = 0, input: bytes = b"") -> Completed:
        done = subprocess.run(
            [EXECUTABLE, *map(str, arguments)],
            input=input,
            capture_output=True,
            cwd=tmp_path,
            env=environment(home),
            timeout=TIMEOUT,
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        if status is not None:
            assert done.returncode == status, done.stderr.decode()
        return done

    return run


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """540 images in three folders, with bad files at known places: read, never written."""
    top = tmp_path_factory.mktemp("scans")
    for number in range(540):
        folder = top / "abc"[number // 210]
        folder.mkdir(exist_ok=True)
        source = GOLDEN / DIGITS[number % len(DIGITS)]["image"]
        target = folder / f"{number:04}{source.suffix}"
        shutil.copyfile(source, target)
        if number % 97 == 5:
            target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
        if number % 97 == 6:
            target.write_bytes(b"")
    return top


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URI of a bucket on an S3 server of this machine, which the environment points to."""
    pytest.importorskip("moto", reason="needs moto, an S3 server")
    serve = (
        "import sys; from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0);"
        " s.start(); print(s.get_host_and_port()[1], file=sys.stderr); sys.stdin.read(); s.stop()"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", serve],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdin
    assert server.stderr
    line = ""
    while not line.strip().isdigit():
        line = server.stderr.readline()
        assert server.poll() is None
    log = threading.Thread(target=server.stderr.read)
    log.start()
    address = f"127.0.0.1:{line.strip()}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            patch.setenv(f"AWS_{name}", "test")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        connection.request("PUT", "/bucket", body=b"")
        assert connection.getresponse().status == 200
        connection.close()
        yield "s3://bucket"
    server.stdin.close()
    server.wait(TIMEOUT)
    log.join()
    server.stderr.close()
