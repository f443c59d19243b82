import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.bundle.manifest import Manifest
from model_build.cli.main import main
from model_build.export import exporter

from ..conftest import BUILD_OPTIONS, interrupt, run, says
from ..verification.test_parity import weaken

FILES = (
    *("manifest.json", "labels.txt", "parity_report.json", "history.json", "golden/golden.json"),
    *("model.keras", "saved_model/saved_model.pb", "model.onnx", "model.int8.onnx"),
    *("model.tflite", "model.float16.tflite", "model.int8.tflite"),
    *("MODEL_CARD.md", "training.png", "confusion.png", "reliability.png", "hardest.png"),
)


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_build_leaves_every_file_and_prints_the_table(built):
    folder, done = built
    assert [name for name in FILES if not (folder / name).is_file()] == []
    assert sorted(os.listdir(folder.parent)) == ["digits"]
    for artifact in ("model.keras", "saved_model", "model.int8.tflite", "model.onnx"):
        assert artifact in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if "fp32" in line) <= 80


def test_the_manifest_knows_every_file_and_what_was_measured(built):
    folder, _ = built
    manifest = Manifest.load(folder)
    assert {f.path for f in manifest.files} | {"manifest.json"} == set(snapshot(folder))
    report = json.loads((folder / "parity_report.json").read_text())
    by_path = {a["path"]: a for a in report["artifacts"]}
    for precision in ("fp32", "int8"):
        file = manifest.find("onnx", precision)
        assert file.measured["accuracy"] == by_path[file.path]["accuracy"]
    assert manifest.training["libraries"]["keras"]


def test_an_existing_bundle_is_not_replaced_unasked(built):
    folder, _ = built
    before = snapshot(folder)
    done = run("build", "--output", folder.parent)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "digits exists; --force replaces it, --name writes another"
    )
    assert snapshot(folder) == before


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "thesis.txt").write_text("years of work")
    done = run("build", "--output", tmp_path, "--force", "--epochs", 1)
    assert done.returncode == 2
    assert "is no bundle" in done.stderr
    assert (tmp_path / "digits" / "thesis.txt").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_failed_gate_exits_with_4_and_leaves_the_old_bundle(built, tmp_path, monkeypatch):
    folder = tmp_path / "digits"
    shutil.copytree(built[0], folder)
    before = snapshot(folder)
    export_onnx = exporter.write_onnx

    def perturbed(model, spec, path):
        export_onnx(model, spec, path)
        weaken(path)

    monkeypatch.setattr(exporter, "write_onnx", perturbed)
    done = CliRunner().invoke(
        main, ["build", "--force", "--epochs", "1", "--output", str(folder.parent)]
    )
    assert done.exit_code == 4
    assert "model-build: model.onnx: labels differ from Keras on images" in done.output
    assert snapshot(folder) == before
    # What was trained is kept: the same command goes on from there.
    assert sorted(os.listdir(folder.parent)) == [".digits.training", "digits"]
    monkeypatch.undo()
    again = ("build", "--force", "--epochs", 1, "--output", folder.parent, "--name", "digits")
    assert says("going on with the training", *again)


def test_an_interrupt_that_a_library_swallows_is_raised_again(tmp_path, monkeypatch):
    def load(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            pass
        time.sleep(60)

    monkeypatch.setattr("model_build.recipes.registry.recipe_for", load)
    monkeypatch.setattr("model_build.cli.exits._AGAIN_SECONDS", 0.2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.monotonic()
    try:
        done = CliRunner().invoke(main, ["build", "--output", str(tmp_path)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 130
    assert time.monotonic() - start < 50


def test_an_interrupt_that_a_library_turns_into_an_error_is_one_all_the_same(tmp_path, monkeypatch):
    def load(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            sys.excepthook(*sys.exc_info())  # as PyErr_Print does, in a library in C
            raise RuntimeError("a callback failed") from None

    monkeypatch.setattr("model_build.recipes.registry.recipe_for", load)
    # A shell that runs the tests in the background would have it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = CliRunner().invoke(main, ["build", "--output", str(tmp_path)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 130
    assert "Traceback" not in done.output
    *_, last = done.output.splitlines()
    assert last.startswith("model-build: interrupted; no bundle was written")
    assert last.endswith(", the same command goes on from here")


def test_an_interrupted_build_leaves_no_bundle_and_the_next_one_succeeds(tmp_path):
    pid = interrupt("--output", tmp_path, seconds=2)
    assert not list(tmp_path.glob("**/manifest.json"))
    # What kill -9 would leave behind: a folder of a process that is no more.
    (tmp_path / f".digits.building-{pid}").mkdir()
    done = run("build", "--output", tmp_path, *BUILD_OPTIONS)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == ["digits"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["build", "--data", "nowhere"], 2, "--data nowhere: not known"),
        (["build", "--name", "x", "--bundle-version", "new"], 2, "--bundle-version 'new': "),
        (["verify", "nowhere"], 3, "no such folder; give a bundle"),
        (["biuld"], 2, "'biuld'"),
    ],
)
def test_a_users_mistake_is_one_line_and_nothing_is_begun(arguments, status, words):
    done = run(*arguments)
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert line.startswith("model-build: ")
    assert words in line


def test_bash_completes_commands_and_every_command_says_the_version():
    asked = {"COMP_WORDS": "model-build ver", "COMP_CWORD": "1"}
    environment = os.environ | asked | {"_MODEL_BUILD_COMPLETE": "bash_complete"}
    command = [Path(sys.executable).parent / "model-build"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split() == ["plain,verify"]
    assert run("verify", "--version").stdout == run("--version").stdout


@pytest.mark.parametrize("command", ["build", "evaluate", "sign", "verify"])
def test_the_help_of_a_command_has_an_example_and_its_exit_statuses(command):
    text = CliRunner().invoke(main, [command, "--help"], prog_name="model-build").output
    assert re.search(rf"^  Examples?:\n    model-build {command} ?", text, re.MULTILINE)
    assert re.search(r"^  Exit status: 0 .*2 usage", text, re.MULTILINE | re.DOTALL)
    assert max(map(len, text.splitlines())) <= 80


def test_what_the_help_says_of_a_command_is_not_cut():
    text = CliRunner().invoke(main, ["--help"], prog_name="model-build").output
    assert "..." not in text.replace("[ARGS]...", "")
    assert "Example: model-build build " in text
