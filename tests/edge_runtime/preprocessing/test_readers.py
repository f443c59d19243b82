"""Bundles of sounds and of series through the command line: rows, statuses, checks, resuming."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.deployment.benchmark import bench
from edge_runtime.inference.batch import classify_files
from edge_runtime.inputs.formats import PLURALS

from ...campaigns.attack_signals import write
from ...conftest import Run
from ...support.helpers import EXECUTABLE, GOLDEN, TIMEOUT, edit_manifest, environment, rows_of
from ...support.small_bundles import npy, rise, series_bundle, sounds_bundle, tone, wav

MOST_MEMORY = 64_000_000 * 20 + 200_000_000  # as docs/security.md promises


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("bundles")
    return {"sound": sounds_bundle(top / "sounds"), "series": series_bundle(top / "series")}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everything: read, never written."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "a.wav").write_bytes(wav(tone(300)))
    (folder / "b.WAV").write_bytes(wav(tone(2500)))
    (folder / "c.npy").write_bytes(npy(rise()))
    (folder / "d.png").write_bytes((GOLDEN / "7.bmp").read_bytes())
    (folder / "inner").mkdir()
    (folder / "inner/e.wav").write_bytes(wav(tone(2500))[:-1])
    (folder / "inner/f.npy").write_bytes(npy(-rise()))
    (folder / "notes.txt").write_text("neither")
    return folder


ROWS = {
    "sound": [
        *(("a.wav", "ok", "low"), ("b.WAV", "ok", "high")),
        ("inner/e.wav", "corrupt", ""),
    ],
    "series": [("c.npy", "ok", "rise"), ("inner/f.npy", "ok", "fall")],
}


@pytest.mark.parametrize(("kind", "many"), [("sound", "2 sounds in"), ("series", "2 series in")])
def test_a_folder_is_walked_for_the_files_that_the_model_reads(
    run: Run, bundles: dict[str, Path], mixed: Path, kind: str, many: str
) -> None:
    for model in (bundles[kind], bundles[kind] / "model.onnx"):
        done = run("predict", mixed, "--model", model, status=None)
        rows = [
            (os.path.relpath(row["path"], mixed), row["status"], row["label"])
            for row in rows_of(done.stdout)
        ]
        assert rows == ROWS[kind]
        summary = done.stderr.decode()
        assert summary.startswith(many)
        assert f"{7 - len(rows)} other files passed over" in summary
    results = Classifier(bundles[kind]).predict_folder(mixed)
    assert [result.status for result in results] == [row[1] for row in rows]


STATUSES = {
    "sound": ["ok", "ok", "wrong_kind", "wrong_kind", "corrupt", "wrong_kind", "not_a_sound"],
    "series": ["wrong_kind"] * 2 + ["ok"] + ["wrong_kind"] * 2 + ["ok", "not_a_series"],
    "image": ["wrong_kind"] * 3 + ["ok"] + ["wrong_kind"] * 2 + ["not_an_image"],
}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_file_of_another_kind_gives_one_row_that_says_what_it_is_and_what_is_read(
    run: Run, bundles: dict[str, Path], mixed: Path, kind: str
) -> None:
    model = ["--model", bundles[kind]] if kind in bundles else []
    done = run("predict", "--all-files", mixed, *model, status=1)
    rows = rows_of(done.stdout)
    assert [row["status"] for row in rows] == STATUSES[kind]
    found = {"wav": "a WAV sound", "npy": "an array (.npy)", "png": "an image"}
    read = {"image": "images (PNG", "sound": "sounds (WAV)", "series": "series (.npy)"}[kind]
    for row in rows:
        if row["status"] == "wrong_kind":
            what = found[row["path"].lower().rpartition(".")[2]]
            assert row["error"].startswith(f"{what}; this model reads {read}")


@pytest.mark.parametrize("kind", ["sound", "series"])
def test_no_row_depends_on_batches_workers_or_resuming(
    run: Run, bundles: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(80):
        sign = 1 if number % 3 else -1
        sound = wav(tone(300 + 28 * number, 0.2 + number / 50, 11025), 11025)
        series = npy(sign * rise(20, seed=number))
        data = sound if kind == "sound" else series
        (folder / f"{number:03}.{'wav' if kind == 'sound' else 'npy'}").write_bytes(
            data if number % 40 != 7 else data[:-3]
        )
    arguments = ["predict", "many", "--model", bundles[kind], "--top-k", 2]
    whole = run(*arguments, "--workers", 2, "--batch-size", 7, status=1).stdout
    assert {row["status"] for row in rows_of(whole)} == {"ok", "corrupt"}
    assert len({row["label"] for row in rows_of(whole)}) == 3  # both, and none where it failed
    (tmp_path / "rows.csv").write_bytes(whole[: len(whole) // 2])
    run(*arguments, "--workers", 1, "-o", "rows.csv", "--resume", status=1)
    assert (tmp_path / "rows.csv").read_bytes() == whole


@pytest.mark.parametrize("kind", ["sound", "series"])
def test_info_check_and_bench_say_what_the_model_reads(
    run: Run, bundles: dict[str, Path], kind: str
) -> None:
    words = {"sound": "kind log_mel, sample_rate 8000", "series": "kind series, normalise each"}
    assert words[kind] in run("info", bundles[kind]).stdout.decode()
    checked = run("check", bundles[kind]).stdout.decode()
    assert f"golden {kind}" in checked
    assert "3 of 3 golden vectors passed" in checked
    report = bench(bundles[kind], seconds=0.01)
    assert report.reads == kind
    assert report.images_read == 3
    table = report.table()
    assert f"one {kind} at a time" in table
    assert f"{PLURALS[kind]:<12}3 from the bundle's golden {PLURALS[kind]}" in table


def test_a_device_that_hears_something_else_fails_the_check(
    run: Run, bundles: dict[str, Path], tmp_path: Path
) -> None:
    bundle = shutil.copytree(bundles["sound"], tmp_path / "bundle")
    edit_manifest(bundle, lambda data: data["preprocessing"].update(hop=64))
    done = run("check", bundle, status=3)
    assert "2 of 3 golden vectors failed" in done.stderr.decode()


@pytest.mark.parametrize(("kind", "place"), [("sound", 0), ("series", 1)])
def test_every_hostile_file_gives_its_status_in_bounded_time_and_memory(
    bundles: dict[str, Path], tmp_path: Path, kind: str, place: int
) -> None:
    expected = write(tmp_path / "files")
    command = [EXECUTABLE, "predict", "--all-files", "files", "--model", bundles[kind]]
    process = subprocess.Popen(
        [*command, "-o", "rows.csv", "--workers", "1"],
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=tmp_path,
    )
    assert process.stderr
    stderr = process.stderr.read().decode()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 1
    assert len(stderr.splitlines()) == 2, stderr
    rows = rows_of((tmp_path / "rows.csv").read_bytes())
    found = {os.path.basename(row["path"]): row["status"] for row in rows}
    assert found.keys() == expected.keys()
    wrong = {name: status for name, status in found.items() if status != expected[name][place]}
    assert not wrong
    assert usage.ru_maxrss * 1024 < MOST_MEMORY
    assert usage.ru_utime + usage.ru_stime < TIMEOUT / 2


@pytest.mark.parametrize("kind", ["sound", "series"])
def test_damaged_files_are_read_or_refused(
    bundles: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    chance = np.random.default_rng(0)
    whole = wav(tone(300, 0.1)) if kind == "sound" else npy(rise())
    paths = []
    for number in range(300):
        data = np.frombuffer(whole, np.uint8).copy()
        data[chance.integers(0, min(len(data), 500), 2)] = chance.integers(0, 256, 2)
        path = tmp_path / str(number)
        path.write_bytes(data[: chance.integers(0, 2 * len(data))].tobytes())
        paths.append(str(path))
    results = list(classify_files(Classifier(bundles[kind]), paths))
    assert len(results) == 300
    documented = {"ok", "empty", "wrong_kind", "corrupt", "too_large"}
    documented |= {f"not_a_{kind}", "wrong_shape"}
    statuses = [result.status for result in results]
    assert {"ok", "corrupt"} <= set(statuses) <= documented
    assert all(result.error is None or "\n" not in result.error for result in results)


LOADED = """
import sys
from edge_runtime import Classifier
Classifier({model!r}).predict({source!r})
print(*(name.removeprefix("edge_runtime.") for name in sys.modules))
"""


@pytest.mark.parametrize("kind", ["image", "sound", "series"])
def test_only_what_the_model_needs_is_loaded(
    bundles: dict[str, Path], home: Path, kind: str
) -> None:
    sources = {"image": "7.bmp", "sound": "low.wav", "series": "rise.npy"}
    bundle = bundles.get(kind, GOLDEN.parent)
    code = LOADED.format(model=str(bundle), source=str(bundle / "golden" / sources[kind]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=TIMEOUT,
        check=True,
    )
    own = {
        "image": {"preprocessing.image", "preprocessing.ink.crop", "preprocessing.ink.find", "PIL"},
        "sound": {
            "preprocessing.sound",
            "inputs.wav",
            "preprocessing.log_mel",
            "preprocessing.resample",
        },
        "series": {"preprocessing.series", "inputs.npy"},
    }
    loaded = set(done.stdout.split())
    assert own[kind] <= loaded
    for other in own.keys() - {kind}:
        assert not own[other] & loaded
