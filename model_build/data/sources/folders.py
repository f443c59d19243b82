"""A folder per class, with or without `train`, `val` and `test` above the classes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from edge_runtime.inputs.formats import ENDINGS, PLURALS
from edge_runtime.inputs.walk import walk

from ...errors import BuildError
from .base import Files, Finding, Part, Source

_PARTS: dict[str, Part] = {
    **{"train": "train", "training": "train"},
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **{"test": "test", "testing": "test"},
}


def folder_source(root: Path) -> Source | None:
    """The images, sounds or series, whichever are most, of each class's folder, those in folders
    inside it included; or the `label_....wav` of a folder without folders. None for a file.
    Raises BuildError for examples that no folder and no name gives a class.
    """
    if not root.is_dir():
        return None
    root = _descend(root)
    folders = _folders(root)
    reads = _commonest(root)
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
    loose = _loose(root, list(parts) if divided else [])
    named = (
        []
        if classes or divided
        else [path for path in loose if _suits(path, reads) and "_" in path]
    )
    for path in named:
        paths.append(path)
        labels.append(path.partition("_")[0])
        owned.append("")
    others = [path for path in loose if path not in set(named)]
    empty, nested = [], []
    for folder, label, part in classes:
        files = [_relative(root, path) for path in walk([str(root / folder)], all_files=True)]
        found = [path for path in files if _suits(path, reads)]
        others += [path for path in files if not _suits(path, reads)]
        if not found:
            empty.append(folder)
        nested += sorted({os.path.dirname(path) for path in found} - {folder})
        paths += found
        labels += [label] * len(found)
        owned += [part] * len(found)
    # A camera's names, as IMG_0001.jpg, say nothing; those of sounds begin with the class.
    if not paths or (named and reads != "sound" and len(set(labels)) < 2):
        _refuse_loose(root, [path for path in loose if _suits(path, reads)], reads)
    findings = []
    if empty:
        findings.append(Finding(f"no class, since nothing is in it ({len(empty)})", (*empty,)))
    if nested:
        findings.append(Finding(f"part of the class around it ({len(nested)})", (*nested,)))
    if others:
        findings.append(Finding(f"other files, passed over ({len(others)})", (*others,)))
    about = f"{PLURALS[reads]} in a folder per class"
    if divided:
        about += f" in {', '.join(parts)}"
    elif named:
        about = f"{PLURALS[reads]} named label_..."
    return Source(about, Files(root, paths, reads), labels, owned, tuple(findings), reads)


def _refuse_loose(root: Path, paths: list[str], reads: str) -> None:
    """Raise BuildError for examples without anything that tells their classes."""
    if paths:
        things = reads if len(paths) == 1 else PLURALS[reads]
        raise BuildError(
            f"--data {root}: {len(paths):,} {things} without a class, as {paths[0]}; put each"
            " class into a folder of its own"
        )


def _commonest(root: Path) -> str:
    """What most files of the folder are: `image`, `sound` or `series`."""
    endings = Counter(
        os.path.splitext(path)[1].lower() for path in walk([str(root)], all_files=True)
    )
    return max(ENDINGS, key=lambda reads: sum(endings[ending] for ending in ENDINGS[reads]))


def _suits(path: str, reads: str) -> bool:
    return os.path.splitext(path)[1].lower() in ENDINGS[reads]


def _descend(root: Path) -> Path:
    """Past folders that hold nothing but one folder of folders, as archives are unpacked."""
    while len(inside := _folders(root)) == 1 and len(_folders(root / inside[0])) > 1:
        if inside[0].lower() in _PARTS:
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
        files = walk([str(folder)], recursive=False, all_files=True)
        found += [_relative(root, path) for path in files]
    return found


def _relative(root: Path, path: str) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")
