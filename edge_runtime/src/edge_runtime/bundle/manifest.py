"""A bundle's manifest: the model's specification, and every file with its hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BundleError
from .integrity import MAX_FILE_BYTES, check_seal, read_file, sealed
from .json_fields import ANY, integer, is_plain_path, kind_of, number, typed
from .onnx_weights import metadata_of, not_onnx
from .spec import ModelSpec

MANIFEST_NAME = "manifest.json"
_PACKAGE = Path(__file__).parents[1]
_IN_WHEEL, _IN_CHECKOUT = _PACKAGE / "digits", _PACKAGE.parents[2] / "exported" / "digits"
BUILT_IN = _IN_WHEEL if _IN_WHEEL.exists() else _IN_CHECKOUT
"""The digits model of this package; in a checkout, the bundle that a wheel copies."""
SIGNATURE_NAME = "manifest.sig"
LABELS_NAME = "labels.txt"
MAX_MANIFEST_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of a bundle, and what was measured of it."""

    path: str
    """Relative to the bundle, with forward slashes."""
    bytes: int
    sha256: str
    format: str = "other"
    """`onnx`, `ort`, `tflite`, `saved_model`, `keras` or `other`."""
    precision: str | None = None
    """`fp32`, `float16` or `int8`."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """For a model: accuracy and agreement with Keras in [0, 1], max_difference of a probability."""

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in a manifest."""
        entry: dict[str, Any] = {
            "path": self.path,
            "format": self.format,
            "bytes": self.bytes,
            "sha256": self.sha256,
        }
        if self.precision is not None:
            entry["precision"] = self.precision
        return entry | dict(self.measured)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A bundle's `manifest.json`."""

    spec: ModelSpec
    files: tuple[BundleFile, ...]
    calibration: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def find(self, format: str, precision: str) -> BundleFile | None:
        """The file of that format and precision, or None."""
        for file in self.files:
            if file.format == format and file.precision == precision:
                return file
        return None

    def to_json(self) -> dict[str, Any]:
        """The JSON object that stands in `manifest.json`, without its own hash."""
        return self.spec.to_json() | {
            "files": [file.to_json() for file in self.files],
            "calibration": dict(self.calibration),
            "training": dict(self.training),
        }

    def dumps(self) -> str:
        """The manifest as text: the same manifest always gives the same text."""
        return sealed(self.to_json())

    @classmethod
    def loads(cls, text: str | bytes, where: str) -> Manifest:
        """Parse and validate. Raises BundleError."""
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        try:
            data = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BundleError(
                f"{where}: not JSON ({error}): copy or build the bundle again"
            ) from None
        if not isinstance(data, dict):
            raise BundleError(f"{where}: expected a JSON object, found {kind_of(data)}")
        files = tuple(
            _file_from_json(entry, f"{where}: files[{index}]")
            for index, entry in enumerate(typed(data, "files", list, where))
        )
        paths = [file.path for file in files]
        if len(set(paths)) != len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise BundleError(f"{where}: file {twice!r} stands twice")
        manifest = cls(
            spec=ModelSpec.from_json(data, where),
            files=files,
            calibration=typed(data, "calibration", dict, where),
            training=typed(data, "training", dict, where),
        )
        check_seal(raw, where)
        return manifest

    @classmethod
    def load(cls, bundle: str | os.PathLike[str]) -> Manifest:
        """Read `manifest.json` of the bundle folder. Raises BundleError."""
        folder = Path(bundle)
        return cls.loads(manifest_bytes(folder), str(folder / MANIFEST_NAME))


def read_model(bundle: Path, precision: str) -> tuple[Manifest, Path, bytes]:
    """Read a bundle's manifest and its ONNX file of that precision, and check the file's hash.

    Returns (manifest, path of the ONNX file, its bytes). Raises BundleError.
    """
    manifest = Manifest.load(bundle)
    file = manifest.find("onnx", precision)
    if file is None:
        others = ", ".join(
            f.precision for f in manifest.files if f.format == "onnx" and f.precision
        )
        instead = f", but {others}; give --precision {others}" if others else ""
        raise BundleError(f"{bundle}: the bundle has no {precision} ONNX file{instead}")
    return manifest, bundle / file.path, read_verified(bundle, file)


