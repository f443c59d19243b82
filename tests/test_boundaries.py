"""The rules of the house that imports and the layout of the tests must keep."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import boundaries
from .support.boundaries import Modules, imports, libraries, modules_of

ROOT = Path(__file__).parents[1]
RUNTIME = modules_of(ROOT / "edge_runtime/src/edge_runtime")
BUILD = modules_of(ROOT / "model_build")
BOTH = pytest.mark.parametrize("modules", [RUNTIME, BUILD], ids=["edge_runtime", "model_build"])

# From top to bottom: a module imports its own layer and those below it, and no neighbour in the
# same line. `__init__` is the package's face.
RUNTIME_LAYERS = """
    __main__
    cli
    ray
    distributed
    watch
    deployment
    web
    output
    __init__
    inference
    preprocessing
    bundle
    inputs
    system
    errors
"""
BUILD_LAYERS = """
    __main__
    cli
    __init__
    pipeline  evaluation
    bundle
    verification
    export
    recipes.registry
    recipes.digits  recipes.generic
    recipes.training
    recipes.recipe
    calibration  label_review
    training
    data
    models  onnx_graph
    quiet
    backbones
    arguments
    seeds
    errors
"""

DEVICE_LIBRARIES = {"numpy", "onnxruntime", "PIL", "click"}
EXTRAS = {"cryptography", "ray", "pyarrow", "fsspec", "pi_heif"}
RUNTIME_HOMES = {
    "numpy": {"inputs", "preprocessing", "inference", "deployment"},
    "PIL": {"inputs", "preprocessing"},
    "onnxruntime": {"inference.session"},
    "click": {"cli"},
    "cryptography": {"bundle.signature"},
    "ray": {"distributed.ray"},
    "pyarrow": {"distributed", "output.parquet"},
    "fsspec": {"distributed.storage"},
    "pi_heif": {"inputs.heif"},
}
BUILD_HOMES = {
    "click": {"cli"},
    "onnx": {"export", "onnx_graph"},
    "tf2onnx": {"onnx_graph"},
    "onnxruntime": {"export", "onnx_graph"},
    "ai_edge_litert": {"export", "verification"},
    "matplotlib": {"bundle", "recipes.digits"},
}
COMMAND_LINES = {"cli", "__main__"}
FORKED = {"system.forked"}
"""Ends the process that it has forked, in it."""

# Modules without a test file of their own, and the one whose tests exercise them.
TESTED_BY = {
    "__main__": "test_errors.py",
    "ray": "distributed/test_ray.py",
    "bundle.integrity": "bundle/test_manifest.py",
    "bundle.json_fields": "bundle/test_manifest.py",
    "bundle.preprocessing": "bundle/test_manifest.py",
    "bundle.spec": "bundle/test_manifest.py",
    "cli.bench": "deployment/test_benchmark.py",
    "cli.demo": "web/test_server.py",
    "cli.logs": "watch/test_loop.py",
    "cli.options": "cli/test_main.py",
    "cli.predict_on_ray": "distributed/test_ray.py",
    "cli.update": "deployment/test_update.py",
    "cli.watch": "watch/test_loop.py",
    "distributed.shards": "distributed/test_job.py",
    "inference.results": "inference/test_batch.py",
    "inference.session": "inference/test_classifier.py",
    "inputs.formats": "preprocessing/test_readers.py",
    "inputs.files": "test_errors.py",
    "inputs.image": "preprocessing/test_image.py",
    "inputs.pixels": "preprocessing/test_image.py",
    "output.encoding": "cli/test_predict.py",
    "output.parquet": "cli/test_predict.py",
    "output.rows": "cli/test_predict.py",
    "preprocessing.base": "preprocessing/test_readers.py",
    "preprocessing.ink.types": "preprocessing/ink/test_find.py",
    "system.arguments": "inference/test_classifier.py",
    "system.atomic": "deployment/test_update.py",
    "system.cpus": "inference/test_concurrency.py",
    "system.signals": "cli/test_predict.py",
    "system.standard_error": "inference/test_providers.py",
    "system.watchdog": "distributed/test_ray.py",
    "watch.model_process": "watch/test_loop.py",
}
MOST_LINES = 400
MOST_MODULES = 16


@pytest.mark.parametrize(
    ("modules", "layers"),
    [(RUNTIME, RUNTIME_LAYERS), (BUILD, BUILD_LAYERS)],
    ids=["edge_runtime", "model_build"],
)
def test_imports_go_only_downwards(modules: Modules, layers: str) -> None:
    assert boundaries.upward_imports(modules, layers) == []


@BOTH
def test_no_imports_form_a_circle(modules: Modules) -> None:
    assert boundaries.circles(modules) == []


@BOTH
def test_importing_a_part_does_not_import_the_whole(modules: Modules) -> None:
    assert boundaries.filled_inits(modules) == []


@BOTH
def test_only_the_package_itself_imports_by_name(modules: Modules) -> None:
    faces = {"edge_runtime", "model_build"}
    assert boundaries.imports_by_name(modules, faces) == []


def test_the_runtime_imports_only_what_a_device_has() -> None:
    allowed = {*sys.stdlib_module_names, *DEVICE_LIBRARIES, *EXTRAS, "edge_runtime"}
    assert boundaries.libraries_beyond(RUNTIME, allowed) == []


@pytest.mark.parametrize(
    ("modules", "homes"),
    [(RUNTIME, RUNTIME_HOMES), (BUILD, BUILD_HOMES)],
    ids=["edge_runtime", "model_build"],
)
def test_each_library_is_used_where_the_rule_says(
    modules: Modules, homes: dict[str, set[str]]
) -> None:
    assert boundaries.libraries_out_of_place(modules, homes) == []


@pytest.mark.parametrize("name", ["", ".__main__", ".errors", ".bundle.manifest"])
def test_what_is_imported_first_loads_the_standard_library_only(name: str) -> None:
    loaded = boundaries.libraries_at_start(RUNTIME, f"edge_runtime{name}")
    assert loaded <= {*sys.stdlib_module_names}


def test_the_onnx_artifact_is_verified_through_the_runtime() -> None:
    verification = {m: p for m, p in BUILD.items() if m.startswith("model_build.verification.")}
    names = set().union(*(imports(module, path) for module, path in verification.items()))
    assert "edge_runtime.Classifier" in names


@BOTH
def test_only_the_command_lines_print_or_exit(modules: Modules) -> None:
    assert boundaries.speech(modules, COMMAND_LINES | FORKED) == []


@BOTH
def test_no_module_is_long_and_no_folder_is_full(modules: Modules) -> None:
    assert boundaries.long_modules(modules, MOST_LINES) == []
    assert boundaries.full_folders(modules, MOST_MODULES) == []


ASKS_FOR_THE_DIGITS = r'store is None|workspace is None|data == "digits"'


def test_only_recipes_know_a_data_set() -> None:
    assert boundaries.phrases(BUILD, ASKS_FOR_THE_DIGITS, "model_build.recipes") == []


def test_every_module_of_the_runtime_has_its_tests() -> None:
    assert boundaries.untested(RUNTIME, ROOT / "tests/edge_runtime", TESTED_BY) == []


def test_the_runtime_declares_exactly_the_libraries_that_it_imports() -> None:
    with open(ROOT / "edge_runtime/pyproject.toml", "rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    names = {requirement.split(">=")[0] for requirement in declared}
    assert names == {"numpy", "onnxruntime", "pillow", "click"}
    used = set().union(*(libraries(imports(module, path)) for module, path in RUNTIME.items()))
    assert used & (DEVICE_LIBRARIES | EXTRAS) == DEVICE_LIBRARIES | EXTRAS


# The checks themselves: each finds what is planted in a package that is otherwise in order.

SOUND = {
    "__init__.py": '"""The face."""\nfrom .low.deep.one import x\n',
    "high/__init__.py": "",
    "high/top.py": "import click\nfrom .. import x\nfrom ..low import two\nclick.echo(x)\n",
    "low/__init__.py": "",
    "low/two.py": "import os\nfrom .deep import one\nfrom .deep.one import x\n",
    "low/deep/__init__.py": "",
    "low/deep/one.py": "def f():\n    import numpy\n\nx = 1\n",
    "low/near.py": "",
}
LAYERS = """
    high
    __init__
    low.two  low.near
    low.deep
