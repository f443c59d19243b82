"""What importing the package costs, and what it offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edge_runtime

from ..support.helpers import EXECUTABLE, GOLDEN, TIMEOUT, environment

HEAVY = {"click", "PIL", "numpy", "onnxruntime"}
EXTRAS = {"ray", "pyarrow", "fsspec"}


def modules_imported_by(code: str, home: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=TIMEOUT,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_package_imports_nothing_heavy(home: Path) -> None:
    imported = modules_imported_by("import edge_runtime, edge_runtime.bundle.manifest", home)
    assert "edge_runtime" in imported
    assert not (HEAVY | EXTRAS) & imported


def test_using_the_library_never_imports_the_command_line(home: Path) -> None:
    code = f"from edge_runtime import Classifier; Classifier().predict({str(GOLDEN / '7.bmp')!r})"
    imported = modules_imported_by(code, home)
    assert HEAVY - imported == {"click"}


def test_an_input_tensor_is_made_without_onnxruntime(home: Path) -> None:
    code = f"""
from edge_runtime import Manifest, reader_of
spec = Manifest.load({str(GOLDEN.parent)!r}).spec
tensor = reader_of(spec.input, spec.preprocessing).tensor({str(GOLDEN / "7.bmp")!r})
assert tensor.shape == spec.input.shape and tensor.any()
"""
    assert HEAVY - modules_imported_by(code, home) == {"click", "onnxruntime"}


def test_help_is_shown_without_loading_numpy_or_onnxruntime(home: Path) -> None:
    for arguments in (["--help"], ["predict", "--help"], ["--version"]):
        done = subprocess.run(
            [EXECUTABLE, *arguments],
            capture_output=True,
            text=True,
            env=environment(home, PYTHONPROFILEIMPORTTIME="1"),
            timeout=TIMEOUT,
            check=True,
        )
        names = {line.split("|")[-1].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert "click" in names
        assert not names & {"numpy", "onnxruntime", "PIL"}, arguments


@pytest.mark.parametrize("before", [None, "0"])
def test_telemetry_is_off_before_onnxruntime_is_imported(home: Path, before: str | None) -> None:
    code = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
import edge_runtime
edge_runtime.Classifier()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(home, **({"ORT_DISABLE_TELEMETRY": before} if before else {})),
        timeout=TIMEOUT,
        check=True,
    )
    assert done.stdout == "1\n"


def test_every_public_name_is_there_and_others_are_not() -> None:
    assert edge_runtime.ImageError is edge_runtime.InputError
    for name in set(edge_runtime.__all__) - {"ImageError"}:
        assert getattr(edge_runtime, name).__name__ == name
    assert set(edge_runtime.__all__) <= set(dir(edge_runtime))
    with pytest.raises(AttributeError, match="no attribute 'Classifer'"):
        _ = edge_runtime.Classifer


def test_without_ray_the_engine_is_one_line_that_names_the_extra(
    home: Path, tmp_path: Path
) -> None:
    arguments = ["edge-runtime", "predict", "in", "--engine", "ray", "-o", "out"]
    code = f"""
import sys
sys.modules["ray"] = None
sys.argv = {arguments}
from edge_runtime.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(home),
        cwd=tmp_path,
        timeout=TIMEOUT,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pip install 'edge-runtime[ray]'" in line
    assert not (tmp_path / "out").exists()
