"""A folder that is watched for as long as it lasts, by real processes."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.deployment.update import update
from edge_runtime.watch.model_process import ModelProcess

from ...campaigns.watching import Campaign
from ...conftest import Run
from ...support.helpers import (
    BAD_DECODERS,
    DIGITS,
    GOLDEN,
    LABELS,
    TIMEOUT,
    copy_bundle,
    edit_manifest,
    environment,
    flip_byte,
    rows_of,
)
from ...support.small_bundles import npy, rise, series_bundle
from ..deployment.test_golden import edit_golden

PNGS = [vector for vector in DIGITS if vector["image"].endswith(".png")]


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# As the program, with shorter waits; the campaign below runs the program itself.
QUICK = f"""
{BAD_DECODERS}
from edge_runtime.watch import arrivals, loop
arrivals.SETTLED_SECONDS = loop.LOOK_SECONDS = 0.4
loop.REPORT_SECONDS = 0.4
from edge_runtime.__main__ import main
main()
"""


class Watching:
    """A watch of `in/` that is running."""

    def __init__(self, top: Path, home: Path, *arguments: object, in_journal: bool = False) -> None:
        self.incoming, self.rows_path = top / "in", top / "rows.csv"
        self.incoming.mkdir(exist_ok=True)
        self._log = top / "log"
        with open(self._log, "wb") as log:
            found = os.fstat(log.fileno())
            journal = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"} if in_journal else {}
            self.process = subprocess.Popen(
                [sys.executable, "-c", QUICK, "watch", "in", *map(str, arguments)],
                cwd=top,
                env=environment(home, **journal),
                stderr=log,
                # A shell that runs the tests in the background would have it ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        if "--quiet" not in arguments:
            until(lambda: "watching in" in self.said or self.process.poll() is not None)

    @property
    def said(self) -> str:
        return self._log.read_text("utf-8")

    @property
    def rows(self) -> list[tuple[str, str]]:
        rows = rows_of(self.rows_path.read_bytes())
        return [(row["path"].removeprefix("in/"), row["label"] or row["status"]) for row in rows]

    def arrive(self, name: str, vector: int = 0) -> None:
        (self.incoming / name).write_bytes((GOLDEN / PNGS[vector]["image"]).read_bytes())

    def until(self, true: Callable[[], object]) -> None:
        until(lambda: true() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Callable[..., Watching]]:
    with contextlib.ExitStack() as started:

        def start(*arguments: object, **options: bool) -> Watching:
            watching = Watching(tmp_path, home, *arguments, **options)
            started.callback(watching.process.kill)
            return watching

        yield start


Start = Callable[..., Watching]


def test_files_get_a_row_as_they_arrive_and_one_only_after_a_restart(
    tmp_path: Path, start: Start
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(GOLDEN / "0.png", tmp_path / "in" / "before.png")
    watching = start("-o", "rows.csv")
    watching.arrive("a.png", 1)
    (watching.incoming / "bad.png").write_bytes(b"no image")
    (watching.incoming / "notes.txt").write_bytes(b"no image")
    until(lambda: len(watching.rows) == 3)
    assert watching.end() == 0
    assert "INFO ended after 2 images, 1 failed: 1 not_an_image\n" in watching.said
    first = [
        ("a.png", LABELS["1.png"]),
        ("bad.png", "not_an_image"),
        ("before.png", LABELS["0.png"]),
    ]
    assert sorted(watching.rows) == first
    watching.arrive("meanwhile.png", 2)
    watching = start("-o", "rows.csv")
    watching.arrive("a.png", 3)  # the same name, another file
    until(lambda: len(watching.rows) == 5)
    assert watching.end(signal.SIGINT) == 130
    assert watching.rows[3:] == [("a.png", LABELS["3.png"]), ("meanwhile.png", LABELS["2.png"])]


def test_files_are_moved_into_a_folder_for_each_class(tmp_path: Path, start: Start) -> None:
    model = series_bundle(tmp_path / "slopes")
    watching = start("--model", model, "--sort-into", "sorted", "--min-score", 0.9)
    for series in (rise(), -rise(), rise()):
        (watching.incoming / "latest.npy").write_bytes(npy(series))
        watching.until(lambda: not list(watching.incoming.iterdir()))
    (watching.incoming / "unsure.npy").write_bytes(npy(np.abs(rise() - rise().mean())))
    (watching.incoming / "bad.npy").touch()
    until(lambda: not list(watching.incoming.iterdir()))
    assert watching.end() == 0
    found = {str(p.relative_to(tmp_path / "sorted")) for p in (tmp_path / "sorted").rglob("*.npy")}
    assert found == {
        *("rise/latest.npy", "fall/latest.npy", "rise/latest-2.npy"),
        *("unknown/unsure.npy", "failed/empty/bad.npy"),
    }


KILLED_AT_THE_NTH_MOVE = """
import os, signal, sys
from edge_runtime.watch.sorting import Sorter
left = int(sys.argv.pop(1))
move = Sorter.move
def last(self, planned):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return move(self, planned)
Sorter.move = last
from edge_runtime.__main__ import main
main()
"""


def test_a_kill_between_a_row_and_its_move_loses_and_doubles_nothing(
    tmp_path: Path, home: Path, start: Start
) -> None:
    options = ("-o", "rows.csv", "--sort-into", "sorted")
    (tmp_path / "in").mkdir()
    for number in range(5):
        shutil.copy(GOLDEN / PNGS[number]["image"], tmp_path / "in" / f"{number}.png")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_NTH_MOVE, "3", "watch", "in", *options],
        cwd=tmp_path,
        env=environment(home),
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "in").iterdir())) == 3
    # Of the names whose move was prevented, one now is another file: it needs a row of its own.
    (tmp_path / "in" / "4.png").unlink()
    shutil.copy(GOLDEN / PNGS[0]["image"], tmp_path / "in" / "4.png")
    watching = start(*options)
    until(lambda: not list(watching.incoming.iterdir()))
    assert watching.end() == 0
    expected = [(f"{number}.png", PNGS[number]["label"]) for number in range(5)]
    assert watching.rows == [*expected, ("4.png", PNGS[0]["label"])]
    assert {str(p.relative_to(tmp_path / "sorted")) for p in tmp_path.rglob("sorted/*/*.png")} == {
        *(f"{label}/{name}" for name, label in expected[:4]),
        f"{PNGS[0]['label']}/4.png",
    }


@pytest.mark.parametrize("how", ["rows", "both"])
def test_a_watch_that_is_killed_and_restarted_reads_each_file_once(
    tmp_path: Path, how: str
) -> None:
    """The short version of watch_campaign.py."""
    campaign = Campaign(tmp_path, how, files=200, seed=1)
    campaign.run(kills=2, seconds=3)


def test_a_process_that_dies_costs_no_file(start: Start) -> None:
    watching = start("-o", "rows.csv")
    watching.arrive("a.png")
    until(lambda: len(watching.rows) == 1)
    children = Path(f"/proc/{watching.process.pid}/task/{watching.process.pid}/children")
    if not children.exists():
        pytest.skip("needs /proc to find the process")
    os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
    watching.arrive("b.png")
    until(lambda: len(watching.rows) == 2)
    assert watching.rows[1] == ("b.png", PNGS[0]["label"])
    assert watching.end() == 0


def test_a_file_that_hangs_holds_up_the_others_for_a_while(start: Start) -> None:
    watching = start("-o", "rows.csv", "--timeout", 1)
    watching.arrive("hang.png")
    watching.arrive("later.png")
    until(lambda: len(watching.rows) == 2)
    assert sorted(watching.rows) == [("hang.png", "timeout"), ("later.png", PNGS[0]["label"])]
    assert watching.end() == 0


def test_a_log_has_levels_and_the_counts_of_each_minute(start: Start) -> None:
    watching = start("-o", "rows.csv", "--format", "csv", "--top-k", 2)
    watching.arrive("a.png")
    until(lambda: " INFO 1 image in the last " in watching.said)
    (watching.incoming / "bad.png").write_bytes(b"no image")
    until(lambda: " WARNING no images in the last " in watching.said)
    assert ", 1 failed: 1 not_an_image\n" in watching.said
    assert watching.end() == 0
    (first, second) = rows_of(watching.rows_path.read_bytes())
    assert first["label_2"] not in ("", first["label"])
    assert second["label_2"] == ""


def test_a_quiet_watch_of_jsonl_says_nothing(start: Start) -> None:
    watching = start("-o", "rows.txt", "--format", "jsonl", "--quiet")
    watching.arrive("a.png")
    log = watching.rows_path.with_suffix(".txt")
    until(lambda: log.exists() and log.read_bytes().startswith(b'{"path": "in/a.png"'))
    assert watching.end() == 0
    assert watching.said == ""


WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def other_labels(bundle: Path) -> None:
    """Make the bundle call its digits by words, as a newer model might."""
    edit_golden(
        bundle,
        lambda vectors: [
            vector
            | ({"label": WORDS[int(vector["label"])]} if vector["label"] != "unknown" else {})
            for vector in vectors
        ],
    )
    edit_manifest(bundle, lambda data: data.update(labels=WORDS))
    edit_manifest(
        bundle,
        lambda data: data.update(
            files=[file for file in data["files"] if file["path"] != "labels.txt"]
        ),
    )
    (bundle / "labels.txt").unlink()


def test_a_changed_model_is_checked_and_then_used_and_a_bad_one_is_not(
    tmp_path: Path, start: Start
) -> None:
    bundle, newer = copy_bundle(tmp_path / "bundle"), copy_bundle(tmp_path / "newer")
    other_labels(newer)
    watching = start("-o", "rows.csv", "--model", "bundle")
    flip_byte(bundle / "model.onnx")
    until(lambda: "the model from before goes on" in watching.said)
    assert "bundle/model.onnx" in watching.said
    watching.arrive("a.png", 3)
    until(lambda: len(watching.rows) == 1)
    update(newer, bundle)
    until(lambda: "bundle has changed, passes its checks" in watching.said)
    watching.arrive("b.png", 3)
    until(lambda: len(watching.rows) == 2)
    assert watching.rows == [("a.png", PNGS[3]["label"]), ("b.png", WORDS[int(PNGS[3]["label"])])]
    assert watching.end() == 0
    levels = [line.split()[2] for line in watching.said.splitlines() if "last" not in line]
    assert levels == ["INFO", "WARNING", "INFO", "INFO"]


def test_int8_is_proved_by_its_labels() -> None:
    process = ModelProcess({"model": BUILT_IN, "precision": "int8"}, 64_000_000, 60)
    (result,) = process.classify([str(GOLDEN / "3.png")])
    process.close()
    assert result.prediction
    assert result.prediction.label == LABELS["3.png"]


def test_a_torn_row_is_cut_off_and_its_file_read_again(
    run: Run, tmp_path: Path, start: Start
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(GOLDEN / "0.png", tmp_path / "in" / "a.png")
    whole = run("predict", "in/a.png").stdout
    (tmp_path / "rows.csv").write_bytes(whole[:-9] + bytes(5))
    watching = start("-o", "rows.csv")
    until(lambda: watching.rows_path.read_bytes() == whole)
    assert watching.end() == 0


HEADER = b"path,status,label,score,error\n"


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (b"name,age\n", b"begins with"),
        (HEADER + b"in/a.png,ok,0,0.9\nin/b.png,ok,0,0.900000,\n", b"is no row"),
        (HEADER + b"/other/a.png,ok,0,0.900000,\n", b"not of a file in in"),
    ],
)
def test_an_output_of_something_else_is_left_alone(
    run: Run, tmp_path: Path, earlier: bytes, said: bytes
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "rows.csv").write_bytes(earlier)
    done = run("watch", "in", "-o", "rows.csv", status=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "rows.csv").read_bytes() == earlier


def test_wrong_use_is_told_in_a_line(run: Run, tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "in").mkdir()
    flip_byte(bundle / "model.onnx")
    for arguments, status in (
        (["in"], 2),
        (["in", "-o", "-"], 2),
        (["absent", "-o", "rows.csv"], 2),
        (["in", "-o", "rows.csv", "--model", bundle], 3),
    ):
        done = run("watch", *arguments, status=status)
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "rows.csv").exists()


def test_a_folder_that_is_removed_ends_it_in_a_line(start: Start) -> None:
    watching = start("-o", "rows.csv", in_journal=True)
    watching.incoming.rmdir()
    assert watching.process.wait(TIMEOUT) == 1
    first, last = watching.said.splitlines()
    assert first.startswith("<6>watching in")
    assert last.startswith("<3>edge-runtime: in: ")


def test_a_terminal_shows_each_file(tmp_path: Path, home: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/bad.png").write_bytes(b"no image")
    shutil.copyfile(GOLDEN / "0.png", tmp_path / "in/good.png")
    terminal, end = pty.openpty()
    command = [sys.executable, "-c", QUICK, "watch", "in", "-o", "rows.csv"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment(home), stderr=end)
    os.close(end)
    said = ""
    try:
        while "good.png" not in said:
            said += os.read(terminal, 65536).decode()
    finally:
        process.kill()
        process.wait(TIMEOUT)
        os.close(terminal)
    lines = said.split("\r\n")
    assert "in/bad.png  not_an_image: not one of " in lines[1]
    assert lines[2].startswith(f"in/good.png  {LABELS['0.png']}  ")
