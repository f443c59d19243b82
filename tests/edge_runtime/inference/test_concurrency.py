"""Threads, processes, forks and long runs: right answers or a clear error, and nothing grows."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import BUILT_IN

from ...campaigns.long_run import descriptors, native_threads, predict_many, resident
from ...support.helpers import DIGITS, GOLDEN, TIMEOUT, environment

PATHS = [str(GOLDEN / vector["image"]) for vector in DIGITS]
LABELS = [vector["label"] for vector in DIGITS]


def test_many_classifiers_in_one_process_do_not_disturb_each_other() -> None:
    kinds = [
        Classifier(),
        Classifier(BUILT_IN, top_k=3, threads=2),
        Classifier(BUILT_IN / "model.onnx", min_score=0.4),
        Classifier(precision="int8"),
    ] * 4
    expected = [kind.predict_batch(PATHS) for kind in kinds]
    with ThreadPoolExecutor(len(kinds)) as pool:
        for _ in range(4):
            assert list(pool.map(lambda kind: kind.predict_batch(PATHS), kinds)) == expected


def test_classifiers_can_be_made_in_threads_at_the_same_time(home: Path) -> None:
    """In a new process, so that the first import of onnxruntime is raced for too."""
    code = f"""
from concurrent.futures import ThreadPoolExecutor
from edge_runtime import Classifier
paths = {PATHS!r}
read = lambda _: [reading.label for reading in Classifier().predict_batch(paths)]
with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(read, range(16))) == [{LABELS!r}] * 16
"""
    run_python(code, home)


def run_python(code: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_fork_an_old_classifier_says_so_and_a_new_one_reads(
    home: Path, threads: int
) -> None:
    code = f"""
import os, signal
from edge_runtime import Classifier, EdgeRuntimeError
paths, labels = {PATHS!r}, {LABELS!r}
classifier = Classifier(threads={threads})
assert [reading.label for reading in classifier.predict_batch(paths)] == labels
child = os.fork()
if not child:
    signal.alarm({int(TIMEOUT) // 2})  # a hang is a failure
    try:
        classifier.predict(paths[0])
    except EdgeRuntimeError as error:
        assert "fork" in str(error) and "\\n" not in str(error), error
        again = Classifier(**classifier.arguments)
        assert [reading.label for reading in again.predict_batch(paths)] == labels
        os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
assert [reading.label for reading in classifier.predict_batch(paths)] == labels
"""
    run_python(code, home)


def test_processes_that_are_spawned_read_alike(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "spawning.py"
    script.write_text(f"""
import multiprocessing
from edge_runtime import Classifier

def read(path):
    return Classifier().predict(path).label

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(read, {PATHS!r}) == {LABELS!r}
""")
    run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", home)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_thousands_of_predictions_leave_no_descriptor_thread_or_memory_behind() -> None:
    """The short version of long_run.py."""
    classifier = Classifier()
    predict_many(classifier, 600, 64, 0, lambda hundredth: None)
    before = descriptors(), native_threads(), resident()
    predict_many(classifier, 2000, 64, 1, lambda hundredth: None)
    after = descriptors(), native_threads(), resident()
    assert after[:2] == before[:2]
    assert after[2] < before[2] * 1.05 + 2_000_000
