"""The same rows through Ray Data: every status, a lost worker, a bucket, an interrupted run.

One Ray of two processors serves the module; all of its processes are of this machine and end
with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.errors import OutputError
from edge_runtime.inference.batch import classify_files
from edge_runtime.inference.results import Result
from edge_runtime.inputs.walk import walk
from edge_runtime.output.row_format import RowFormat

from ...conftest import Run
from ...support.helpers import BAD_DECODERS, EXECUTABLE, GOLDEN, environment, png_claiming
from ..cli.test_predict import ODD_NAMES

pytest.importorskip("pyarrow", reason="needs edge-runtime[ray]")
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of the tests" * 4}  # as the CLI does
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Ray's own imports
    pytest.importorskip("ray", reason="needs edge-runtime[ray]")
    import pyarrow.parquet as pq
    import ray.data

    from edge_runtime.distributed import storage
    from edge_runtime.distributed.job import Job, ShardSummary
    from edge_runtime.distributed.ray import Predict, _connected
    from edge_runtime.distributed.ray import run as run_on_ray

from .test_job import job_of

# Ray's own: files and sockets that it leaves to the collector, its deprecations.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

WAIT = 120  # s, for what Ray starts


@pytest.fixture(scope="module")
def engine(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two workers; the S3 server's address is in their environment."""
    hooks = tmp_path_factory.mktemp("hooks")
    (hooks / "sitecustomize.py").write_text(BAD_DECODERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(hooks))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _connected(None, 2):
                yield
    assert processes("ray::") == []


def processes(words: str) -> list[int]:
    """The processes that this one's Ray started and whose command has these words in it."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            commands[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        parents[int(folder.name)] = int(stat[1])

    def mine(process: int) -> bool:
        while process not in (0, 1, os.getpid()):
            process = parents.get(process, 0)
        return process == os.getpid()

    return [process for process in commands if words in commands[process] and mine(process)]


@pytest.fixture(scope="module")
def mixed(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every status but `permission`, which root has, and `crashed`."""
    top = tmp_path_factory.mktemp("mixed")
    shutil.copytree(scans / "a", top / "a")
    for name in ODD_NAMES:
        shutil.copyfile(GOLDEN / "7.bmp", os.path.join(os.fsencode(top), name))
    (top / "large.png").write_bytes(png_claiming(9000, 9000))
    (top / "text.png").write_text("text")
    (top / "loop.png").symlink_to("loop.png")
    (top / "gone.png").symlink_to("nowhere.png")
    (top / "notes.txt").touch()
    return top


def local(*sources: object, format: str = "jsonl") -> bytes:
    """The rows of the local engine."""
    return RowFormat(format).rows(classify_files(Classifier(), walk(map(str, sources))))  # type: ignore[arg-type]


def rows(job: Job) -> bytes:
    names = sorted(f.base_name for f in storage.listed(job.local(job.output)))
    assert names[:2] == ["_SUCCESS", "_run.json"]
    return b"".join(storage.load(job.inside(name)) for name in names if name.startswith("part-"))


def test_every_file_has_the_row_of_the_local_engine(
    engine: None, mixed: Path, tmp_path: Path
) -> None:
    expected = local(mixed, "absent.png", "/dev/null")
    job = job_of(tmp_path / "out", mixed, "absent.png", "/dev/null", format="jsonl", shard_files=64)
    done = list(run_on_ray(job, workers=2))
    assert rows(job) == expected
    for status in [
        "ok",
        "not_found",
        "not_a_file",
        "empty",
        "not_an_image",
        "corrupt",
        "too_large",
        "unreadable",
    ]:
        assert f'"status": "{status}"'.encode() in expected, status
    assert sum(d.passed_over for d in done) == 1
    assert sum(d.counts.files for d in done) == expected.count(b"\n")
    with pytest.raises(OutputError, match="not empty"):
        next(run_on_ray(job, workers=2))
    again = list(run_on_ray(replace(job, resume=True), workers=2))
    assert all(d.earlier for d in again)
    assert rows(job) == expected


