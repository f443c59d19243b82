"""`edge-runtime bench`: every figure is there, belongs together, and is of the right files."""

from __future__ import annotations

import json
import shutil
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.deployment.benchmark import (
    BATCH_SIZES,
    Latency,
    Report,
    bench,
    peak_memory,
    time_calls,
)

from ...conftest import Run
from ...support.helpers import DIGITS, GOLDEN, VECTORS, flip_byte

MOMENT = 0.01  # s, enough for a few calls


@pytest.fixture(scope="module")
def report() -> Report:
    return bench(seconds=MOMENT)


def test_the_command_prints_a_table_and_writes_the_figures(
    run: Run, bundle: Path, home: Path, tmp_path: Path
) -> None:
    (bundle / "model.int8.onnx").unlink()
    text = run("bench", bundle, "--json", "bench.json").stdout.decode()
    figures: dict[str, Any] = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert [batch["size"] for batch in figures["batches"]] == list(BATCH_SIZES)
    for timed in figures["steps"] + figures["batches"]:
        assert f"{timed['latency']['median_ms']:.3f}" in text
        assert timed["precision"] in ("fp32", None)
    file = Manifest.load(bundle).find("onnx", "fp32")
    assert file
    assert figures["models"] == {"fp32": {"path": "model.onnx", "sha256": file.sha256}}
    assert {"python", "edge-runtime", "numpy", "onnxruntime", "pillow"} == figures["machine"][
        "libraries"
    ].keys()
    assert f"peak memory {figures['peak_memory_bytes'] / 1e6:.0f} MB" in text
    assert all(len(line) <= 80 for line in text.splitlines() if str(bundle) not in line)
    assert list(home.rglob("*")) == []


def test_its_help_names_every_option_within_80_columns(run: Run) -> None:
    text = run("bench", "--help").stdout.decode()
    assert {"--images", "--json"} <= set(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_every_precision_is_measured_with_every_batch_size(report: Report) -> None:
    found = [(batch.precision, batch.size) for batch in report.batches]
    assert found == list(product(("fp32", "int8"), BATCH_SIZES))
    for batch in report.batches:
        assert batch.images_per_second == pytest.approx(batch.size / batch.latency.mean_ms * 1000)
    assert report.images_read == len(VECTORS)


def test_the_steps_add_up_to_the_whole(report: Report) -> None:
    means = {(step.name, step.precision): step.latency.mean_ms for step in report.steps}
    before = means["decode", None] + means["preprocess", None]
    for precision in ("fp32", "int8"):
        whole = means["together", precision]
        assert whole == pytest.approx(before + means["inference", precision])
    for latency in [timed.latency for timed in (*report.steps, *report.batches)]:
        assert 0 < latency.median_ms <= latency.p95_ms <= latency.p99_ms


def test_latencies_are_the_percentiles_of_what_was_timed() -> None:
    latency = Latency.of([number * 1_000_000 for number in range(101)])
    assert latency == Latency(101, 50.0, 50.0, 95.0, 99.0)


def test_calls_fill_the_time_and_slow_ones_are_still_timed_three_times() -> None:
    assert time_calls(lambda: time.sleep(0.001), 0.1).samples > 10
    slow = time_calls(lambda: time.sleep(0.02), 0.001)
    assert slow.samples == 3
    assert slow.median_ms >= 20


def test_a_folder_of_ones_own_is_measured_without_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    for vector in DIGITS[:4]:
        shutil.copyfile(GOLDEN / vector["image"], tmp_path / "inside" / vector["image"])
    (tmp_path / "empty.png").touch()
    (tmp_path / "notes.txt").write_text("passed over")
    report = bench(images=tmp_path, seconds=MOMENT)
    assert (report.images_read, report.images_unreadable) == (4, 1)
    assert f"4 from {tmp_path}, 1 unreadable" in " ".join(report.table().split())


def test_memory_is_the_highest_that_was_held() -> None:
    held = np.ones(200_000_000, np.uint8)
    least = held.nbytes
    del held
    found = peak_memory()
    assert found is not None
    assert found > least


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--images", "absent"], 2, "'absent' does not exist"),
        (["--json", "absent/bench.json"], 2, "there is no folder absent"),
        (["--images", "empty", "--json", "bench.json"], 1, "empty: holds no image that can be"),
        (["empty"], 3, "empty: holds no manifest.json; give a bundle"),
    ],
    ids=["no folder", "nowhere to write", "no image", "no bundle"],
)
def test_what_cannot_be_measured_is_said_in_one_line(
    run: Run, tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = run("bench", *arguments, status=status)
    assert words in done.stderr.decode().splitlines()[-1]
    assert done.stdout == b""
    assert not (tmp_path / "bench.json").exists()


def test_an_altered_or_absent_model_is_status_three(run: Run, bundle: Path) -> None:
    flip_byte(bundle / "model.int8.onnx")
    assert b"SHA-256 is" in run("bench", bundle, status=3).stderr
    for name in ("model.onnx", "model.int8.onnx"):
        (bundle / name).unlink()
    assert b"has no ONNX file" in run("bench", bundle, status=3).stderr


def test_a_lone_file_is_measured_with_images_of_ones_own(bundle: Path) -> None:
    whole = bench(bundle, seconds=MOMENT)
    lone = bench(bundle / "model.onnx", bundle / "golden", seconds=MOMENT)
    assert (lone.name, lone.version) == (whole.name, whole.version)
    path, sha256 = whole.models["fp32"]["path"], whole.models["fp32"]["sha256"]
    assert lone.models == {"lone file": {"path": path, "sha256": sha256}}
    assert {step.precision for step in lone.steps} == {None, "lone file"}
    assert {batch.precision for batch in lone.batches} == {"lone file"}
    assert lone.images_read == len(VECTORS)
    assert "together, lone file" in lone.table()
