"""The documents of the repository: their blocks, commands and names, and what is wrong with them.

    python -m tests.support.documents

puts the output of today under each `$ command` that the tests run.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXECUTABLES = Path(sys.executable).parent
RUNTIME = ROOT / "edge_runtime/src/edge_runtime"
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "edge_runtime/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

NOT_RUN = {
    r"make ": "builds or measures",
    r"python3 -m venv |\S*pip install |npm ": "needs the package index",
    r"cmake |build/cpp/": "tests/test_cpp.py builds and runs it",
    r"\S*python examples/camera_loop": "what it drops depends on the load",
    r"\S*model-build (build|evaluate|verify|sign)(?! --help)": "trains, or needs what was trained",
    r"\S*edge-runtime demo(?! --help)": "needs onnxruntime-web, or serves until it is ended",
    r"\S*edge-runtime (predict|check|explain) .*\b(photos|new)/?": "its bundle is not here",
}
"""What a command line that is not run begins with, and why it is not run."""

_NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
# Of an expected line: what differs between models and machines, and what may stand there instead.
_VARYING = [
    (r"(?<=,ok,)[^,]+,\d+\.\d+", rf"[^,]+,{_NUMBER}"),  # a row: label and score
    (r"\S+ +\d+ +\d\.\de-\d\d +ok$", rf"\S+ +\d+ +{_NUMBER} +ok"),  # a golden vector
    (r"\d\.\de-\d\d +ok$", rf"{_NUMBER} +ok"),
    (r"\S+  \d\.\d+$", rf"\S+  {_NUMBER}"),  # an example: label and score
    (r"\d+ read, \d+ dropped", r"\d+ read, \d+ dropped"),
    (r"[\d,]+ a second", r"[\d,]+ a second"),
    (r"\d+(?:\.\d+)+(?:e[-+]?\d+)?|\d{1,3}(?:,\d{3})+", r"[\d.,]+(?:e[-+]?\d+)?"),
]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line it begins on, from 1."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Session:
    """A command line behind `$ ` and the output shown below it."""

    command: str
    output: tuple[str, ...]

    @property
    def is_run(self) -> bool:
        """False where a beginning in `NOT_RUN` fits."""
        return not any(re.match(beginning, self.command) for beginning in NOT_RUN)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(m[1], m[2], text[: m.start()].count("\n") + 1) for m in found]


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def code(text: str) -> list[str]:
    """The words in backticks, each on one line."""
    return [" ".join(word.split()) for word in re.findall(r"`([^`]+)`", prose(text))]


def sessions(text: str) -> list[Session]:
    """All `$ command` lines of a document, with the output that is shown."""
    found = []
    for block in blocks(text):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, *output = re.sub(r"\\\n\s*", "", part).splitlines()
            found.append(Session(command, tuple(output)))
    return found


def commands(text: str) -> list[list[str]]:
    """The words of each command of this project, in blocks and in backticks."""
    lines = [line for block in blocks(text) if not block.language for line in _lines(block.text)]
    found = []
    for line in [*lines, *code(text)]:
        for part in re.split(r" && |\s+#\s", line):
            words = part.removeprefix("$ ").split()
            if words and Path(words[0]).name in ("edge-runtime", "model-build"):
                found.append([Path(words[0]).name, *words[1:]])
            elif words and words[0] == "make" and len(words) > 1:
                found.append(words)
    return found


def _lines(text: str) -> list[str]:
    return re.sub(r"\\\n\s*", "", text).splitlines()


@cache
def help_of(program: str, command: str = "") -> str:
    """What `--help` prints. Raises CalledProcessError where there is no such command."""
    done = subprocess.run(
        [EXECUTABLES / program, *filter(None, [command]), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
        timeout=120,
    )
    return done.stdout


def subcommands(program: str) -> list[str]:
    """The commands that a program's help lists."""
    return re.findall(r"^  (\w+)  ", help_of(program).partition("Commands:")[2], re.MULTILINE)


def options(program: str, command: str = "") -> set[str]:
    """The options that a command's help lists, short ones too."""
    listed = help_of(program, command).partition("Options:")[2]
    lines = re.findall(r"^  (-.*?)(?:  |$)", listed, re.MULTILINE)
    return {word for line in lines for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)}


def command_problems(text: str) -> list[str]:
    """Commands and options that do not exist."""
    found = []
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for program, *words in commands(text):
        if program == "make":
            target, *settings = words
            if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE):
                found.append(f"make {target}: no such target")
            names = re.findall(r"\b([A-Z]+)=", " ".join(settings))
            unused = [name for name in names if f"$({name})" not in makefile]
            found += [f"make {target} {name}=: the Makefile does not use it" for name in unused]
            continue
        command = words[0] if words and re.fullmatch(r"[a-z]+", words[0]) else ""
        if command and command not in subcommands(program):
            found.append(f"{program} {command}: no such command")
            continue
        asked = {re.sub(r"[=,.;)\]].*", "", w) for w in words if re.match(r"\[?--?[a-z]", w)}
        unknown = {option.lstrip("[") for option in asked} - options(program, command)
        found += [f"{program} {command} {option}: no such option" for option in sorted(unknown)]
    return found


def expected(line: str) -> str:
    """The regular expression of an output line, loose where models and machines differ."""
    places: list[tuple[int, int, str]] = []
    for varying, instead in _VARYING:
        for match in re.finditer(varying, line):
            if all(match.end() <= start or end <= match.start() for start, end, _ in places):
                places.append((match.start(), match.end(), instead))
    pattern, position = "", 0
    for start, end, instead in sorted(places):
        pattern += re.escape(line[position:start]) + instead
        position = end
    pattern += re.escape(line[position:])
    return re.sub(r"(?:\\ )+", " +", pattern.removesuffix("\\ ").rstrip()) + " *"


