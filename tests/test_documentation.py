"""The documents say what is so: their commands run, their names, paths and links exist."""

from __future__ import annotations

import ast
import importlib
import io
import json
import re
import shutil
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge_runtime.web import server

from .support import documents
from .support.documents import DOCUMENTS, ROOT, Device, Session

TEXTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in DOCUMENTS}
SESSIONS = [
    pytest.param(session, id=f"{name}: {session.command[:60]}")
    for name, text in TEXTS.items()
    for session in documents.sessions(text)
    if session.is_run
]
# Too slow to run.
BUILDS = [
    pytest.param(session, id=f"{name}: {session.command[:60]}")
    for name, text in TEXTS.items()
    for session in documents.sessions(text)
    if re.match(r"make build|\S*model-build", session.command) and not session.is_run
]
PYTHON = [
    pytest.param(block.text, id=f"{name}:{block.line}")
    for name, text in TEXTS.items()
    for block in documents.blocks(text)
    if block.language == "python"
]
# Files and folders in backticks that commands write, users have, or other programs bring.
ELSEWHERE = {
    *("readings.csv", "rows.csv", "data_report.txt", "manifest.sig", "public.pem", "private.pem"),
    *("model.ort", "model.int8.ort", "required_operators.config", "model.int8.h", "TARGET.old"),
    *("label_review.csv", "label_review.png", "near_duplicates.png", "heat.png"),
    *("_run.json", "part-0000000.parquet", "libonnxruntime.so.1", "libonnxruntime.so.*"),
    *("build/page", "node_modules", "bundle/", "failed/STATUS"),
    *("exported/photos", "photos/", "dist/edge_runtime-*.whl"),
    *("train/", "val/", "test/"),
}

for_each_document = pytest.mark.parametrize("name", TEXTS)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    return Device.install(tmp_path_factory.mktemp("device"))


@pytest.mark.parametrize("session", SESSIONS)
def test_a_command_prints_what_is_shown(session: Session, device: Device) -> None:
    assert documents.output_problem(session, device.run(session.command)) is None


@pytest.mark.parametrize("session", BUILDS)
def test_a_build_has_the_words_that_are_shown(session: Session) -> None:
    assert documents.word_problems(session) == []


@for_each_document
def test_commands_and_their_options_exist(name: str) -> None:
    if name != "CHANGELOG.md":  # which also speaks of what was there once
        assert documents.command_problems(TEXTS[name]) == []


@for_each_document
def test_links_lead_somewhere(name: str) -> None:
    assert documents.link_problems(TEXTS[name], (ROOT / name).parent) == []


@for_each_document
def test_paths_exist(name: str) -> None:
    if name != "CHANGELOG.md":
        assert documents.path_problems(TEXTS[name], (ROOT / name).parent, ELSEWHERE) == []


@pytest.mark.parametrize("program", ["edge-runtime", "model-build"])
def test_the_help_of_every_command_is_shown(program: str) -> None:
    shown = {session.command for session in documents.sessions(TEXTS["docs/commands.md"])}
    names = ["", *documents.subcommands(program)]
    assert len(names) > 3
    assert {" ".join(filter(None, [program, name, "--help"])) for name in names} <= shown


@pytest.mark.parametrize("text", PYTHON)
def test_python_compiles_and_imports_what_exists(text: str) -> None:
    assert python_problems(text) == []


@for_each_document
def test_imports_in_a_sentence_exist(name: str) -> None:
    for words in documents.code(TEXTS[name]):
        if words.startswith("from ") and " import " in words:
            assert python_problems(words) == []


