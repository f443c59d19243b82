"""The page's files and their server: what is served, to whom, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from edge_runtime import BundleError
from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.errors import OutputError
from edge_runtime.web import server as demo
from edge_runtime.web.server import LIBRARY, PAGE, PageServer, export, page_files

from ...conftest import Run
from ...support.helpers import EXECUTABLE, TIMEOUT, environment, flip_byte
from ...support.page import NEEDS_LIBRARY, VENDORED
from ...support.small_bundles import series_bundle, sounds_bundle

FILES = {"index.html": b"<!doctype html>", "a/b.wasm": b"\0asm", "app.js": b"1", "secret.key": b"s"}

needs_library = pytest.mark.skipif(not VENDORED, reason=NEEDS_LIBRARY)


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer(FILES, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: PageServer, path: str, method: str = "GET", **headers: str) -> HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


def test_the_files_are_served_with_their_types_and_nothing_else_is(server: PageServer) -> None:
    for path, kind, body in (
        ("/", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/index.html?x=1", "text/html; charset=utf-8", b"<!doctype html>"),
        ("/a/b.wasm", "application/wasm", b"\0asm"),
        ("/app.js", "text/javascript; charset=utf-8", b"1"),
    ):
        response = ask(server, path)
        assert (response.status, response.body) == (200, body)  # type: ignore[attr-defined]
        assert response.headers["Content-Type"] == kind
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    for path in ("/a/", "/a", "/../demo.py", "//etc/passwd", "/%2e%2e/demo.py", "/secret.key"):
        assert ask(server, path).status == 404, path
    assert ask(server, "/app.js", "HEAD").body == b""  # type: ignore[attr-defined]
    assert ask(server, "/app.js", "POST").status == 501


def test_a_request_by_another_name_is_refused(server: PageServer) -> None:
    port = server.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert ask(server, "/", Host=host).status == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port}.evil"):
        assert ask(server, "/", Host=host).status == 403, host


def test_it_listens_on_the_loopback_address_only(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_address[1]}/"


def test_a_port_that_is_taken_is_an_error_in_one_line(server: PageServer) -> None:
    port = server.server_address[1]
    with pytest.raises(OutputError, match=f"port {port} of 127.0.0.1 cannot be used .*--port 0"):
        PageServer(FILES, port)


def test_a_browser_that_hangs_up_disturbs_nobody(
    server: PageServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_address[1]), 10) as client:
            client.sendall(b"GET /app.js HTTP/1.1\r\nHo")
    assert ask(server, "/").status == 200
    assert capfd.readouterr().err == ""


def test_the_page_refers_to_files_that_it_has_and_to_no_other_host() -> None:
    names = {path.name for path in PAGE.iterdir()}
    own = [path for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js")]
    for path in own:
        text = path.read_text("utf-8")
        assert not re.search(r"(?<!\.w3\.org)https?://(?!www\.w3\.org/)", text), path.name
        for name in re.findall(r'(?:from|href=|src=)\s*"([^"]+)"', text):
            name = name.removeprefix("./")
            assert name in names or name.startswith(f"{LIBRARY}/"), f"{path.name}: {name}"
    policy = re.search(r'content="(default-src[^"]+)"', (PAGE / "index.html").read_text("utf-8"))
    assert policy
    words = set(re.split(r"[; ]+", policy[1]))
    assert {word for word in words if not word.endswith("-src")} == {
        *("'none'", "'self'", "'wasm-unsafe-eval'", "base-uri", "form-action")
    }


def without_library(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setattr(demo, "_LIBRARY_FOLDERS", folders)


def test_without_onnxruntime_web_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_library(monkeypatch, tmp_path)
    version = json.loads((PAGE / "package.json").read_text())["dependencies"][LIBRARY]
    with pytest.raises(OutputError, match=f"npm install .*{LIBRARY}@{version}$"):
        page_files(None)


@needs_library
def test_another_onnxruntime_web_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(PAGE / LIBRARY, tmp_path / LIBRARY)
    without_library(monkeypatch, tmp_path / LIBRARY)
    assert page_files(None)
    flip_byte(tmp_path / LIBRARY / "ort-wasm-simd-threaded.wasm")
    with pytest.raises(OutputError, match="is not the file of onnxruntime-web@"):
        page_files(None)


@needs_library
def test_a_damaged_bundle_is_not_served(bundle: Path) -> None:
    flip_byte(bundle / "golden" / "2.png", -20)
    with pytest.raises(BundleError, match=r"golden/2\.png: SHA-256"):
        page_files(bundle)


@pytest.mark.parametrize("make", [sounds_bundle, series_bundle])
def test_a_model_of_something_else_than_images_is_said_before_anything_is_served(
    make: Callable[[Path], Path], run: Run, tmp_path: Path
) -> None:
    bundle = make(tmp_path / "a bundle")
    done = run("demo", bundle, status=3)
    assert done.stdout == b""
    reads = "sounds" if make is sounds_bundle else "series"
    assert done.stderr.decode() == (
        f"edge-runtime: {bundle}: is a model of {reads}, and the page reads images only;"
        f" edge-runtime predict --model '{bundle}' reads {reads}\n"
    )


@needs_library
def test_what_is_exported_is_what_is_served(run: Run, tmp_path: Path) -> None:
    run("demo", "--export", tmp_path / "site")
    site = tmp_path / "site"
    files = page_files(None)
    written = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert written == set(files)
    for name in ("manifest.json", "model.onnx", "golden/golden.json"):
        assert (site / "bundle" / name).read_bytes() == (BUILT_IN / name).read_bytes()
    assert b"MIT License" in files[f"{LIBRARY}/LICENSE.txt"]
    assert b"protobuf" in files[f"{LIBRARY}/ThirdPartyNotices.txt"]
    done = run("demo", "--export", site, status=2)
    assert b"is not empty" in done.stderr
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        export(files, tmp_path / "file")


@needs_library
def test_the_command_serves_until_it_is_interrupted(home: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [EXECUTABLE, "demo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment(home),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", address)
        assert found
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=TIMEOUT)
        connection.request("GET", "/bundle/manifest.json")
        assert connection.getresponse().read() == (BUILT_IN / "manifest.json").read_bytes()
        connection.close()
        os.kill(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert errors.splitlines()[-1] == "edge-runtime: interrupted"
    assert len(errors.splitlines()) == 2
