"""Copies the reference bundle, exported/digits, into the wheel and the source archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "exported" / "digits"
PACKAGE = Path("src", "edge_runtime")


class BuildWithDigits(build_py):
    """Builds the package; from a source archive, where the model stands in it, as any other."""

    def run(self) -> None:
        """Build, and copy the model where it is not part of the source."""
        super().run()
        if not self.editable_mode and not (HERE / PACKAGE / "digits").exists():
            copy_digits(self.package_data["edge_runtime"], Path(self.build_lib, "edge_runtime"))


class ArchiveWithDigits(sdist):
    """Makes the source archive, which needs no checkout to be built."""

    def make_release_tree(self, base_dir: str, files: Iterable[str]) -> None:
        """Collect the files, and the model."""
        super().make_release_tree(base_dir, files)
        if not (HERE / PACKAGE / "digits").exists():
            patterns = self.distribution.package_data["edge_runtime"]
            copy_digits(patterns, Path(base_dir, PACKAGE))


def copy_digits(patterns: Iterable[str], package: Path) -> None:
    """Copy the files of the reference bundle that `digits/...` patterns name into a package."""
    if not (REFERENCE / "manifest.json").is_file():
        raise SystemExit(f"{REFERENCE}: is not here; take the whole repository, or `make build`")
    shutil.rmtree(package / "digits", ignore_errors=True)  # of an earlier build
    for pattern in patterns:
        folder, _, inside = pattern.partition("/")
        for path in REFERENCE.glob(inside) if folder == "digits" else ():
            target = package / "digits" / path.relative_to(REFERENCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


setup(cmdclass={"build_py": BuildWithDigits, "sdist": ArchiveWithDigits})
