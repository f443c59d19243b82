"""Checks of a package's source: each returns one line for each place that breaks its rule."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

Modules = Mapping[str, Path]
"""The files of modules by dotted name; a package's `__init__.py` has the package's name."""


def modules_of(folder: Path) -> dict[str, Path]:
    """All modules of the package that is this folder."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def imports(module: str, path: Path, *, at_start: bool = False) -> set[str]:
    """The full dotted names that a module imports, wherever in it.

    at_start: only what is imported as soon as the module is, so nothing inside of functions or
    for type checkers.
    """
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = set()
    for node in _nodes(_parsed(path), at_start):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _nodes(tree: ast.AST, at_start: bool = False) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if at_start and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
        ):
            continue
        yield node
        yield from _nodes(node, at_start)


def graph(modules: Modules) -> dict[str, set[str]]:
    """Which modules each module imports, of those given."""
    arrows = {}
    for module, path in modules.items():
        found = {_longest_prefix(name, modules) for name in imports(module, path)}
        arrows[module] = {name for name in found if name}
    return arrows


def _longest_prefix(name: str, candidates: Collection[str]) -> str:
    """The candidate that is this dotted name or holds it, or an empty string."""
    while name and name not in candidates:
        name = name.rpartition(".")[0]
    return name


def libraries(names: Collection[str]) -> set[str]:
    """The top-level packages of dotted names."""
    return {name.partition(".")[0] for name in names}


def upward_imports(modules: Modules, layers: str) -> list[str]:
    """Imports of a higher layer, or of a neighbour in the same line.

    layers: a line for each, from top to bottom, of dotted names within the package; `__init__` is
    the package itself. A module belongs to the longest name that holds it.
    """
    top = next(iter(modules)).partition(".")[0]
    level = {
        top if name == "__init__" else f"{top}.{name}": number
        for number, line in enumerate(layers.split("\n"))
        for name in line.split()
    }
    wrong = []
    for module, imported in graph(modules).items():
        if _is_empty(modules[module]):
            continue
        layer = _layer(module, top, level)
        if not layer:
            wrong.append(f"{module} belongs to no layer")
            continue
        for other in imported:
            below = _layer(other, top, level)
            if not below or layer == below:
                continue
            if level[layer] > level[below]:
                wrong.append(f"{module} imports {other}, which is above it")
            elif level[layer] == level[below]:
                wrong.append(f"{module} imports {other}, its neighbour")
    return sorted(wrong)


def _layer(module: str, top: str, level: Mapping[str, int]) -> str:
    """The layer of a module; the package itself holds no module but its `__init__`."""
    layer = _longest_prefix(module, level)
    return "" if layer == top != module else layer


def _is_empty(path: Path) -> bool:
    return not _parsed(path).body


def circles(modules: Modules) -> list[str]:
    """The first circle of imports that is found."""
    try:
        TopologicalSorter(graph(modules)).prepare()
    except CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def filled_inits(modules: Modules) -> list[str]:
    """Sub-packages whose `__init__.py` holds code: importing a part would import the whole."""
    return [
        f"{module}: its __init__.py is not empty"
        for module, path in modules.items()
        if path.name == "__init__.py" and "." in module and not _is_empty(path)
    ]


def libraries_beyond(modules: Modules, allowed: Collection[str]) -> list[str]:
    """Imports of any library that is not among these."""
    return [
        f"{module} imports {library}"
        for module, path in modules.items()
        for library in sorted(libraries(imports(module, path)) - {*allowed})
    ]


def libraries_out_of_place(modules: Modules, homes: Mapping[str, Collection[str]]) -> list[str]:
    """Imports of a library outside of its homes, and homes that do not use it.

    homes: for each library the modules or packages that may import it, named within the package.
    """
    top = next(iter(modules)).partition(".")[0]
    wrong = []
    for library, names in homes.items():
        unused = {f"{top}.{name}" for name in names}
        places = frozenset(unused)
        for module, path in modules.items():
            if library in libraries(imports(module, path)):
                home = _longest_prefix(module, places)
                unused.discard(home)
                if not home:
                    wrong.append(f"{module} imports {library}")
        wrong += [f"{home} does not import {library}" for home in sorted(unused)]
    return wrong


