"""A folder per class, with or without `train`, `val` and `test` above the classes."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.files import EXTENSIONS, walk

from .sources import Files, Finding, Part, Source

_PARTS: dict[str, Part] = {
    **{"train": "train", "training": "train"},
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **{"test": "test", "testing": "test"},
}


def folder_source(root: Path) -> Source | None:
    """The images of each class's folder, those in folders inside it included; None for a file."""
    if not root.is_dir():
        return None
    root = _descend(root)
    folders = _folders(root)
    parts = {name: _PARTS[name.lower()] for name in folders if name.lower() in _PARTS}
    divided = "train" in parts.values() and len(parts) == len(folders)
    if divided:
        classes = [
            (f"{part}/{name}", name, parts[part])
            for part in folders
            for name in _folders(root / part)
        ]
    else:
        classes = [(name, name, "") for name in folders]
    paths: list[str] = []
    labels: list[str] = []
    owned: list[Part] = []
    others = [_relative(root, path) for path in _loose(root, list(parts) if divided else [])]
    empty, nested = [], []
    for folder, label, part in classes:
        found, passed = _images(root / folder)
        others += [_relative(root, path) for path in passed]
        if not found:
            empty.append(folder)
        deep = {os.path.dirname(path) for path in found} - {str(root / folder)}
        nested += sorted(_relative(root, path) for path in deep)
        paths += [_relative(root, path) for path in found]
        labels += [label] * len(found)
        owned += [part] * len(found)
    findings = []
    if empty:
        findings.append(Finding(f"without an image, no class: {len(empty)} folders", (*empty,)))
    if nested:
        findings.append(
            Finding(f"taken as part of the class around it: {len(nested)} folders", (*nested,))
        )
    if others:
        findings.append(Finding(f"passed over: {len(others)} other files", (*others,)))
    about = "a folder per class" + (" in " + ", ".join(parts) if divided else "")
    return Source(about, Files(root, paths), labels, owned, tuple(findings))


def _descend(root: Path) -> Path:
    """Past folders that hold nothing but one folder of folders, as archives are unpacked."""
    while len(inside := _folders(root)) == 1 and len(_folders(root / inside[0])) > 1:
        if _images(root / inside[0], recursive=False)[0]:
            break
        root = root / inside[0]
    return root


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _loose(root: Path, parts: list[str]) -> list[str]:
    """Files beside the classes' folders, which belong to no class."""
    found = []
    for folder in (root, *(root / part for part in parts)):
        found += list(walk([str(folder)], recursive=False, all_files=True))
    return found


def _images(folder: Path, recursive: bool = True) -> tuple[list[str], list[str]]:
    """The paths of its images, and of its other files."""
    images: list[str] = []
    others: list[str] = []
    for path in walk([str(folder)], recursive=recursive, all_files=True):
        known = os.path.splitext(path)[1].lower() in EXTENSIONS
        (images if known else others).append(path)
    return images, others


def _relative(root: Path, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")
