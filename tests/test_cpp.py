"""The example in C++ is built by CMake and passes the golden tensors.

It needs a compiler, cmake and onnxruntime's headers: Debian 13's libonnxruntime-dev, or
ONNXRUNTIME_INCLUDE_DIR in the environment. The library is the one inside the Python package.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "exported" / "digits"
HEADERS = Path(os.environ.get("ONNXRUNTIME_INCLUDE_DIR", "/usr/include/onnxruntime"))
LIBRARIES = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))

pytestmark = [
    pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler"),
    pytest.mark.skipif(not shutil.which("cmake"), reason="needs cmake"),
    pytest.mark.skipif(
        not (HEADERS / "onnxruntime_cxx_api.h").exists(),
        reason="needs onnxruntime's headers: libonnxruntime-dev or ONNXRUNTIME_INCLUDE_DIR",
    ),
    pytest.mark.skipif(not LIBRARIES, reason="needs libonnxruntime.so in the Python package"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built without a warning."""
    top = tmp_path_factory.mktemp("cpp")
    library = top / "libonnxruntime.so.1"  # by this name the loader looks for it
    library.symlink_to(LIBRARIES[-1])
    for command in (
        [
            *("cmake", "-S", ROOT / "examples" / "cpp", "-B", top / "build"),
            f"-DONNXRUNTIME_INCLUDE_DIR={HEADERS}",
            f"-DONNXRUNTIME_LIBRARY={library}",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wshadow -Werror",
        ],
        ["cmake", "--build", top / "build"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return top / "build" / "golden"


def run(host: Path, *arguments: Path, home: Path) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [host, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"HOME": str(home)},  # and no CI=true, which would hide that something is sent
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The two files that it reads."""
    (tmp_path / "bundle" / "golden").mkdir(parents=True)
    for name in ("model.onnx", "golden/golden.json"):
        shutil.copy(BUNDLE / name, tmp_path / "bundle" / name)
    return tmp_path / "bundle"


def test_it_passes_the_golden_tensors_and_leaves_nothing_behind(host: Path, tmp_path: Path) -> None:
    done = run(host, BUNDLE, home=tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    vectors = json.loads((BUNDLE / "golden" / "golden.json").read_text("utf-8"))
    rows = done.stdout.splitlines()[1 : 1 + len(vectors)]
    for row, vector in zip(rows, vectors, strict=True):
        assert row.startswith(f"{vector['image']}: {vector['about']} ")
        label, difference, verdict = row.split()[-3:]
        assert (label, verdict) == (vector["label"], "ok")
        assert float(difference) < 1e-5
    assert done.stdout.splitlines()[-1] == f"{len(vectors)} of {len(vectors)} golden tensors passed"
    assert not done.stderr
    assert not list((tmp_path / "home").iterdir())


def darken(vector: dict[str, Any]) -> None:
    vector["tensor"] = [value // 4 for value in vector["tensor"]]


def exchange(vector: dict[str, Any]) -> None:
    vector["probabilities"][:2] = reversed(vector["probabilities"][:2])


def rename(vector: dict[str, Any]) -> None:
    vector["label"] = "other"


@pytest.mark.parametrize("spoil", [darken, exchange, rename])
def test_a_spoiled_vector_fails(
    host: Path, bundle: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    golden = bundle / "golden" / "golden.json"
    vectors = json.loads(golden.read_text("utf-8"))
    spoil(vectors[1])
    vectors[2]["about"] = 'Å, 数, 😀 "quoted"\t\\'
    golden.write_text(json.dumps(vectors, indent=1))
    done = run(host, bundle, home=tmp_path / "home")
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.count("FAILED") == 1
    assert done.stdout.splitlines()[2].endswith("FAILED")
    assert f"{vectors[2]['image']}: {vectors[2]['about']}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{len(vectors) - 1} of {len(vectors)} ")


def test_what_cannot_be_read_is_told_in_a_line(host: Path, bundle: Path, tmp_path: Path) -> None:
    golden, model = bundle / "golden" / "golden.json", bundle / "model.onnx"
    text = golden.read_bytes()
    for path, content in (
        (golden, b""),
        (golden, text[:5000]),
        (golden, text + b"[]"),
        (golden, text.replace(b'"tensor": [', b'"tensor": [256, ')),
        (model, model.read_bytes()[:5000]),
    ):
        before = path.read_bytes()
        path.write_bytes(content)
        done = run(host, bundle, home=tmp_path / "home")
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith(f"golden: {path}: ")
        assert done.stderr.count("\n") == 1
        path.write_bytes(before)
    golden.write_bytes(text.replace(b'"tensor": [', b'"tensor": [0, '))
    done = run(host, bundle, home=tmp_path / "home")
    assert done.returncode == 3
    assert done.stderr == f"golden: {model}: takes 256 values, not 257\n"
    assert run(host, tmp_path / "absent", home=tmp_path / "home").returncode == 3
    assert run(host, home=tmp_path / "home").returncode == 2