def test_a_killed_worker_costs_no_row_and_doubles_none(
    engine: None, scans: Path, tmp_path: Path
) -> None:
    job = job_of(tmp_path / "out", scans, scans, format="jsonl", shard_files=40)
    done: list[ShardSummary] = []
    for shard in run_on_ray(job, workers=2):
        if len(done) == 5:
            victims = processes("MapWorker(MapBatches(_ShardWorker))")
            assert victims
            os.kill(victims[0], signal.SIGKILL)
        done.append(shard)
    assert sum(d.counts.files for d in done) == 1080
    assert rows(job) == local(scans, scans)
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("crash.png", "crashed", "the process reading it ended, killed by SIGKILL"),
        ("hang.png", "timeout", "took longer than 1 s"),
    ],
)
def test_a_file_that_ends_its_process_or_hangs_has_a_row_that_says_so(
    engine: None, tmp_path: Path, name: str, status: str, error: str
) -> None:
    bad = tmp_path / "in" / name
    shutil.copytree(GOLDEN, tmp_path / "in")
    bad.write_bytes(b"x")
    job = job_of(tmp_path / "out", tmp_path / "in", format="jsonl", timeout=1)
    (done,) = run_on_ray(job, workers=1)
    assert done.counts.statuses == {"ok": 13, status: 1}
    bad.unlink()
    others = local(tmp_path / "in").splitlines()
    row = RowFormat("jsonl").rows([Result(str(bad), status, None, error)])
    assert sorted(rows(job).splitlines()) == sorted([*others, row.rstrip()])


def test_from_a_bucket_into_a_bucket(engine: None, s3: str, scans: Path, tmp_path: Path) -> None:
    for path in (scans / "b").iterdir():
        storage.write(f"{s3}/ray/in/{path.name}", path.read_bytes())
    job = job_of(f"{s3}/ray/out", f"{s3}/ray/in", format="jsonl", shard_files=64)
    assert sum(d.counts.files for d in run_on_ray(job, workers=2)) == 210
    there = rows(job).replace(f"{s3}/ray/in".encode(), bytes(scans / "b"))
    assert there == local(scans / "b")


def test_predict_in_a_program_of_ones_own(engine: None, mixed: Path) -> None:
    paths = [str(path) for path in sorted((mixed / "a").iterdir())[:40]] + ["absent.png"]
    expected = list(classify_files(Classifier(min_score=0.9), paths))
    without = ray.data.from_items([{"path": path} for path in paths])
    read = ray.data.from_items(
        [{"path": path, "bytes": Path(path).read_bytes(), "mine": 1} for path in paths[:-1]]
    )
    for dataset, count in ((without, 41), (read, 40)):
        found = dataset.map_batches(
            Predict,
            fn_constructor_kwargs={"min_score": 0.9, "top_k": 2},
            batch_size=16,
            compute=ray.data.ActorPoolStrategy(size=1),
        ).take_all()
        by_path = {row["path"]: row for row in found}
        assert len(found) == len(by_path) == count
        for result in expected[:count]:
            row = by_path[result.path]
            assert row["status"] == result.status
            assert row["label"] == (result.prediction and result.prediction.label)
            assert (row["label_2"] is None) == (result.prediction is None)


def test_predict_runs_on_the_providers_that_it_is_given() -> None:
    with pytest.raises(BundleError, match="has no provider 'abacus'"):
        Predict(providers=["abacus"])


def test_an_interrupted_command_says_130_and_is_resumed_by_another(
    run: Run, engine: None, home: Path, scans: Path, tmp_path: Path
) -> None:
    """The first with a Ray of its own, which ends with it and leaves nothing behind."""
    sources = [scans] * 24
    scratch = Path(tempfile.mkdtemp(prefix="e", dir="/tmp"))  # short, for Ray's sockets
    process = subprocess.Popen(
        [EXECUTABLE, "predict", *sources, "--engine", "ray", "-o", tmp_path / "out"],
        env=environment(home, TMPDIR=str(scratch)),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + WAIT
    while not list((tmp_path / "out").glob("part-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for name in ("raylet", "gcs_server"):
        (server,) = (
            p for p in processes(name) if str(scratch) in Path(f"/proc/{p}/cmdline").read_text()
        )
        environ = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
        assert {b"RAY_USAGE_STATS_ENABLED=0", b"RAY_AUTH_MODE=token"} <= set(environ)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=WAIT)
    assert process.returncode == 130, stderr.decode()
    lines = stderr.decode().splitlines()
    assert lines[-1] == "edge-runtime: interrupted; --resume goes on from here"
    assert len(lines) <= 3, lines
    scratch.rmdir()  # empty
    assert [
        p for p in processes("ray") if str(scratch) in Path(f"/proc/{p}/cmdline").read_text()
    ] == []

    address = ray.get_runtime_context().gcs_address
    assert address.startswith("127.")
    options = ["--engine", "ray", "--address", address, "-o", tmp_path / "out"]
    done = run("predict", *sources, *options, status=2)
    assert b"is not empty; --resume goes on" in done.stderr
    done = run("predict", *sources, *options, "--resume", status=1)
    summary, _ = done.stderr.decode().splitlines()
    assert summary.startswith("12,672 images, ")
    assert "288 failed: 144 corrupt, 144 empty" in summary
    table = pq.read_table(tmp_path / "out")
    expected = [r.path for r in classify_files(Classifier(), walk([str(scans)]))]
    assert table["path"].to_pylist() == expected * 24