def libraries_at_start(modules: Modules, module: str) -> set[str]:
    """The libraries that are loaded as soon as this module is imported."""
    waiting, seen, found = [module], {module}, set()
    while waiting:
        name = waiting.pop()
        names = imports(name, modules[name], at_start=True)
        found |= libraries(names)
        # Importing a.b.c imports a and a.b as well.
        parents = {
            name[: dot.start()] for name in [*names, name] for dot in re.finditer(r"\.", name)
        }
        new = ({_longest_prefix(name, modules) for name in names} | parents) & modules.keys() - seen
        seen |= new
        waiting += new
    return found - libraries([module])


_ENDINGS = {"print", "exit", "quit", "input", "sys.exit", "os._exit", "os.abort", "SystemExit"}
_SPEAKING = {"click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}


def speech(modules: Modules, allowed: Collection[str]) -> list[str]:
    """Places that print or end the process outside of these packages and modules."""
    top = next(iter(modules)).partition(".")[0]
    places = {f"{top}.{name}" for name in allowed}
    wrong = []
    for module, path in modules.items():
        if _longest_prefix(module, places):
            continue
        for node in _nodes(_parsed(path)):
            words = ""
            if isinstance(node, ast.Call):
                words = ast.unparse(node.func)
            elif isinstance(node, ast.Raise) and node.exc:
                words = ast.unparse(node.exc)
            if words in _ENDINGS | _SPEAKING:
                wrong.append(f"{module}:{getattr(node, 'lineno', 0)}: {words}")
    return wrong


def imports_by_name(modules: Modules, allowed: Collection[str]) -> list[str]:
    """Imports that the other checks cannot see, outside of these modules."""
    wrong = []
    for module, path in modules.items():
        for node in _nodes(_parsed(path)):
            words = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if (
                words.rpartition(".")[2] in ("import_module", "__import__")
                and module not in allowed
            ):
                wrong.append(f"{module}:{getattr(node, 'lineno', 0)}: {words}")
    return wrong


def long_modules(modules: Modules, limit: int) -> list[str]:
    """Modules of more lines."""
    counts = {module: len(path.read_text("utf-8").splitlines()) for module, path in modules.items()}
    return [f"{module}: {count} lines" for module, count in counts.items() if count > limit]


def full_folders(modules: Modules, limit: int) -> list[str]:
    """Folders of more modules, without `__init__.py`."""
    counts = Counter(path.parent for path in modules.values() if path.name != "__init__.py")
    return [f"{folder}: {count} modules" for folder, count in counts.items() if count > limit]


def phrases(modules: Modules, pattern: str, allowed: str) -> list[str]:
    """Lines in which the pattern is found, outside of one package."""
    return [
        f"{module}:{number}: {line.strip()}"
        for module, path in modules.items()
        if not f"{module}.".startswith(f"{allowed}.")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def untested(modules: Modules, tests: Path, tested_by: Mapping[str, str]) -> list[str]:
    """Modules without a test file at the same place of `tests`, and entries that are not needed.

    tested_by: for modules without a file of their own, the file whose tests exercise them.
    """
    wrong = []
    names = set()
    for module, path in modules.items():
        _, _, name = module.partition(".")
        folder, _, last = name.rpartition(".")
        own = tests / folder.replace(".", "/") / f"test_{last or 'package'}.py"
        other = tested_by.get(name or "__init__")
        names.add(name or "__init__")
        if _is_empty(path) or own.is_file():
            if other:
                wrong.append(f"{module}: needs no entry")
        elif not other or not (tests / other).is_file():
            wrong.append(f"{module}: no {own.relative_to(tests)}")
    return wrong + [f"{name}: there is no such module" for name in tested_by.keys() - names]
