"""The rules of the house that imports, versions and the layout of the tests must keep."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_runtime
import model_build

ROOT = Path(__file__).parents[1]
RUNTIME = {path.stem: path for path in (ROOT / "edge_runtime/src/edge_runtime").glob("*.py")}
BUILD = {path.stem: path for path in (ROOT / "model_build").glob("*.py")}
BOTH = [*RUNTIME.values(), *BUILD.values()]

NEVER_ON_THE_DEVICE = {
    *("model_build", "tensorflow", "keras", "sklearn", "scipy"),
    *("onnx", "tf2onnx", "matplotlib", "ai_edge_litert"),
}
ONLY_IN = {
    **{"PIL": {"preprocess", "ink", "plain_png"}, "onnxruntime": {"classifier"}},
    "click": {"cli", "exits", "tally"},
    "cryptography": {"signature"},
    **{"ray": {"ray"}, "pyarrow": {"parts", "ray", "storage"}, "fsspec": {"storage"}},
}
EXTRAS = {"cryptography", "ray", "pyarrow", "fsspec"}
DEVICE_LIBRARIES = {"numpy", *ONLY_IN} - EXTRAS
# Modules without a test file of their own, and the one whose tests exercise them.
TESTED_BY = {
    "__init__": "test_package",
    "__main__": "test_errors",
    "errors": "test_preprocess",
    "exits": "test_errors",
    "ink": "test_preprocess",
    "json_values": "test_manifest",
    "fit": "test_preprocess",
    "lock": "test_output",
    "pieces": "test_preprocess",
    "renames": "test_update",
    "results": "test_batch",
    "rows": "test_cli",
    "tally": "test_cli",
}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(tree: ast.AST, *, at_run_time: bool = False) -> Iterator[ast.AST]:
    """Every node; `at_run_time`: without what only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if at_run_time and is_type_checking(node):
            continue
        yield node
        yield from nodes(node, at_run_time=at_run_time)


def imports(path: Path, package: str, *, at_run_time: bool = False) -> set[str]:
    """The full names of the modules that a file imports, wherever in it."""
    found = set()
    for node in nodes(ast.parse(path.read_text("utf-8")), at_run_time=at_run_time):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [package if node.level else "", node.module]))
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            assert path == RUNTIME["__init__"], f"{path}: imports by name"
        elif isinstance(node, ast.Name):
            assert node.id != "__import__", f"{path}: imports by name"
    return found


def tops(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", RUNTIME)
def test_the_runtime_imports_only_what_a_device_has(module: str) -> None:
    imported = tops(imports(RUNTIME[module], "edge_runtime"))
    assert not imported & NEVER_ON_THE_DEVICE
    allowed = set(sys.stdlib_module_names) | DEVICE_LIBRARIES | EXTRAS | {"edge_runtime"}
    assert imported <= allowed
    for library, homes in ONLY_IN.items():
        assert library not in imported or module in homes


def test_each_library_is_used_where_the_rule_says() -> None:
    for library, homes in ONLY_IN.items():
        users = {m for m, path in RUNTIME.items() if library in tops(imports(path, "edge_runtime"))}
        assert users
        assert users <= homes


@pytest.mark.parametrize("module", ["manifest", "json_values", "errors", "__init__"])
def test_what_is_imported_first_needs_the_standard_library_only(module: str) -> None:
    imported = imports(RUNTIME[module], "edge_runtime", at_run_time=True)
    assert tops(imported) <= set(sys.stdlib_module_names) | {"edge_runtime"}
    inside = {name.split(".")[1] for name in imported if name.startswith("edge_runtime.")}
    assert inside & RUNTIME.keys() <= {"errors", "json_values"}


def reachable(module: str) -> set[str]:
    """The modules of model_build that importing and using one of them may import."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        names = imports(BUILD[waiting.pop()], "model_build", at_run_time=True)
        inside = {name.split(".")[1] for name in names if name.startswith("model_build.")}
        waiting += (inside & BUILD.keys()) - found
        found |= inside & BUILD.keys()
    return found


@pytest.mark.parametrize("module", ["data", "network", "augment", "train"])
def test_what_makes_the_model_does_not_know_what_becomes_of_it(module: str) -> None:
    assert not reachable(module) & {"export", "verify", "bundle", "report", "cli"}


def test_the_onnx_artifact_is_verified_through_the_runtime() -> None:
    assert "edge_runtime.Classifier" in imports(BUILD["verify"], "model_build")
    for module, path in BUILD.items():
        names = imports(path, "model_build")
        assert module == "export" or "onnxruntime" not in tops(names), module


ENDINGS = {"print", "exit", "quit", "input", "sys.exit", "os._exit", "os.abort"}


@pytest.mark.parametrize("path", BOTH, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_only_the_command_lines_print_or_exit(path: Path) -> None:
    for node in nodes(ast.parse(path.read_text("utf-8"))):
        words = ""
        if isinstance(node, ast.Call):
            words = ast.unparse(node.func)
        elif isinstance(node, ast.Raise) and node.exc:
            words = ast.unparse(node.exc).partition("(")[0]
        speaks = words in ENDINGS | {"SystemExit", "click.echo", "click.secho"}
        speaks |= words in {"sys.stdout.write", "sys.stderr.write"}
        assert path.stem in ("cli", "exits", "tally", "__main__") or not speaks, (
            f"{path}:{getattr(node, 'lineno', 0)}: {words}"
        )


def test_every_module_of_the_runtime_has_its_tests() -> None:
    tests = {path.stem for path in (ROOT / "tests/runtime").glob("test_*.py")}
    untested = {m for m in RUNTIME if f"test_{m}" not in tests and TESTED_BY.get(m) not in tests}
    assert not untested


def test_both_distributions_are_at_one_version() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    assert project["version"] == edge_runtime.__version__
    assert f"edge-runtime=={edge_runtime.__version__}" in project["dependencies"]
    assert model_build.__version__ == edge_runtime.__version__


def test_the_runtime_declares_exactly_the_libraries_that_it_imports() -> None:
    with open(ROOT / "edge_runtime/pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    names = {requirement.split(">=")[0] for requirement in declared}
    assert names == {"numpy", "onnxruntime", "pillow", "click"}
    imported = set().union(*(tops(imports(path, "edge_runtime")) for path in RUNTIME.values()))
    assert imported & DEVICE_LIBRARIES == DEVICE_LIBRARIES