def output_problem(session: Session, output: list[str]) -> str | None:
    """The first difference of what is shown from what was printed; `...` stands for any lines."""
    lines = [".*(?:\n.*)*" if line == "..." else expected(line) for line in session.output]
    if re.fullmatch("\n".join(lines), "\n".join(output)):
        return None
    for number, (pattern, line) in enumerate(zip(lines, output, strict=False)):
        if not re.fullmatch(pattern, line):
            return f"{session.command}: shown {session.output[number]!r}, printed {line!r}"
    return f"{session.command}: {len(session.output)} lines are shown, {len(output)} were printed"


def word_problems(session: Session) -> list[str]:
    """Words of a shown output that no text in `model_build` has, for what is too slow to run."""
    # File names, the runtime's reason for a damaged file, and classes are not its own words.
    text = re.sub(r"\S*[/_.]\S*|\(\w+: .*\)|\(as \w+\)", " ", "\n".join(session.output))
    words = set(re.findall(r"[a-z]{4,}", text))
    return [f"{session.command}: no text has {word!r}" for word in sorted(words - _own_words())]


@cache
def _own_words() -> frozenset[str]:
    found: set[str] = set()
    for path in (ROOT / "model_build").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"[a-z]{4,}", node.value))
    return frozenset(found)


@dataclass(frozen=True)
class Device:
    """The runtime as its wheel installs it: the package without what a device does not get."""

    site: Path

    @classmethod
    def install(cls, folder: Path) -> Device:
        """Copy the package into an empty folder."""
        target = folder / "edge_runtime"
        leave = shutil.ignore_patterns("__pycache__", "onnxruntime-web")
        shutil.copytree(RUNTIME, target, ignore=leave)
        settings = tomllib.loads((ROOT / "edge_runtime/pyproject.toml").read_text("utf-8"))
        for pattern in settings["tool"]["setuptools"]["package-data"]["edge_runtime"]:
            for path in (ROOT / "exported").glob(pattern) if pattern.startswith("digits/") else ():
                copy = target / path.relative_to(ROOT / "exported")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        return cls(folder)

    def run(self, command: str) -> list[str]:
        """Run a command from the top of the repository; the lines of stdout, then of stderr."""
        program, *arguments = shlex.split(command)
        name = Path(program).name
        if name in ("edge-runtime", "model-build"):
            words = [str(EXECUTABLES / name), *arguments]
        elif name == "python":
            words = [sys.executable, *arguments]
        else:
            raise ValueError(f"{command}: neither run nor in NOT_RUN")
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=_environment(self.site),
            timeout=120,
        )
        # Libraries, such as LiteRT, have lines of their own on stderr.
        stderr = "" if name == "python" else done.stderr
        return [*done.stdout.splitlines(), *stderr.splitlines()]


def _environment(site: Path | None = None) -> dict[str, str]:
    unset = ("COLUMNS", "PYTHONPATH", "PYTHONWARNINGS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, **({"PYTHONPATH": str(site)} if site else {}), "PYTHONIOENCODING": "utf-8"}


def slugs(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_problems(text: str, folder: Path) -> list[str]:
    """Relative links to files or headings that are not there."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = folder / name if name else None
        if path and not path.exists():
            found.append(f"{target}: no such file")
        elif anchor and anchor not in slugs(path.read_text("utf-8") if path else text):
            found.append(f"{target}: no such heading")
    return found


def regenerate(document: Path, device: Device) -> None:
    """Put the output of today under each command that is run and is shown whole."""
    text = document.read_text("utf-8")
    for session in sessions(text):
        if session.is_run and "..." not in session.output:
            shown = f"$ {session.command}\n" + "".join(f"{line}\n" for line in session.output)
            today = [f"{line}\n" for line in device.run(session.command)]
            text = text.replace(shown, f"$ {session.command}\n" + "".join(today))
    document.write_text(text, "utf-8")


def _paths(words: list[str]) -> Iterator[str]:
    for word in words:
        if re.fullmatch(r"\.[a-z]+", word):  # an extension
            continue
        if re.fullmatch(r"\.?[\w-]+(?:[./][\w.*-]+)*/?", word) and re.search(r"[/.]", word):
            yield word


def path_problems(text: str, folder: Path, elsewhere: set[str]) -> list[str]:
    """Paths and file names in backticks that are not in the repository, nor among `elsewhere`."""
    bases = (ROOT, folder, RUNTIME, RUNTIME.parent, ROOT / "model_build", ROOT / "exported/digits")
    names = repository_names()
    found = []
    for word in _paths(code(text)):
        if word in elsewhere or Path(word).name in elsewhere:
            continue
        places = [base / word for base in bases] + [base / f"{word}.py" for base in bases]
        if "*" in word:
            known = any(list(base.glob(word)) for base in bases)
        elif "/" in word:
            known = any(place.exists() for place in places)
        else:
            known = word in names or _is_name(word)
        if not known:
            found.append(f"`{word}`: not in the repository")
    return found


def _is_name(word: str) -> bool:
    """True for a dotted Python name rather than a file's."""
    return not re.search(
        r"\.(md|py|json|toml|txt|csv|sig|onnx|tflite|keras|h|ort|config|sh|png)$", word
    )


@cache
def repository_names() -> frozenset[str]:
    """The names of all files and folders of the checkout that are not made by tools."""
    made = {".git", ".venv", ".venv-runtime", "build", "node_modules", "__pycache__"}
    found: set[str] = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in made]
        found.update(folders, files, (f"{Path(folder).name}/",))
    return frozenset(found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        installed = Device.install(Path(scratch))
        for path in DOCUMENTS:
            regenerate(path, installed)
