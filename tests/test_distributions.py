"""What pip sees of the two distributions: their files, one version, a pin for every library."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import edge_runtime
import model_build

ROOT = Path(__file__).parents[1]
VERSION = edge_runtime.__version__
FOLDERS = {"model-build": ROOT, "edge-runtime": ROOT / "edge_runtime"}


@dataclass(frozen=True)
class Built:
    """The files of a source archive and of the wheel that was built from it, by their names."""

    archive: dict[str, bytes]
    wheel: dict[str, bytes]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The runtime's, made from a copy of the checkout that holds no more than they need."""
    top = tmp_path_factory.mktemp("built")
    shutil.copytree(
        FOLDERS["edge-runtime"],
        top / "edge_runtime",
        ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"),
    )
    shutil.copytree(ROOT / "exported" / "digits", top / "exported" / "digits")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", top / "dist"]
    subprocess.run([*command, top / "edge_runtime"], check=True, stdout=subprocess.DEVNULL)
    (archive,) = (top / "dist").glob("edge_runtime-*.tar.gz")
    (wheel,) = (top / "dist").glob("edge_runtime-*.whl")
    with tarfile.open(archive) as tar:
        assert not [member.name for member in tar if member.issym() or member.islnk()]
        files = {m.name.partition("/")[2]: tar.extractfile(m) for m in tar if m.isfile()}
        stored = {name: file.read() for name, file in files.items() if file}
    with zipfile.ZipFile(wheel) as zipped:
        return Built(stored, {name: zipped.read(name) for name in zipped.namelist()})


def test_the_wheel_and_the_source_archive_hold_the_reference_model(runtime: Built) -> None:
    reference = ROOT / "exported" / "digits"
    for files, top in ((runtime.wheel, ""), (runtime.archive, "src/")):
        inside = {n.removeprefix(f"{top}edge_runtime/digits/"): n for n in files if "/digits/" in n}
        for name, stored in inside.items():
            assert files[stored] == (reference / name).read_bytes(), name
        assert {"manifest.json", "model.onnx", "model.int8.onnx", "labels.txt"} <= inside.keys()
        golden = {f"golden/{path.name}" for path in (reference / "golden").iterdir()}
        assert {name for name in inside if name.startswith("golden/")} == golden


def test_no_file_of_the_sources_is_a_link() -> None:
    """A checkout on Windows may hold none."""
    walk = os.walk(FOLDERS["edge-runtime"])
    paths = [Path(folder, name) for folder, *names in walk for name in chain(*names)]
    assert len(paths) > 100
    assert [path for path in paths if path.is_symlink()] == []


def project_file(name: str) -> Any:
    return tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", FOLDERS)
def test_the_version_is_that_of_the_runtime(name: str) -> None:
    settings = project_file(name)
    assert settings["project"]["dynamic"] == ["version"]
    dotted = settings["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    top = FOLDERS[name] if name == "model-build" else FOLDERS[name] / "src"
    module = top.joinpath(*dotted.split(".")[:-1]) / "__init__.py"
    assert module.samefile(ROOT / "edge_runtime/src/edge_runtime/__init__.py")
    # setuptools reads a literal without importing the package.
    assignments = [
        n for n in ast.parse(module.read_text("utf-8")).body if isinstance(n, ast.Assign)
    ]
    values = {ast.unparse(node.targets[0]): node.value for node in assignments}
    assert ast.literal_eval(values["__version__"]) == VERSION


def test_model_build_asks_for_the_runtime_of_its_own_version() -> None:
    assert model_build.__version__ == VERSION
    assert f"edge-runtime=={VERSION}" in project_file("model-build")["project"]["dependencies"]


def test_a_source_distribution_holds_the_file_that_says_the_version() -> None:
    lines = (ROOT / "MANIFEST.in").read_text("utf-8").splitlines()
    assert "include edge_runtime/src/edge_runtime/__init__.py" in lines


def test_the_changelog_has_an_entry_for_this_version_and_a_place_for_the_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", h) for h in headings[1:]]
    assert all(released), headings
    versions = [match[1] for match in released if match]
    assert VERSION in versions
    assert versions == sorted(versions, key=lambda v: [*map(int, v.split("."))], reverse=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_library_that_is_asked_for_has_a_tested_version(name: str) -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if not line.startswith("#")}
    project = project_file(name)["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in asked}
    assert names - {"edge-runtime"} <= pinned