def read_lone_spec(path: Path) -> ModelSpec:
    """Read what a lone ONNX file says of itself, without onnxruntime. Raises BundleError."""
    data = read_file(path, MAX_FILE_BYTES)
    try:
        metadata = metadata_of(data)
    except ValueError as error:
        raise not_onnx(data, path, error) from None
    return ModelSpec.from_metadata(metadata, str(path))


def manifest_bytes(bundle: Path) -> bytes:
    """The bytes of a bundle's manifest. Raises BundleError, also for what is no bundle."""
    path = bundle / MANIFEST_NAME
    try:
        return read_file(path, MAX_MANIFEST_BYTES)
    except BundleError:
        if os.path.lexists(path):
            raise
        raise BundleError(f"{bundle}: {_no_bundle(bundle)}") from None


def _no_bundle(folder: Path) -> str:
    """Say what a path is that holds no manifest, and what to give."""
    if folder.is_dir():
        return f"holds no {MANIFEST_NAME}; give a bundle, a folder that model-build has written"
    if folder.exists():
        return "is a file, this needs a bundle; give the folder that model-build has written"
    return "no such folder; give a bundle, a folder that model-build has written"


def read_verified(bundle: Path, file: BundleFile) -> bytes:
    """The bytes of one file of the bundle, after its size and SHA-256 have been checked.

    Raises BundleError, with both hashes in the message, when the file is not the one that
    the manifest describes, or is a link that leads out of the bundle.
    """
    path = bundle / file.path
    target = Path(os.path.realpath(path))
    if not target.is_relative_to(os.path.realpath(bundle)):
        raise BundleError(f"{path}: leads out of the bundle, to {target}")
    data = read_file(path, MAX_FILE_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256 or len(data) != file.bytes:
        raise BundleError(
            f"{path}: SHA-256 is {found} of {len(data)} bytes, the manifest says {file.sha256} of"
            f" {file.bytes}; the file was altered or damaged: copy or build the bundle again"
        )
    return data


def check_labels(bundle: Path, manifest: Manifest) -> None:
    """Check that labels.txt, for hosts that read no JSON, is whole and has the manifest's labels.

    A device may lack the file. Raises BundleError.
    """
    for file in manifest.files:
        if file.path == LABELS_NAME and os.path.lexists(bundle / LABELS_NAME):
            text = read_verified(bundle, file)
            if text.decode("utf-8", "replace") != labels_text(manifest.spec.labels):
                raise BundleError(
                    f"{bundle / LABELS_NAME}: has other labels than {MANIFEST_NAME}; build the"
                    " bundle again"
                )


def labels_text(labels: Iterable[str]) -> str:
    """The text of labels.txt: one label per line, in the order of the model's output."""
    return "".join(f"{label}\n" for label in labels)


def _file_from_json(data: Any, where: str) -> BundleFile:
    if not isinstance(data, dict):
        raise BundleError(f"{where}: expected a JSON object, found {kind_of(data)}")
    path = typed(data, "path", str, where)
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or str(pure) != path or not is_plain_path(path):
        raise BundleError(f"{where}: path {path!r} leaves the bundle or is not in plain form")
    sha256 = typed(data, "sha256", str, where)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BundleError(f"{where}: sha256 {sha256!r} is not 64 hexadecimal digits")
    described = {"path", "format", "precision", "bytes", "sha256"}
    return BundleFile(
        path=path,
        bytes=integer(data, "bytes", 0, MAX_FILE_BYTES, where),
        sha256=sha256,
        format=typed(data, "format", str, where),
        precision=typed(data, "precision", str, where) if "precision" in data else None,
        measured={key: number(data, key, -ANY, ANY, where) for key in data if key not in described},
    )