"""
HOMES = {"click": {"high"}, "numpy": {"low.deep"}}
CHECKS: dict[str, Callable[[Modules, Path], list[str]]] = {
    "layers": lambda modules, _: boundaries.upward_imports(modules, LAYERS),
    "circles": lambda modules, _: boundaries.circles(modules),
    "inits": lambda modules, _: boundaries.filled_inits(modules),
    "by name": lambda modules, _: boundaries.imports_by_name(modules, {"pkg"}),
    "beyond": lambda modules, _: boundaries.libraries_beyond(
        modules, {"os", "sys", "typing", "importlib", "click", "numpy", "pkg"}
    ),
    "homes": lambda modules, _: boundaries.libraries_out_of_place(modules, HOMES),
    "first": lambda modules, _: sorted(
        boundaries.libraries_at_start(modules, "pkg") - sys.stdlib_module_names
    ),
    "speech": lambda modules, _: boundaries.speech(modules, {"high"}),
    "long": lambda modules, _: boundaries.long_modules(modules, 20),
    "full": lambda modules, _: boundaries.full_folders(modules, 3),
    "phrases": lambda modules, _: boundaries.phrases(modules, ASKS_FOR_THE_DIGITS, "pkg.high"),
    "tests": lambda modules, tests: boundaries.untested(modules, tests, {"low.two": "test_low.py"}),
}


def check(top: Path, name: str, files: dict[str, str]) -> list[str]:
    """What one check says of a package of these files."""
    tests = top / "tests"
    for path in ("test_package.py", "test_low.py", "high/test_top.py", "low/deep/test_one.py"):
        (tests / path).parent.mkdir(parents=True, exist_ok=True)
        (tests / path).touch()
    for path, text in files.items():
        (top / "pkg" / path).parent.mkdir(parents=True, exist_ok=True)
        (top / "pkg" / path).write_text(text)
    return CHECKS[name](modules_of(top / "pkg"), tests)


@pytest.mark.parametrize("name", CHECKS)
def test_a_package_in_order_passes(tmp_path: Path, name: str) -> None:
    assert check(tmp_path, name, SOUND) == []


UPWARD = "pkg.low.deep.one imports pkg.high.top, which is above it"
PLANTED = {
    "a relative import upwards": (
        *("layers", "low/deep/one.py", "from ...high import top", UPWARD),
    ),
    "of a name in a module": ("layers", "low/deep/one.py", "from ...high.top import x", UPWARD),
    "an absolute import upwards": ("layers", "low/deep/one.py", "import pkg.high.top", UPWARD),
    "within a function": (
        *("layers", "low/deep/one.py", "def f():\n    from pkg.high import top", UPWARD),
    ),
    "for type checkers": (
        *("layers", "low/deep/one.py"),
        *("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pkg.high.top", UPWARD),
    ),
    "of the face": (
        *("layers", "low/two.py", "from .. import x"),
        "pkg.low.two imports pkg, which is above it",
    ),
    "a neighbour": (
        *("layers", "low/near.py", "from . import two"),
        "pkg.low.near imports pkg.low.two, its neighbour",
    ),
    "a module without a layer": ("layers", "new.py", "x = 1", "pkg.new belongs to no layer"),
    "a circle": (
        *("circles", "low/deep/one.py", "def f():\n    from ..two import y"),
        "pkg.low.two imports pkg.low.deep.one",
    ),
    "a filled __init__": (
        *("inits", "low/__init__.py", "from .two import x"),
        "pkg.low: its __init__.py is not empty",
    ),
    "import_module": (
        *("by name", "low/two.py", "import importlib\nimportlib.import_module('numpy')"),
        "pkg.low.two:2: importlib.import_module",
    ),
    "__import__": ("by name", "low/two.py", "__import__('os')", "pkg.low.two:1: __import__"),
    "a library that is not there": (
        *("beyond", "low/deep/one.py", "def f():\n    import keras.models"),
        "pkg.low.deep.one imports keras",
    ),
    "model_build": (
        *("beyond", "high/top.py", "from model_build import build"),
        "pkg.high.top imports model_build",
    ),
    "a library out of its place": (
        *("homes", "low/two.py", "from numpy import array"),
        "pkg.low.two imports numpy",
    ),
    "a library that its home does not use": (
        *("homes", "low/deep/one.py", "x = 1"),
        "pkg.low.deep does not import numpy",
    ),
    "a library loaded first": ("first", "low/deep/one.py", "import numpy", "numpy"),
    "a library in a parent": ("first", "low/__init__.py", "import numpy", "numpy"),
    "print": ("speech", "low/two.py", "def f():\n    print(1)", "pkg.low.two:2: print"),
    "click.echo": (
        *("speech", "low/two.py", "import click\nclick.echo('')", "pkg.low.two:2: click.echo"),
    ),
    "sys.exit": ("speech", "low/two.py", "import sys\nsys.exit(1)", "pkg.low.two:2: sys.exit"),
    "SystemExit": ("speech", "low/two.py", "raise SystemExit", "pkg.low.two:1: SystemExit"),
    "a long module": ("long", "low/two.py", "x = 1\n" * 21, "pkg.low.two: 21 lines"),
    "a question for the digits": (
        *("phrases", "low/two.py", 'if data == "digits":\n    pass'),
        'pkg.low.two:1: if data == "digits":',
    ),
    "a module without tests": (
        *("tests", "low/three.py", "x = 1", "pkg.low.three: no low/test_three.py"),
    ),
    "an entry that is not needed": ("tests", "low/two.py", "", "pkg.low.two: needs no entry"),
}


@pytest.mark.parametrize(("name", "path", "text", "words"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_is_found(
    tmp_path: Path, name: str, path: str, text: str, words: str
) -> None:
    found = check(tmp_path, name, SOUND | {path: text})
    assert any(words in line for line in found), found


def test_a_full_folder_is_found(tmp_path: Path) -> None:
    files = SOUND | {f"low/m{number}.py": "" for number in range(2)}
    assert check(tmp_path, "full", files) == [f"{tmp_path / 'pkg/low'}: 4 modules"]
