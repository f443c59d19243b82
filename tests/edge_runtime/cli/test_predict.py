"""`edge-runtime predict`, as real processes: rows, statuses, signals and resumed runs."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.output.encoding import Encoding, row_stream
from edge_runtime.output.row_format import written

from ...conftest import Run
from ...support.helpers import (
    DIGITS,
    EXECUTABLE,
    GOLDEN,
    LABELS,
    LEAST_SURE,
    TIMEOUT,
    edit_manifest,
    encoded,
    environment,
    png_claiming,
    rows_of,
)

GOOD = GOLDEN / "7.bmp"
ODD_NAMES = [
    b"comma, name.bmp",
    b'quote " name.bmp',
    b"new\nline.bmp",
    b"return\r.bmp",
    b"not-utf8-\xff.bmp",
    "日本.bmp".encode(),
]


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of good files with odd names and, between them, bad ones."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ODD_NAMES:
        shutil.copyfile(GOOD, os.path.join(os.fsencode(folder), name))
    (folder / "nothing.png").touch()
    (folder / "prose.png").write_text("no image")
    return folder


def start(home: Path, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    pipes: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    pipes["stdin"] = subprocess.DEVNULL
    # A shell that runs the tests in the background would have it ignored.
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [EXECUTABLE, *map(str, arguments)], env=environment(home), **pipes | options
    )


def test_a_folder_of_digits_gives_the_csv_of_the_contract(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    for vector in DIGITS:
        shutil.copyfile(GOLDEN / vector["image"], folder / vector["image"])
    done = run("predict", "digits")
    assert done.stdout.startswith(b"path,status,label,score,error\n")
    rows = rows_of(done.stdout)
    expected = sorted((f"digits/{vector['image']}", vector["label"]) for vector in DIGITS)
    assert [(row["path"], row["label"]) for row in rows] == expected
    assert {(row["status"], row["error"]) for row in rows} == {("ok", "")}
    assert all(0 < float(row["score"]) <= 1 for row in rows)
    assert run("predict", "digits", "-o", "rows.csv").stdout == b""
    assert (tmp_path / "rows.csv").read_bytes() == done.stdout


def test_bad_files_give_rows_with_their_status_and_exit_status_one(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    digit = (GOLDEN / "5.jpg").read_bytes()
    (folder / "a-truncated.jpg").write_bytes(digit[: len(digit) // 2])
    (folder / "b-empty.png").touch()
    (folder / "c-text.png").write_text("text")
    (folder / "d-good.jpg").write_bytes(digit)
    os.mkfifo(folder / "pipe.png")
    (folder / "notes.txt").touch()
    done = run("predict", "mixed", "mixed/pipe.png", "absent.png", status=1)
    assert [(row["status"], row["label"]) for row in rows_of(done.stdout)] == [
        ("corrupt", ""),
        ("empty", ""),
        ("not_an_image", ""),
        ("ok", LABELS["5.jpg"]),
        ("not_a_file", ""),
        ("not_found", ""),
    ]
    assert all(row["error"] for row in rows_of(done.stdout) if row["status"] != "ok")
    summary = done.stderr.decode()
    assert summary.startswith("1 image in ")
    failed = "1 corrupt, 1 empty, 1 not_an_image, 1 not_a_file, 1 not_found"
    assert summary.endswith(f", 5 failed: {failed}; 2 other files passed over\n")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_gives_a_row_that_says_permission(run: Run, tmp_path: Path) -> None:
    shutil.copyfile(GOOD, tmp_path / "secret.bmp")
    (tmp_path / "secret.bmp").chmod(0)
    done = run("predict", "secret.bmp", GOOD, status=1)
    assert [row["status"] for row in rows_of(done.stdout)] == ["permission", "ok"]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_batch_size_and_workers_change_no_byte(run: Run, scans: Path, format: str) -> None:
    def output(batch_size: int, workers: int) -> bytes:
        sizes = ["--batch-size", batch_size, "--workers", workers]
        return run("predict", scans, "--format", format, "--top-k", 3, *sizes, status=1).stdout

    expected = output(64, 1)
    assert expected.count(b"\n") == 540 + (format == "csv")
    assert run("predict", scans, "--format", format, "--top-k", 3, status=1).stdout == expected
    for batch_size, workers in [(1, 1), (7, 1), (7, 2), (64, 2)]:
        assert output(batch_size, workers) == expected, (batch_size, workers)


def test_processes_that_are_killed_cost_no_row(
    run: Run, scans: Path, home: Path, tmp_path: Path
) -> None:
    expected = run("predict", scans, "--workers", 1, status=1).stdout
    running = start(home, "predict", scans, "--workers", 2, "--batch-size", 8, bufsize=0)
    first = running.stdout.read(100)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(children) == 2
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    rest, _ = running.communicate(timeout=TIMEOUT)
    assert first + rest == expected


def test_odd_names_are_written_so_that_any_parser_reads_them(run: Run, odd: Path) -> None:
    expected = sorted(written(str(path)) for path in odd.iterdir())
    rows = rows_of(run("predict", odd, status=1).stdout)
    assert sorted(row["path"] for row in rows) == expected
    assert sum(row["label"] == LABELS[GOOD.name] for row in rows) == len(ODD_NAMES)
    lines = run("predict", odd, "--format", "jsonl", status=1).stdout.decode().split("\n")
    assert sorted(json.loads(line)["path"] for line in lines[:-1]) == expected


def test_a_jsonl_ending_chooses_the_format_and_an_option_overrules_it(
    run: Run, tmp_path: Path
) -> None:
    run("predict", GOOD, "-o", "a.jsonl", "--top-k", 2)
    (line,) = (tmp_path / "a.jsonl").read_text().splitlines()
    assert list(json.loads(line)) == ["path", "status", "label", "score", "error", "top"]
    run("predict", GOOD, "-o", "b.jsonl", "--format", "csv", "--top-k", 2)
    header = (tmp_path / "b.jsonl").read_text().splitlines()[0]
    assert header == "path,status,label,score,error,label_2,score_2"


@pytest.mark.parametrize(
    "name", ["a.CSV", "a.JSONL", "a.ndjson", "a.csv.gz", "A.Csv.GZ", "a.jsonl.gz", "a.ndjson.gz"]
)
def test_each_known_ending_chooses_its_format(run: Run, tmp_path: Path, name: str) -> None:
    format = "csv" if "csv" in name.lower() else "jsonl"
    expected = run("predict", GOLDEN, "--format", format).stdout
    outputs = []
    for options in (["--batch-size", 3], ["--batch-size", 64], ["--workers", 2]):
        run("predict", GOLDEN, "-o", name, "--force", *options)
        outputs.append((tmp_path / name).read_bytes())
    assert len(set(outputs)) == 1
    assert (gzip.decompress(outputs[0]) if name.lower().endswith(".gz") else outputs[0]) == expected


def test_a_parquet_file_has_the_rows_of_jsonl(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    options = (GOLDEN, "absent.png", "--top-k", 3, "--min-score", 0.99)
    expected = rows_of(run("predict", *options, status=1).stdout)
    outputs = []
    for size in (2, 64):
        run("predict", *options, "-o", "a.parquet", "--force", "--batch-size", size, status=1)
        outputs.append((tmp_path / "a.parquet").read_bytes())
    assert outputs[0] == outputs[1]
    found = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for row in found:
        for name, value in row.items():
            if isinstance(value, float):
                row[name] = f"{value:.6f}"
    assert [{k: v or "" for k, v in row.items()} for row in found] == expected
    (tmp_path / "none").mkdir()
    run("predict", "none", "-o", "none.parquet")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
    for name in ("a.parquet", "a.csv.gz"):
        (line,) = run("predict", *options, "-o", name, "--resume", status=2).stderr.splitlines()
        assert b"--force" in line


@pytest.mark.parametrize(
    "name", ["x.json", "x.tsv", "x.txt", "x", "x.csv.bz2", "x.parquet.gz", "x.gz", "csv"]
)
def test_an_unknown_ending_is_one_line_and_no_file(run: Run, tmp_path: Path, name: str) -> None:
    for command in (["predict", GOLDEN], ["watch", "home"]):
        (line,) = run(*command, "-o", name, status=2).stderr.decode().splitlines()
        assert line.startswith(f"edge-runtime: {name}: ")
        assert ".csv" in line
        assert not (tmp_path / name).exists()
    run("predict", GOOD, "-o", name, "--format", "csv")


@pytest.mark.parametrize("name", ["x.csv.gz", "x.parquet"])
def test_a_watch_appends_to_nothing_that_is_packed(run: Run, tmp_path: Path, name: str) -> None:
    (line,) = run("watch", "home", "-o", name, status=2).stderr.decode().splitlines()
    assert "appended" in line
    assert not (tmp_path / name).exists()


def test_an_interrupted_gzip_file_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(b"earlier")

    def interrupt(*rows: bytes) -> None:
        with (
            open(path, "r+b", buffering=0) as file,
            row_stream(file, Encoding("csv", True), 1) as stream,  # type: ignore[arg-type]
        ):
            for row in rows:
                stream.write(row)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert path.read_bytes() == b"earlier"
    with pytest.raises(KeyboardInterrupt):
        interrupt(b"one\n", b"two\n")
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_run_cut_at_any_byte_is_resumed_to_the_same_bytes(
    run: Run, odd: Path, tmp_path: Path, format: str
) -> None:
    output = tmp_path / f"rows.{format}"
    arguments = ("predict", odd, GOLDEN, "--top-k", 2, "-o", output)
    run(*arguments, status=1)
    whole = output.read_bytes()
    chance = random.Random(format)
    cuts = [0, 3, len(whole) - 1, len(whole), *(chance.randrange(len(whole)) for _ in range(8))]
    for cut in cuts:
        output.write_bytes(whole[:cut])
        run(*arguments, "--resume", status=1)
        assert output.read_bytes() == whole, f"cut at byte {cut}"
    output.unlink()
    run(*arguments, "--resume", status=1)
    assert output.read_bytes() == whole


def test_a_resumed_run_says_how_many_rows_it_had(run: Run, tmp_path: Path) -> None:
    names = [f"{number}.bmp" for number in range(4)]
    for name in names:
        shutil.copyfile(GOOD, tmp_path / name)
    run("predict", *names[:3], "-o", "rows.csv")
    done = run("predict", *names, "-o", "rows.csv", "--resume")
    first = b"4 images, 3 of them by an earlier run, the others in "
    assert done.stderr.startswith(first)
    again = run("predict", *names, "-o", "rows.csv", "--resume")
    assert again.stderr.splitlines()[0] == b"4 images, all by an earlier run"
    statuses = [row["status"] for row in rows_of((tmp_path / "rows.csv").read_bytes())]
    assert statuses == ["ok"] * 4


def test_a_long_half_row_leaves_nothing_behind_the_row_that_replaces_it(
    run: Run, tmp_path: Path
) -> None:
    whole = run("predict", GOOD).stdout
    (tmp_path / "rows.csv").write_bytes(whole.splitlines(True)[0] + b"x" * 500)
    run("predict", GOOD, "-o", "rows.csv", "--resume")
    assert (tmp_path / "rows.csv").read_bytes() == whole


@pytest.mark.parametrize(
    "again",
    [
        ["b.bmp", "a.bmp", "-o", "rows.csv"],
        ["a.bmp", "-o", "rows.csv"],
        ["a.bmp", "b.bmp", "-o", "rows.csv", "--top-k", "2"],
        ["a.bmp", "b.bmp", "-o", "rows.csv", "--format", "jsonl"],
        ["a.bmp", "b.bmp"],
    ],
    ids=["another order", "fewer", "other columns", "another format", "standard output"],
)
def test_resuming_something_else_is_refused_and_leaves_the_output_alone(
    run: Run, tmp_path: Path, again: list[str]
) -> None:
    for name in ("a.bmp", "b.bmp"):
        shutil.copyfile(GOOD, tmp_path / name)
    run("predict", "a.bmp", "b.bmp", "-o", "rows.csv")
    before = (tmp_path / "rows.csv").read_bytes()
    done = run("predict", *again, "--resume", status=2)
    assert b"resume" in done.stderr
    assert (tmp_path / "rows.csv").read_bytes() == before


@pytest.mark.parametrize("files", [1, 100])
def test_a_model_that_fails_when_it_is_loaded_leaves_the_earlier_output(
    run: Run, bundle: Path, tmp_path: Path, files: int
) -> None:
    edit_manifest(bundle, lambda data: data["labels"].append("x"))
    (tmp_path / "out.csv").write_text("earlier")
    run("predict", "--model", bundle, *[GOOD] * files, "-o", "out.csv", "--force", status=3)
    assert (tmp_path / "out.csv").read_text() == "earlier"


def test_an_earlier_output_is_replaced_only_by_force(run: Run, tmp_path: Path) -> None:
    run("predict", GOOD, GOLDEN / "0.png", "-o", "rows.csv")
    before = (tmp_path / "rows.csv").read_bytes()
    done = run("predict", GOOD, "-o", "rows.csv", status=2)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("edge-runtime: rows.csv: exists already")
    assert {"--force", "--resume"} <= set(line.split())
    assert (tmp_path / "rows.csv").read_bytes() == before
    run("predict", GOOD, "-o", "rows.csv", "--resume", "--force", status=2)
    assert (tmp_path / "rows.csv").read_bytes() == before
    run("predict", GOOD, "-o", "rows.csv", "--force")
    assert (tmp_path / "rows.csv").read_bytes() == run("predict", GOOD).stdout
    (tmp_path / "link.csv").symlink_to("nowhere.csv")
    run("predict", GOOD, "-o", "link.csv")
    assert (tmp_path / "nowhere.csv").read_bytes() == run("predict", GOOD).stdout


def test_a_lone_model_and_a_bundle_give_the_same_bytes(run: Run, bundle: Path) -> None:
    shutil.copyfile(bundle / "model.onnx", bundle.parent / "lone.onnx")
    outputs = {
        run("predict", GOLDEN, *options, status=1).stdout
        for options in (["--all-files"], ["--all-files", "--model", "lone.onnx"])
    }
    assert len(outputs) == 1
    assert b"golden.json,not_an_image" in outputs.pop()


@pytest.mark.parametrize(("rate", "status"), [("0.5", 1), ("0.49", 4), ("0", 4), ("1", 1)], ids=str)
def test_a_failure_rate_above_the_limit_is_exit_status_four(
    run: Run, rate: str, status: int
) -> None:
    done = run("predict", GOOD, "absent", "--max-failure-rate", rate, status=status)
    assert [row["status"] for row in rows_of(done.stdout)] == ["ok", "not_found"]
    assert (b"1 of 2 files failed" in done.stderr) == (status == 4)


def test_a_minimum_score_makes_unsure_readings_unknown_and_no_failure(run: Run) -> None:
    (sure,) = rows_of(run("predict", LEAST_SURE).stdout)
    (unsure,) = rows_of(run("predict", LEAST_SURE, "--min-score", 1).stdout)
    assert unsure == sure | {"label": "unknown"}


def test_the_best_label_below_the_minimum_score_is_in_the_row(run: Run, tmp_path: Path) -> None:
    (sure,) = rows_of(run("predict", LEAST_SURE, "--top-k", 3).stdout)
    options = ("--top-k", 3, "--min-score", 1)
    (unsure,) = rows_of(run("predict", LEAST_SURE, *options).stdout)
    assert unsure == sure | {
        "label": "unknown",
        "label_2": sure["label"],
        "score_2": sure["score"],
        "label_3": sure["label_2"],
        "score_3": sure["score_2"],
    }
    where = ("-o", tmp_path / "rows.csv")
    run("predict", LEAST_SURE, *options, *where)
    run("predict", LEAST_SURE, *options, *where, "--resume")
    line = run("predict", LEAST_SURE, *options, "--format", "jsonl").stdout
    assert json.loads(line)["top"][0]["label"] == sure["label"]


def test_a_blank_image_is_unknown_with_score_zero(run: Run, tmp_path: Path) -> None:
    Image.fromarray(np.full((30, 30), 240, np.uint8)).save(tmp_path / "blank.png")
    (row,) = rows_of(run("predict", "blank.png", "--top-k", 2).stdout)
    assert (row["status"], row["label"], row["score"]) == ("ok", "unknown", "0.000000")
    assert (row["label_2"], row["score_2"]) == ("", "")


def test_int8_reads_the_same_labels(run: Run) -> None:
    rows = rows_of(run("predict", GOLDEN, "--precision", "int8").stdout)
    full = rows_of(run("predict", GOLDEN).stdout)
    assert [row["label"] for row in rows] == [row["label"] for row in full]


def test_a_lone_model_is_not_said_to_be_of_another_precision(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    for name in ("model.onnx", "model.int8.onnx"):
        options = ("--model", bundle / name, "--precision", "int8", "-o", "rows.csv")
        (line,) = run("predict", GOOD, *options, status=2).stderr.decode().splitlines()
        assert "its own precision, not in int8" in line
        assert not (tmp_path / "rows.csv").exists()
        with pytest.raises(ValueError, match="its own precision, not in int8"):
            Classifier(bundle / name, precision="int8")
    run("predict", GOOD, "--model", bundle / "model.int8.onnx")


def test_names_are_read_from_standard_input_among_the_others(run: Run, odd: Path) -> None:
    lines = [os.path.join(os.fsencode(odd), ODD_NAMES[4]), os.fsencode(GOOD), b"", b"absent.png"]
    ends = GOLDEN / "0.png", GOLDEN / "1.png"
    done = run("predict", ends[0], "-", ends[1], input=b"\n".join(lines), status=1)
    rows = rows_of(done.stdout)
    assert [row["label"] for row in rows] == [
        LABELS["0.png"],
        *[LABELS[GOOD.name]] * 2,
        "",
        LABELS["1.png"],
    ]
    assert rows[1]["path"].endswith("not-utf8-\\udcff.bmp")


def test_an_empty_folder_gives_a_header_and_counts_for_the_failure_rate(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    assert run("predict", "none").stdout == b"path,status,label,score,error\n"
    gate = ("--max-failure-rate", 0.5)
    assert run("predict", "none", "--format", "jsonl", *gate, status=4).stdout == b""


def test_each_output_has_its_header_when_two_runs_share_a_file(tmp_path: Path, home: Path) -> None:
    with open(tmp_path / "rows.csv", "wb") as stdout:
        for _ in range(2):
            command = [EXECUTABLE, "predict", GOOD, "--quiet"]
            subprocess.run(command, stdout=stdout, env=environment(home), check=True)
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["path", str(GOOD)] * 2


def test_damaged_metadata_and_large_images_put_no_warnings_on_stderr(
    run: Run, tmp_path: Path
) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"
    (tmp_path / "exif.jpg").write_bytes(encoded(Image.open(GOOD).convert("L"), "JPEG", exif=exif))
    (tmp_path / "large.png").write_bytes(png_claiming(10_000, 10_000))
    for workers, times in ((1, 1), (2, 300)):
        paths = ["exif.jpg", "large.png"] * times
        done = run("predict", *paths, "--quiet", "--workers", workers, status=1)
        assert done.stderr == b""
        assert [row["status"] for row in rows_of(done.stdout)] == ["ok", "too_large"] * times


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_says_130_and_is_resumed_to_the_same_bytes(
    run: Run, home: Path, tmp_path: Path, scans: Path, workers: int
) -> None:
    output = tmp_path / "rows.csv"
    options = ["--workers", workers, "--batch-size", 16]
    inputs = [scans] * 4
    process = start(home, "predict", *inputs, *options, "-o", output, start_new_session=True)
    assert process.stderr
    deadline = time.monotonic() + TIMEOUT
    while not (output.exists() and output.stat().st_size > 1000):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.stdout
    process.stdout.close()
    assert process.wait(TIMEOUT) == 130
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "edge-runtime: interrupted; --resume goes on from here"
    partial = output.read_bytes()
    assert partial.endswith(b"\n")
    assert len(rows_of(partial)) < 4 * 540

    run("predict", *inputs, *options, "-o", output, "--resume", status=1)
    resumed = output.read_bytes()
    assert resumed.startswith(partial)
    header, _, rows = run("predict", scans, status=1).stdout.partition(b"\n")
    assert resumed == header + b"\n" + rows * 4


def test_the_recommended_minimum_score_is_that_of_the_model(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    (row,) = rows_of(run("predict", LEAST_SURE).stdout)
    edit_manifest(bundle, lambda data: data.update(min_score=(1 + float(row["score"])) / 2))
    options = ("predict", LEAST_SURE, "--model", bundle)
    assert rows_of(run(*options).stdout) == [row]
    recommended = (*options, "--min-score", "recommended")
    unsure = run(*recommended).stdout
    assert rows_of(unsure) == [row | {"label": "unknown"}]
    (tmp_path / "rows.csv").write_bytes(unsure)
    run(*recommended, "-o", "rows.csv", "--resume")
    assert (tmp_path / "rows.csv").read_bytes() == unsure


@pytest.mark.parametrize("data", [b"a.png\0b.png\0", (GOLDEN / "0.png").read_bytes()])
def test_standard_input_that_holds_no_lines_is_refused(
    run: Run, tmp_path: Path, data: bytes
) -> None:
    for output in ([], ["-o", "rows.csv"]):
        done = run("predict", "-", *output, input=data, status=2)
        assert b"standard input holds NUL bytes" in done.stderr
        assert done.stdout == b""
    assert not (tmp_path / "rows.csv").exists()


def test_a_file_that_is_too_large_names_the_option(run: Run, tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(png_claiming(9000, 9000))
    (row,) = rows_of(run("predict", "huge.png", status=1).stdout)
    assert row["error"] == "9000x9000 is more than 64000000 pixels; --max-pixels allows more"
