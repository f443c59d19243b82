"""What all commands have in common: help, mistakes in the options, bad bundles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ...conftest import Run
from ...support.helpers import (
    EXECUTABLE,
    GOLDEN,
    TIMEOUT,
    environment,
    flip_byte,
)

GOOD = GOLDEN / "7.bmp"


@pytest.mark.parametrize("command", ["predict", "check"])
def test_a_flipped_byte_is_one_line_with_the_file_and_both_hashes_and_status_three(
    run: Run, bundle: Path, command: str
) -> None:
    flip_byte(bundle / "model.onnx")
    arguments = ["check", bundle] if command == "check" else ["predict", GOOD, "--model", bundle]
    done = run(*arguments, status=3)
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"edge-runtime: {bundle / 'model.onnx'}: SHA-256 is ")
    hashes = [word.strip(",;") for word in line.split() if len(word.strip(",;")) == 64]
    assert len(set(hashes)) == 2


def test_a_model_that_is_not_there_or_not_one_is_status_three(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("no model")
    (tmp_path / "empty").mkdir()
    for model in ("absent", "x.onnx", "empty"):
        done = run("predict", GOOD, "--model", model, "-o", "rows.csv", status=3)
        assert len(done.stderr.splitlines()) == 1
        assert model.encode() in done.stderr
        assert not (tmp_path / "rows.csv").exists()
        assert run("info", model, status=3).stdout == b""
        assert run("check", model, status=3).stdout == b""


@pytest.mark.parametrize("command", ["predict", "check", "info"])
def test_nothing_is_left_in_the_home_folder(run: Run, home: Path, command: str) -> None:
    run(command, *([GOOD] if command == "predict" else []))
    assert list(home.rglob("*")) == []


def test_every_option_and_command_has_help(run: Run) -> None:
    assert {b"predict", b"info", b"check"} <= set(run("--help").stdout.split())
    text = run("predict", "--help").stdout.decode()
    contract = (
        "--model -o --format --recursive --no-recursive --all-files --top-k --min-score"
        " --batch-size --workers --threads --precision --resume --max-failure-rate --quiet"
    )
    for option in contract.split():
        assert option in text


COMMANDS = {"bench", "check", "demo", "explain", "info", "predict", "update", "watch"}


def test_the_help_lists_every_command(run: Run) -> None:
    _, _, listed = run("--help").stdout.decode().partition("Commands:\n")
    assert {line.split()[0] for line in listed.splitlines()} == COMMANDS
    version = run("--version").stdout
    for command in COMMANDS:
        assert run(command, "--help").stdout.decode().startswith(f"Usage: edge-runtime {command} ")
        assert run(command, "--version").stdout == version


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["pre"], ["predict"]),
        (["predict", "--prec"], ["--precision"]),
        (["predict", "--precision", "i"], ["int8"]),
        (["predict", "ro"], ["rows.csv"]),
        (["predict", "--model", "ro"], ["rows.csv"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_bash_completes_commands_options_values_and_files(
    home: Path, tmp_path: Path, words: list[str], completed: list[str]
) -> None:
    (tmp_path / "rows.csv").touch()
    words = ["edge-runtime", *words]
    script = f"""
eval "$(_EDGE_RUNTIME_COMPLETE=bash_source edge-runtime)"
compopt() {{ COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}")); }}  # outside of a terminal
COMP_WORDS=({" ".join(words)})
COMP_CWORD={len(words) - 1}
_edge_runtime_completion edge-runtime
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(home, PATH=f"{EXECUTABLE.parent}:{os.environ['PATH']}"),
        timeout=TIMEOUT,
        check=True,
    )
    assert not done.stderr
    assert done.stdout.split() == completed


def test_a_command_imports_the_modules_of_no_other(home: Path) -> None:
    code = """
import sys
sys.argv = ["edge-runtime", "info"]
from edge_runtime.__main__ import main
main()
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=TIMEOUT,
        check=True,
    )
    loaded = {name.removeprefix("edge_runtime.cli.") for name in done.stderr.split()}
    assert loaded & COMMANDS == {"info"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_a_command_has_an_example_and_its_exit_statuses(run: Run, command: str) -> None:
    text = run(command, "--help").stdout.decode()
    assert re.search(rf"^  Examples?:\n    edge-runtime {command} ", text, re.MULTILINE)
    assert re.search(r"^  Exit status: 0 .*2 usage", text, re.MULTILINE | re.DOTALL)
    assert "default: (" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_the_help_says_of_a_command_is_not_cut(run: Run) -> None:
    text = run("--help").stdout.decode()
    assert "..." not in text.replace("[ARGS]...", "")
    assert "Example: edge-runtime predict " in text


@pytest.mark.skipif(
    not hasattr(click.exceptions, "NoSuchCommand"), reason="click before 8.4 suggests no command"
)
def test_a_mistyped_command_is_answered_with_its_name(run: Run) -> None:
    assert b"'predict'" in run("predct", status=2).stderr