def python_problems(text: str) -> list[str]:
    """Names of the two packages that cannot be imported. Raises SyntaxError."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module
            if module.partition(".")[0] in ("edge_runtime", "model_build"):
                place = importlib.import_module(module)
                missing = [alias.name for alias in node.names if not hasattr(place, alias.name)]
                found += [f"{module} has no {name}" for name in missing]
    return found


@pytest.mark.parametrize("text", [param for param in PYTHON if "scans/" in str(param.values[0])])
def test_python_that_reads_a_photo_and_a_folder_runs(text: str, tmp_path: Path) -> None:
    golden = ROOT / "exported/digits/golden"
    shutil.copytree(golden, tmp_path / "scans")
    shutil.copyfile(golden / "5.jpg", tmp_path / "photo.jpg")
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert "scans/5.jpg ok" in done.stdout


def architecture(text: str) -> dict[str, set[str]]:
    """Of the table of folders: the modules of each, by its path in the repository."""
    found = {}
    top = ""
    for row in re.findall(r"^\| (.+) \|$", text, re.MULTILINE):
        folder, _, modules = (cell.strip() for cell in row.split(" | "))
        match = re.fullmatch(r"(\*\*)?`([\w/]+/)`(?:\*\*)?", folder)
        if match:
            top = match[2] if match[1] else top
            path = match[2] if match[1] else top + match[2]
            named = (part.partition(":")[0] for part in modules.split(";"))
            found[path] = {name for part in named for name in re.findall(r"`(\w+)`", part)}
    return found


def architecture_problems(text: str) -> list[str]:
    """Folders and modules that the table lacks, or that are not there."""
    standing = {}
    for top in (documents.RUNTIME, ROOT / "model_build"):
        for folder in [top, *(path.parent for path in top.rglob("*.py"))]:
            modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
            if modules:  # a folder that holds only folders needs no row
                standing[f"{folder.relative_to(ROOT)}/"] = modules
    told = architecture(text)
    found = []
    for folder in sorted(told.keys() | standing.keys()):
        if folder not in told or folder not in standing:
            found.append(f"{folder}: {'not told' if folder in standing else 'not there'}")
            continue
        found += [f"{folder}{name}: not told" for name in sorted(standing[folder] - told[folder])]
        found += [f"{folder}{name}: not there" for name in sorted(told[folder] - standing[folder])]
    return found


def test_the_architecture_names_every_folder_and_every_module() -> None:
    assert "\n".join(architecture_problems(TEXTS["docs/architecture.md"])) == ""


def test_the_readme_shows_the_artifacts_that_a_build_verifies() -> None:
    report = json.loads((ROOT / "exported/digits/parity_report.json").read_text("utf-8"))
    artifacts = [(artifact["path"], artifact["precision"]) for artifact in report["artifacts"]]
    shown = re.findall(r"^(\S+) +(fp32|float16|int8) .* ok$", TEXTS["README.md"], re.MULTILINE)
    assert shown == artifacts


def numbers(name: str, *pattern: str) -> list[float]:
    """The numbers that one place of a document names; what stands around them is `pattern`."""
    number = r"(\d[\d,]*(?:\.\d+)?)"
    text = " ".join(TEXTS[name].split())
    (found,) = re.finditer(number.join(re.escape(part) for part in pattern), text)
    return [float(group.replace(",", "")) for group in found.groups()]


def rate(images: str, program: str = "edge-runtime") -> float:
    """Images a second, as `make bench` measured them."""
    batch = json.loads((ROOT / "docs/performance.json").read_text("utf-8"))["batches"][images]
    return float(batch["count"] / statistics.median(batch["seconds"][program]))


def test_the_speeds_in_the_texts_are_those_that_were_measured() -> None:
    told = numbers(
        *("README.md", "Two cores classify ", " small PNGs, ", " photos of 500x400 or "),
        " photos of 12 megapixels in a second",
    )
    assert told == pytest.approx([rate("small"), rate("photos"), rate("large")], rel=0.02)
    told = numbers(
        *("docs/scale.md", "the local engine classifies "),
        " small PNGs (28x28) a second with one worker and ",
        *(" with two; of JPEG photos of 500x400 it is ", " and ", ". With"),
    )
    workers = ("edge-runtime, 1 worker", "edge-runtime")
    measured = [rate(images, program) for images in ("small", "photos") for program in workers]
    assert told == pytest.approx(measured, rel=0.001)
    seconds = {"seconds": 1, "minutes": 60, "hours": 3600}
    row = re.compile(r"^\| (\d+) million \| (.+) \| (.+) \|$", re.MULTILINE)
    rows = row.findall(TEXTS["docs/scale.md"])
    assert rows
    for millions, *cells in rows:
        for cell, images in zip(cells, ("small", "photos"), strict=True):
            number, unit = cell.split()
            took = float(millions) * 1e6 / rate(images)
            assert float(number) * seconds[unit] == pytest.approx(took, rel=0.05), cell


def test_the_sizes_of_the_wheel_and_of_the_page_are_as_told(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_page, without = numbers("docs/page.md", "its licences, and has ", " MB instead of ", ".")
    assert numbers("README.md", "runtime and the digits model, ", " MB together") == [without]
    assert zipped(device.site) / 1e6 == pytest.approx(without, abs=0.06)
    package = json.loads((server.PAGE / "package.json").read_text("utf-8"))
    library = server.PAGE / server.LIBRARY
    if library.is_dir():
        assert zipped(library) / 1e6 == pytest.approx(with_page - without, abs=0.1)
    fetched = dict.fromkeys([*package["sha256"], *server._NOTICES.values()], b"")
    monkeypatch.setattr(server, "_library", lambda: fetched)
    files = len(server.page_files(ROOT / "exported/digits"))
    assert numbers("docs/page.md", "site: ", " files, to be served") == [files]


def zipped(folder: Path) -> int:
    """Bytes of a wheel with the files of that folder."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return len(stream.getvalue())


