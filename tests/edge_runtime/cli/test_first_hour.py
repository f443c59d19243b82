"""The first hour with `edge-runtime`: mistakes, each one line, its status, and no file changed.

They run in this process, all in one folder, which each of them must leave as it was.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.cli.main import run

from ...support.helpers import (
    EXECUTABLE,
    GOLDEN,
    TIMEOUT,
    copy_bundle,
    edit_manifest,
    environment,
    flip_byte,
    png_claiming,
    snapshot,
    without_metadata,
)

Make = Callable[[tuple[str, ...]], tuple[int, list[str]]]
ROWS = "path,status,label,score,error\ndigits/0.png,ok,0,0.900000,\n"


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the mistakes are made with."""
    top = tmp_path_factory.mktemp("playground")
    copy_bundle(top / "bundle")
    for name in ("no-int8", "altered", "newer", "no-golden"):
        copy_bundle(top / name)
    edit_manifest(
        top / "no-int8",
        lambda data: data.update(files=[f for f in data["files"] if f.get("precision") != "int8"]),
    )
    flip_byte(top / "altered/model.onnx")
    edit_manifest(top / "newer", lambda data: data.update(schema_version=2))
    edit_manifest(
        top / "no-golden",
        lambda data: data.update(
            files=[file for file in data["files"] if not file["path"].startswith("golden/")]
        ),
    )
    shutil.rmtree(top / "no-golden/golden")
    model = (top / "bundle/model.onnx").read_bytes()
    (top / "lone.onnx").write_bytes(model)
    (top / "bare.onnx").write_bytes(without_metadata(model))
    (top / "cut.onnx").write_bytes(model[: len(model) // 2])
    (top / "empty.onnx").touch()
    (top / "model.tflite").write_bytes(b"\x20\0\0\0TFL3" + bytes(100))
    (top / "model.ort").write_bytes(b"\x20\0\0\0ORTM" + bytes(100))
    (top / "digits").mkdir()
    for name in ("0.png", "7.bmp", "5.jpg"):
        shutil.copyfile(GOLDEN / name, top / "digits" / name)
    shutil.copyfile(GOLDEN / "7.bmp", top / "a seven.bmp")
    (top / "bad").mkdir()
    (top / "bad/text.png").write_text("no image")
    (top / "bad/nothing.png").touch()
    (top / "bad/cut.jpg").write_bytes((GOLDEN / "5.jpg").read_bytes()[:300])
    (top / "bad/huge.png").write_bytes(png_claiming(9000, 9000))
    (top / "bad/sound.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    (top / "empty").mkdir()
    (top / "only-text").mkdir()
    (top / "only-text/notes.txt").write_text("nothing to read")
    (top / "rows.csv").write_text(ROWS)
    (top / "table.csv").write_text("name,price\ntea,3\n")
    (top / "notes.txt").write_text("years of work\n")
    (top / "key.pem").write_text("-----BEGIN NOTHING-----\n")
    (top / "link.png").symlink_to("digits/0.png")
    (top / "nowhere.png").symlink_to("gone.png")
    return top


GOOD = "digits/0.png"
PREDICT = ("predict", GOOD)
WATCH = ("watch", "digits")
MISTAKES: list[tuple[tuple[str, ...], int, str]] = [
    # The command itself.
    (("predcit", GOOD), 2, "No such command"),
    ((GOOD,), 2, "No such command"),
    (("--model", "bundle"), 2, "No such option"),
    (("predict",), 2, "Missing argument 'PATH...'"),
    (("predict", "--help-me"), 2, "No such option"),
    ((*PREDICT, "--topk", "3"), 2, "No such option"),
    ((*PREDICT, "--top-k"), 2, "requires an argument"),
    # Numbers.
    ((*PREDICT, "--top-k", "0"), 2, "'--top-k'"),
    ((*PREDICT, "--top-k", "2.5"), 2, "'--top-k'"),
    ((*PREDICT, "--top-k", "all"), 2, "'--top-k'"),
    ((*PREDICT, "--min-score", "50%"), 2, "neither a number from 0 to 1 nor 'recommended'"),
    ((*PREDICT, "--min-score", "50"), 2, "'--min-score'"),
    ((*PREDICT, "--min-score", "nan"), 2, "'--min-score'"),
    ((*PREDICT, "--min-score", "inf"), 2, "'--min-score'"),
    ((*PREDICT, "--min-score", "1e999"), 2, "'--min-score'"),
    ((*PREDICT, "--min-score", "-0.1"), 2, "'--min-score'"),
    ((*PREDICT, "--min-score", "Recommended"), 2, "'--min-score'"),
    ((*PREDICT, "--batch-size", "0"), 2, "'--batch-size'"),
    ((*PREDICT, "--batch-size", "-64"), 2, "'--batch-size'"),
    ((*PREDICT, "--workers", "0"), 2, "'--workers'"),
    ((*PREDICT, "--workers", "two"), 2, "'--workers'"),
    ((*PREDICT, "--threads", "0"), 2, "'--threads'"),
    ((*PREDICT, "--max-pixels", "0"), 2, "'--max-pixels'"),
    ((*PREDICT, "--max-pixels", "1e6"), 2, "'--max-pixels'"),
    ((*PREDICT, "--max-failure-rate", "5"), 2, "'--max-failure-rate'"),
    ((*PREDICT, "--max-failure-rate", "-inf"), 2, "'--max-failure-rate'"),
    ((*PREDICT, "--max-failure-rate", "NaN"), 2, "'--max-failure-rate'"),
    # The precision and the model.
    ((*PREDICT, "--precision", "float16"), 2, "'--precision'"),
    ((*PREDICT, "--model", "no-int8", "--precision", "int8"), 3, "give --precision fp32"),
    ((*PREDICT, "--model", "lone.onnx", "--precision", "int8"), 2, "give the bundle"),
    ((*PREDICT, "--model", "nowhere"), 3, "nowhere: cannot be read"),
    ((*PREDICT, "--model", ""), 3, "holds no manifest.json; give a bundle"),
    ((*PREDICT, "--model", "digits"), 3, "digits: holds no manifest.json; give a bundle"),
    ((*PREDICT, "--model", "model.tflite"), 3, "is a TFLite model; give a bundle"),
    ((*PREDICT, "--model", "model.ort"), 3, "is an ORT model; give a bundle"),
    ((*PREDICT, "--model", "notes.txt"), 3, "is no ONNX file"),
    ((*PREDICT, "--model", GOOD), 3, "is no ONNX file"),
    ((*PREDICT, "--model", "empty.onnx"), 3, "empty.onnx"),
    ((*PREDICT, "--model", "cut.onnx"), 3, "is no ONNX file"),
    ((*PREDICT, "--model", "bare.onnx"), 3, "carries no labels"),
    ((*PREDICT, "--model", "altered"), 3, "SHA-256"),
    ((*PREDICT, "--model", "newer"), 3, "schema_version is 2"),
    # The output.
    ((*PREDICT, "-o", "rows.csv"), 2, "exists already; --resume"),
    (("predict", "digits", "-o", GOOD), 2, "its ending tells no format"),
    (("predict", "digits", "-o", GOOD, "--format", "csv"), 2, "is also an input"),
    (("predict", "digits", "-o", GOOD, "--format", "csv", "--force"), 2, "is also an input"),
    (("predict", "link.png", "-o", GOOD, "--format", "csv"), 2, "is also an input"),
    (("predict", GOOD, "-o", "link.png", "--format", "csv", "--force"), 2, "is also an input"),
    ((*PREDICT, "--model", "bundle", "-o", "bundle/model.onnx", "--force"), 2, "the model's own"),
    ((*PREDICT, "--model", "lone.onnx", "-o", "lone.onnx"), 2, "is the model's own"),
    ((*PREDICT, "-o", "notes.txt"), 2, "its ending tells no format"),
    ((*PREDICT, "-o", "new.json"), 2, "its ending tells no format"),
    ((*PREDICT, "-o", "new.tsv"), 2, "its ending tells no format"),
    ((*PREDICT, "-o", "new.xlsx"), 2, "its ending tells no format"),
    ((*PREDICT, "-o", "new"), 2, "its ending tells no format"),
    ((*PREDICT, "-o", "new/rows.csv"), 2, "cannot be written"),
    ((*PREDICT, "-o", "notes.txt/rows.csv"), 2, "cannot be written"),
    ((*PREDICT, "-o", "digits"), 2, "cannot be written"),
    ((*PREDICT, "-o", "new.csv", "--format", "xml"), 2, "'--format'"),
    ((*PREDICT, "--format", "parquet"), 2, "parquet needs -o FILE.parquet"),
    ((*PREDICT, "--output"), 2, "requires an argument"),
    # Going on.
    ((*PREDICT, "--resume"), 2, "--resume needs -o FILE"),
    ((*PREDICT, "-o", "rows.csv", "--resume", "--force"), 2, "give --resume to keep"),
    ((*PREDICT, "-o", "table.csv", "--resume"), 2, "table.csv"),
    ((*PREDICT, "-o", "rows.csv", "--resume", "--top-k", "3"), 2, "rows.csv"),
    (("predict", "digits/7.bmp", "-o", "rows.csv", "--resume"), 2, "rows.csv"),
    ((*PREDICT, "-o", "new.csv.gz", "--resume"), 2, "--resume goes on with .csv and .jsonl only"),
    # Ray.
    (("predict", "s3://bucket/scans"), 2, "needs --engine ray"),
    (("predict", "https://example.org/0.png"), 2, "needs --engine ray"),
    ((*PREDICT, "-o", "s3://bucket/rows.csv"), 2, "needs --engine ray"),
    ((*PREDICT, "--address", "head:6379"), 2, "--address needs --engine ray"),
    ((*PREDICT, "--engine", "spark"), 2, "'--engine'"),
    ((*PREDICT, "--engine", "ray"), 2, "needs -o OUT"),
    (("predict", "-", "--engine", "ray", "-o", "out"), 2, "no file names from standard input"),
    # The inputs.
    (("predict", "gone.png"), 1, "1 not_found"),
    (("predict", ""), 1, "1 not_found"),
    (("predict", "nowhere.png"), 1, "1 not_found"),
    (("predict", "a", "seven.bmp"), 1, "2 failed"),
    (("predict", "digits/*.png"), 1, "1 failed"),
    (("predict", "bad"), 1, "4 failed"),
    (("predict", "bad", "--max-failure-rate", "0.5", "--quiet"), 4, "4 of 4 files failed"),
    (("predict", "notes.txt"), 1, "1 failed"),
    (("predict", "empty"), 0, "no images found"),
    (("predict", "empty", "--max-failure-rate", "0.5", "--quiet"), 4, "empty folders (1)"),
    (("predict", "only-text"), 0, "no images found"),
    (("predict", "-"), 2, "NUL"),
    # The other commands.
    (("info", "nowhere"), 3, "no such folder; give a bundle"),
    (("info", "digits"), 3, "holds no manifest.json"),
    (("info", "notes.txt"), 3, "is no ONNX file"),
    (("info", "bundle", "digits"), 2, "unexpected extra argument"),
    (("check", "lone.onnx"), 3, "is a file, this needs a bundle"),
    (("check", "altered"), 3, "SHA-256"),
    (("check", "no-golden"), 3, "no-golden: has no golden/golden.json"),
    (("check", "bundle", "--key", "gone.pem"), 2, "'gone.pem' does not exist"),
    (("bench", "lone.onnx"), 2, "give --images DIR, or the bundle"),
    (("bench", "nowhere"), 3, "no such folder; give a bundle"),
    (("bench", "bundle", "--images", "gone"), 2, "'gone' does not exist"),
    (("bench", "bundle", "--images", "empty"), 1, "empty: holds no image that can be read"),
    (("bench", "bundle", "--json", "rows.csv"), 2, "rows.csv: exists already"),
    (("bench", "bundle", "--json", "new/speed.json"), 2, "there is no folder new"),
    (("update", "lone.onnx", "bundle"), 3, "is a file, this needs a bundle"),
    (("update", "bundle", "bundle"), 3, "is bundle or lies in it"),
    (("update", "bundle", "bundle/inner"), 3, "is bundle or lies in it"),
    (("update", "bundle"), 2, "Missing argument 'TARGET'"),
    (("update", "altered", "bundle"), 3, "SHA-256"),
    (("update", "bundle", "digits"), 3, "digits: is there and is no bundle"),
    (("update", "bundle", "notes.txt"), 3, "notes.txt: is there and is no bundle"),
    (("demo", "lone.onnx", "--export", "page"), 3, "is a file, this needs a bundle"),
    (("demo", "--port", "100000"), 2, "'--port'"),
    (WATCH, 2, "give -o FILE, --sort-into DIR or both"),
    (("watch", "gone", "-o", "new.csv"), 2, "'gone' does not exist"),
    (("watch", "notes.txt", "-o", "new.csv"), 2, "'notes.txt' is a file"),
    ((*WATCH, "-o", "-"), 2, "-o needs a file"),
    ((*WATCH, "-o", "new.parquet"), 2, "rows are appended to CSV or JSONL"),
    ((*WATCH, "-o", "new.xml"), 2, "rows are appended to CSV or JSONL"),
    ((*WATCH, "-o", "table.csv"), 2, "table.csv"),
    ((*WATCH, "-o", "new.csv", "--poll", "0"), 2, "'--poll'"),
    ((*WATCH, "-o", "new.csv", "--poll", "nan"), 2, "'--poll'"),
    ((*WATCH, "-o", "new.csv", "--poll", "inf"), 2, "'--poll'"),
    ((*WATCH, "-o", "new.csv", "--min-score", "nan"), 2, "'--min-score'"),
    ((*WATCH, "-o", "new.csv", "--model", "altered"), 3, "SHA-256"),
    ((*WATCH, "-o", "bundle/model.onnx", "--model", "bundle"), 2, "bundle/model.onnx"),
    ((*WATCH, "--sort-into", "notes.txt"), 2, "'notes.txt' is a file"),
]


@pytest.fixture
def make(
    playground: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Make:
    """Run the command line here; gives its status and the lines on standard error."""

    def make(arguments: tuple[str, ...]) -> tuple[int, list[str]]:
        before = snapshot(playground)
        monkeypatch.chdir(playground)
        monkeypatch.setattr(sys, "argv", ["edge-runtime", *arguments])
        names: Any = io.BufferedReader(io.BytesIO(b"digits/0.png\0digits/7.bmp\0"))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(names))
        status = 0
        try:
            run()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        assert status != 2 or not said.out
        assert snapshot(playground) == before
        return status, said.err.splitlines()

    return make


@pytest.mark.parametrize(
    ("arguments", "status", "words"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES]
)
def test_a_mistake_is_one_line_with_its_status_and_changes_no_file(
    arguments: tuple[str, ...], status: int, words: str, make: Make
) -> None:
    found, (line,) = make(arguments)
    assert (found, words in line) == (status, True), line
    assert "Traceback" not in line
    assert "Errno" not in line
    assert status < 2 or line.startswith("edge-runtime: ")


def test_an_empty_folder_among_others_is_named(make: Make) -> None:
    for rate, status in (("1", 0), ("0.4", 4)):
        found, lines = make(("predict", "empty", GOOD, "--max-failure-rate", rate))
        assert found == status
        assert "empty: no images found" in lines


@pytest.mark.parametrize(
    ("module", "arguments", "install"),
    [
        ("pyarrow", (*PREDICT, "-o", "new.parquet"), "pip install 'edge-runtime[parquet]'"),
        ("ray", (*PREDICT, "-o", "out", "--engine", "ray"), "pip install 'edge-runtime[ray]'"),
        ("cryptography", ("check", "--key", "key.pem"), "pip install 'edge-runtime[sign]'"),
        ("cryptography", ("update", "bundle", "new", "--key", "key.pem"), "edge-runtime[sign]"),
        ("onnxruntime", ("bench", "bundle"), "pip install edge-runtime brings it"),
    ],
    ids=["parquet", "ray", "sign", "sign for update", "onnxruntime"],
)
def test_a_missing_library_is_status_two_and_the_line_says_how_to_install_it(
    module: str,
    arguments: tuple[str, ...],
    install: str,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    for name in [name for name in sys.modules if name.startswith("edge_runtime.distributed")]:
        monkeypatch.delitem(sys.modules, name)
    found, (line,) = make(arguments)
    assert (found, install in line) == (2, True), line


def test_a_process_says_the_same(home: Path, playground: Path, make: Make) -> None:
    for arguments in ((*PREDICT, "-o", "rows.csv"), ("check", "lone.onnx"), ("predict", "-")):
        done = subprocess.run(
            [EXECUTABLE, *arguments],
            input=b"digits/0.png\0digits/7.bmp\0",
            capture_output=True,
            cwd=playground,
            env=environment(home),
            timeout=TIMEOUT,
        )
        assert done.stdout == b""
        assert (done.returncode, done.stderr.decode().splitlines()) == make(arguments)
