"""A run opens no connection and writes nothing but its output: what Python and the kernel saw."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.helpers import GOLDEN, TIMEOUT, environment

# Runs the command line with an audit hook that notes sockets, new processes and writing opens.
WATCHED = """
import json, os, sys
seen = []
def watch(event, details):
    if event.startswith(("socket.", "os.system", "os.exec", "os.posix_spawn")):
        seen.append([event, str(details[0])])
    elif event == "open" and isinstance(details[2], int):
        if details[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            seen.append([event, str(details[0])])
    elif event in ("os.remove", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate",
                   "os.rmdir", "os.chmod", "os.utime", "shutil.rmtree", "subprocess.Popen"):
        seen.append([event, str(details[0])])
log = sys.argv.pop(1)
sys.addaudithook(watch)
from edge_runtime.__main__ import main
try:
    main()
finally:
    found = list(seen)
    with open(log, "w") as file:
        json.dump(found, file)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    shutil.copytree(GOLDEN, images)
    (images / "broken.tif").write_bytes((GOLDEN / "9.tif").read_bytes()[:900])
    return images


def files_of(*tops: Path) -> set[Path]:
    return {path for top in tops for path in top.rglob("*")}


def test_a_run_writes_its_output_and_opens_no_connection(
    tmp_path: Path, home: Path, folder: Path
) -> None:
    environ = environment(home, TMPDIR=str(home), PYTHONDONTWRITEBYTECODE="1")
    assert "CI" not in environ
    before = files_of(tmp_path)
    for arguments in (
        ["predict", "images", "-o", "rows.csv", "--all-files"],
        ["predict", "images", "-o", "rows.csv", "--all-files", "--resume", "--workers", "2"],
        ["check"],
        ["info"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, "events.json", *arguments],
            capture_output=True,
            env=environ,
            cwd=tmp_path,
            timeout=TIMEOUT,
        )
        assert done.returncode in (0, 1), done.stderr.decode()
        events = json.loads((tmp_path / "events.json").read_text())
        allowed = {"rows.csv", os.devnull} if arguments[0] == "predict" else set()
        unexpected = [
            (event, what)
            for event, what in events
            if event != "open" or not (what in allowed or what.isdigit())  # digits: open already
        ]
        assert unexpected == []
    new = files_of(tmp_path) - before
    assert new == {tmp_path / "rows.csv", tmp_path / "events.json"}
    assert list(home.iterdir()) == []


CALLS = re.compile(rb"^(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)$")
WRITING = (b"O_WRONLY", b"O_RDWR", b"O_CREAT", b"O_TRUNC", b"O_APPEND")
CHANGES = {
    *(b"mkdir", b"mkdirat", b"rename", b"renameat", b"renameat2", b"unlink", b"unlinkat"),
    *(b"link", b"linkat", b"symlink", b"symlinkat", b"chmod", b"fchmodat", b"utimensat"),
    *(b"truncate", b"mknod", b"mknodat"),
}


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_kernel_sees_no_connection_and_no_other_write(
    tmp_path: Path, home: Path, folder: Path
) -> None:
    """Of every thread and worker process, onnxruntime's native code included."""
    for number in range(40):  # enough files for two workers
        shutil.copytree(GOLDEN, folder / str(number))
    trace = tmp_path / "trace"
    names = "network,open,openat,openat2,creat," + ",".join(sorted(map(bytes.decode, CHANGES)))
    strace = ["strace", "-f", "-qq", "-e", f"trace={names}", "-e", "signal=none", "-o", trace]
    command = [sys.executable, "-B", "-m", "edge_runtime", "predict", "images"]
    done = subprocess.run(
        [*strace, *command, "-o", "rows.csv", "--workers", "2"],
        capture_output=True,
        env=environment(home, TMPDIR=str(home)),
        cwd=tmp_path,
        timeout=TIMEOUT,
    )
    if b"ptrace" in done.stderr or not trace.exists():
        pytest.skip("strace may not trace here")
    assert done.returncode == 1, done.stderr.decode()
    unexpected = []
    for line in trace.read_bytes().splitlines():
        match = CALLS.match(line)
        if match is None or b"resumed" in line:
            continue
        call, rest = match.groups()
        if call in (b"open", b"openat", b"openat2", b"creat"):
            writes = any(flag in rest for flag in WRITING)
            mine = (b'"rows.csv"', b'"/dev/null"', b'"/dev/shm/')
            if writes and not any(name in rest for name in mine):
                unexpected.append(line)
        elif call in CHANGES:
            # multiprocessing's semaphores: made in /dev/shm, unlinked at once.
            if b'"/dev/shm/' not in rest:
                unexpected.append(line)
        elif call != b"socketpair" and b"AF_UNIX" not in rest:
            unexpected.append(line)
    assert unexpected == []
    assert list(home.iterdir()) == []
