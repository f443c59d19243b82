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
from email.message import Message
from email.parser import BytesParser
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import edge_runtime
import model_build

ROOT = Path(__file__).parents[1]
VERSION = edge_runtime.__version__
FOLDERS = {"model-build": ROOT, "edge-runtime": ROOT / "edge_runtime"}
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADDRESS = SETTINGS["project"]["urls"]["Repository"]


@dataclass(frozen=True)
class Built:
    """The files of a source archive and of the wheel that was built from it, by their names."""

    archive: dict[str, bytes]
    wheel: dict[str, bytes]

    @property
    def metadata(self) -> Message:
        """What the wheel says of itself."""
        (name,) = (name for name in self.wheel if name.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(self.wheel[name])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Both distributions, made from a copy of the checkout that holds no more than they need."""
    top = tmp_path_factory.mktemp("built")
    leave = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    for name in ("model_build", "edge_runtime", "exported/digits"):
        shutil.copytree(ROOT / name, top / name, ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copyfile(ROOT / name, top / name)
    return {name: build(top / FOLDERS[name].relative_to(ROOT), top) for name in FOLDERS}


def build(source: Path, top: Path) -> Built:
    output = top / "dist" / source.name
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", output, source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = output.glob("*.tar.gz")
    (wheel,) = output.glob("*.whl")
    with tarfile.open(archive) as tar:
        assert not [member.name for member in tar if member.issym() or member.islnk()]
        files = {m.name.partition("/")[2]: tar.extractfile(m) for m in tar if m.isfile()}
        stored = {name: file.read() for name, file in files.items() if file}
    with zipfile.ZipFile(wheel) as zipped:
        return Built(stored, {name: zipped.read(name) for name in zipped.namelist()})


def test_the_wheel_and_the_source_archive_hold_the_reference_model(
    built: dict[str, Built],
) -> None:
    reference = ROOT / "exported" / "digits"
    runtime = built["edge-runtime"]
    for files, top in ((runtime.wheel, ""), (runtime.archive, "src/")):
        inside = {n.removeprefix(f"{top}edge_runtime/digits/"): n for n in files if "/digits/" in n}
        for name, stored in inside.items():
            assert files[stored] == (reference / name).read_bytes(), name
        assert {"manifest.json", "model.onnx", "model.int8.onnx", "labels.txt"} <= inside.keys()
        golden = {f"golden/{path.name}" for path in (reference / "golden").iterdir()}
        assert {name for name in inside if name.startswith("golden/")} == golden


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_holds_its_licence_and_says_who_made_it(built: dict[str, Built], name: str) -> None:
    (licence,) = (text for path, text in built[name].wheel.items() if path.endswith("/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()
    metadata = built[name].metadata
    assert metadata["License-Expression"] == "MIT"
    for field in ("Author", "Keywords", "Classifier", "Summary"):
        assert metadata[field], field
    urls = dict(text.split(", ") for text in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Repository", "Documentation", "Changelog"}
    for address in urls.values():
        assert address.startswith(ADDRESS)


def test_the_runtimes_readme_leads_somewhere_from_any_page(built: dict[str, Built]) -> None:
    text = built["edge-runtime"].metadata.get_payload()
    assert isinstance(text, str)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets
    for target in targets:
        assert target.startswith(f"{ADDRESS}/blob/main/"), target
        assert (ROOT / target.removeprefix(f"{ADDRESS}/blob/main/")).is_file(), target


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


def test_the_oldest_libraries_that_are_tested_are_those_that_are_declared() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (line,) = re.findall(r"^OLDEST := (.+)$", makefile, re.MULTILINE)
    tested = {re.sub(r"(\.0)+$", "", pin) for pin in line.split()}
    declared = project_file("edge-runtime")["project"]["dependencies"]
    assert tested == {requirement.replace(">=", "==") for requirement in declared}
