"""A forked process takes messages, answers them, and is gone when it should be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.system.forked import Channel, ForkedProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there are processes forked")


def echo(channel: Channel) -> None:
    while True:
        channel.send(channel.recv())


def test_messages_of_any_size_come_back_as_they_were() -> None:
    process = ForkedProcess(echo)
    for message in (None, ["a\udcff"], b"\0" * 3_000_000, BlockingIOError("x")):
        process.channel.send(message)
        assert repr(process.channel.recv()) == repr(message)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(EOFError):
        process.channel.recv()
    with pytest.raises(BrokenPipeError):
        process.channel.send("more")
    for _ in range(2):
        process.channel.close()
        process.kill()
        process.join()


def test_the_process_ends_with_its_work() -> None:
    process = ForkedProcess(lambda channel: channel.send("done"))
    assert process.channel.recv() == "done"
    process.join()
    assert process.exitcode == 0


AHEAD = """
import os
from edge_runtime.system.forked import end_ahead, fork_ahead, take_ahead
from edge_runtime.system.workers import serve, work_in_order
def prepared(channel):
    os.environ["AHEAD"] = "yes"
    serve(channel)
def start():
    return lambda paths: os.environ.get("AHEAD")
fork_ahead(prepared)
print(*work_in_order(start, [["a"], ["b"]], 1, None, 60), take_ahead())
fork_ahead(prepared)
end_ahead()
print(*work_in_order(start, [["a"]], 1, None, 60))
"""


def test_a_process_forked_ahead_is_the_first_worker() -> None:
    done = subprocess.run([sys.executable, "-c", AHEAD], capture_output=True, timeout=60, text=True)
    assert (done.stdout, done.stderr) == ("yes yes None\nNone\n", "")


TOO_MANY = """
import resource
from edge_runtime.system.forked import fork_ahead, take_ahead
resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
fork_ahead(print)
print(take_ahead())
"""


def test_where_no_process_can_be_forked_ahead_none_is() -> None:
    done = subprocess.run([sys.executable, "-c", TOO_MANY], capture_output=True, timeout=60)
    assert done.stdout.split() == [b"None"], done.stderr


IGNORED = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "edge_runtime", *sys.argv[1:]])
"""


@pytest.mark.parametrize("started", ["-m edge_runtime", "by a parent that lets children be"])
def test_a_mistake_in_the_options_leaves_no_process(started: str, tmp_path: Path) -> None:
    program = ["-m", "edge_runtime"] if started.startswith("-m") else ["-c", IGNORED]
    mark = f"EDGE_RUNTIME_TEST={tmp_path}"
    with open(tmp_path / "said", "w") as said:  # the end of a pipe would wait for the process
        status = subprocess.call(
            [sys.executable, *program, "predict", "--nonsense"],
            env={**os.environ, "EDGE_RUNTIME_TEST": str(tmp_path)},
            stderr=said,
            timeout=60,
        )
    assert status == 2
    text = (tmp_path / "said").read_text()
    assert text.startswith("edge-runtime: No such option '--nonsense'")
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert mark.encode() not in environ.read_bytes()
        except OSError:
            continue  # another user's, or it has just ended