# What follows plants a mistake of each kind, and sees it found.


def test_another_output_is_found(device: Device) -> None:
    printed = ["path,status,label,score,error", "a.png,ok,7,0.5,", "1 images in 0.1 s (9 a second)"]
    right = (printed[0], "a.png,ok,3,0.912345,", "1 images in 2.3 s (1,234 a second)")
    for number, line in enumerate(("path,status,label", "b.png,ok,7,0.5,", "2 images in 0.1 s")):
        assert documents.output_problem(Session("c", right), printed) is None
        wrong = (*right[:number], line, *right[number + 1 :])
        problem = documents.output_problem(Session("c", wrong), printed)
        assert problem
        assert line in problem
    assert documents.output_problem(Session("c", right[:2]), printed)
    assert documents.output_problem(Session("c", (right[0], "...")), printed) is None
    assert documents.output_problem(Session("c", ("...", right[0])), printed)
    with pytest.raises(ValueError, match="neither run nor in NOT_RUN"):
        device.run("curl example.org")


def test_a_word_that_a_build_does_not_say_is_found() -> None:
    shown = Session("make build", ("epoch 3/9  loss 0.1", "brewing tea/pot.txt ..."))
    assert documents.word_problems(shown) == ["make build: no text has 'brewing'"]


@pytest.mark.parametrize(
    "text",
    [
        "`edge-runtime guess`",
        "`edge-runtime check --fast`",
        "```\n$ .venv/bin/model-build build --data photos --colour\n```\n",
        "```\nmodel-build sign exported/digits \\\n    --kee private.pem\n```\n",
        "`make coffee`",
        "`make build SUGAR=2`",
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str) -> None:
    assert len(documents.command_problems(text)) == 1


def test_a_broken_link_is_found() -> None:
    text = "[a](README.md) [b](README.md#development) [c](README.md#tea) [d](TEA.md) [e](#tea)"
    problems = documents.link_problems(text, ROOT)
    assert [problem.partition(":")[0] for problem in problems] == [
        "README.md#tea",
        "TEA.md",
        "#tea",
    ]


def test_a_path_that_does_not_exist_is_found() -> None:
    text = "`docs/security.md` `preprocessing/ink/find` `tests/test_tea.py` `tea.md` `a.b` `x/y.z`"
    problems = documents.path_problems(text, ROOT, {"y.z"})
    assert problems == [
        "`tests/test_tea.py`: not in the repository",
        "`tea.md`: not in the repository",
    ]


def test_python_that_does_not_exist_is_found() -> None:
    assert python_problems("from edge_runtime import Classifier, Tea\nimport tea") == [
        "edge_runtime has no Tea"
    ]
    with pytest.raises(SyntaxError):
        python_problems("for tea")


def test_folders_and_modules_are_read_from_the_table() -> None:
    text = "| **`top/`** | is | `a`: with `b`; `c`, `d`: more |\n| `in/` | is | `e`: it; `f/` |\n"
    assert architecture(text) == {"top/": {"a", "c", "d"}, "top/in/": {"e"}}
    problems = architecture_problems(
        "| **`model_build/`** | is | `models`: networks; `tea`: hot |\n| `tea/` | is | `pot` |\n"
    )
    assert "model_build/tea/: not there" in problems
    assert "model_build/tea: not there" in problems
    assert "model_build/errors: not told" in problems
    assert "model_build/data/: not told" in problems
    assert "model_build/models: not told" not in problems
