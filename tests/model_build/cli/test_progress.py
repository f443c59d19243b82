"""What stands on a terminal while a build goes on, and when it is over."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from model_build import pipeline
from model_build.cli.build import build
from model_build.cli.exits import errors_as_exits
from model_build.cli.progress import Progress


class Terminal(io.StringIO):
    """A standard error that is shown."""

    def isatty(self):
        return True

    @property
    def lines(self):
        """What is left on the screen."""
        rows = [line.split("\r")[-1].removesuffix("\x1b[K") for line in self.getvalue().split("\n")]
        return [row.removeprefix("\x1b[K") for row in rows]


def shown(monkeypatch):
    """A terminal from now on: pytest puts its own standard error there before each test."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    return terminal


EPOCH = SimpleNamespace(
    number=3, loss=0.5, validation_loss=0.5, validation_accuracy=0.9, seconds=1.0
)


def test_the_count_of_the_scan_is_gone_when_it_is_over(monkeypatch):
    terminal = shown(monkeypatch)
    with Progress() as progress:
        progress.scanned(32, 62)
        assert terminal.lines == ["looking at 32 of 62"]
        progress.scanned(62, 62)
        progress.say("62 images")
    assert terminal.lines == ["62 images", ""]


def interrupted(progress):
    with (
        pytest.raises(SystemExit) as end,
        errors_as_exits(interrupted="interrupted; so it is"),
        progress,
    ):
        raise KeyboardInterrupt
    assert end.value.code == 130


def test_an_interrupt_has_a_line_of_its_own(monkeypatch):
    terminal = shown(monkeypatch)
    progress = Progress()
    progress.epoch(EPOCH, 9)
    interrupted(progress)
    epoch, *rest = terminal.lines
    assert epoch.startswith("epoch   3/9")
    assert rest == ["model-build: interrupted; so it is", ""]


def test_so_it_has_behind_what_the_terminal_shows_of_ctrl_c(monkeypatch):
    terminal = shown(monkeypatch)
    progress = Progress()
    progress.say("exporting and verifying ...")
    terminal.write("^C")
    interrupted(progress)
    assert terminal.lines[1:] == ["^C", "model-build: interrupted; so it is", ""]


def test_a_name_with_a_space_is_quoted_in_the_command_that_comes_next(monkeypatch):
    report = SimpleNamespace(images=9, table=lambda: "table")
    built = SimpleNamespace(parity=report, reads="image", bundle=Path("exported/my photos"))
    monkeypatch.setattr(pipeline, "build", lambda **_: built)
    done = CliRunner().invoke(build, ["--name", "my photos"])
    assert done.stdout.splitlines()[-1] == (
        "exported/my photos is written; edge-runtime predict --model 'exported/my photos' FOLDER"
    )
