"""From a trained model to `exported/<name>/`: written beside, verified, then renamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import edge_runtime
from edge_runtime.bundle.manifest import (
    LABELS_NAME,
    MANIFEST_NAME,
    BundleFile,
    Manifest,
    labels_text,
)
from edge_runtime.bundle.spec import ModelSpec
from edge_runtime.inputs.formats import PLURALS

from ..calibration import Calibration
from ..data.dataset import Dataset, Labelled
from ..errors import GateError
from ..export.artifacts import ARTIFACTS, ORT_ARTIFACTS, Artifact
from ..export.c_array import write_c_array
from ..export.exporter import export_all
from ..label_review import LabelReview
from ..recipes.recipe import CardText, Say
from ..training.history import Trained
from ..verification.guessing import Guessing, beside_guessing
from ..verification.judge import ValidationJudge
from ..verification.parity import Gates, ParityReport, verify
from . import golden
from .staging import staged


def write_bundle(
    trained: Trained,
    dataset: Dataset,
    calibration: Calibration,
    samples: NDArray[np.uint8],
    examples: Labelled,
    card: CardText,
    target: Path,
    version: str,
    say: Say,
    *,
    force: bool,
    strict: bool = False,
    gates: Gates = Gates(),
    review: LabelReview | None = None,
    c_array: bool = False,
    ort: bool = False,
) -> tuple[ParityReport, Guessing]:
    """Export, verify and write the bundle `target`; readers see the old one or the new one.

    Raises GateError, with nothing written and an existing bundle untouched, when an artifact
    does not give the model's answers, or when the model is no better than guessing and `force` is
    false; BuildError when `target` exists and `force` is false. An int8 artifact that fails is left
    out, unless `strict`.
    samples: (N, height, width, channels), which set the ranges of the int8 files. examples: of the
    validation part, those of `calibration`, on which the int8 files are chosen. review: the labels,
    judged.
    `c_array` adds the int8 TFLite model as a C header, `ort` the ORT files and their operators.
    """
    spec = ModelSpec(
        name=target.name,
        version=version,
        labels=dataset.class_names,
        input=trained.input,
        preprocessing=dataset.preprocessing,
        min_score=calibration.min_score,
    )
    from . import data_review, model_card  # these load matplotlib

    with staged(target, force) as folder:
        judge = ValidationJudge(calibration.probabilities, examples)
        exported = export_all(trained.model, spec, samples, judge, folder, say, ort=ort)
        parity = verify(
            folder,
            exported.artifacts,
            trained.model,
            dataset.name,
            dataset.sources(dataset.test),
            dataset.test,
            dataset.labels[dataset.test],
            dataset.tensors_later(dataset.test, trained.input),
            gates,
            dataset.images.name,
        )
        left_out = parity.dispensable
        if parity.failures and (strict or len(left_out) < len(parity.failures)):
            raise GateError(parity.failures, parity.table())
        for artifact in left_out:
            (folder / artifact.path).unlink()
        accuracy, labels = parity.artifacts[0].accuracy, dataset.labels[dataset.test]
        guessing = beside_guessing(accuracy, labels, spec.labels)
        if not (guessing.passed or force):
            line = guessing.line(PLURALS[spec.preprocessing.reads])
            advice = "the same command with --force writes the bundle all the same"
            gate = "the model is no better than guessing"
            raise GateError([f"{line}; {advice}"], parity.table(), gate)
        (folder / LABELS_NAME).write_text(labels_text(spec.labels), encoding="utf-8")
        (folder / "parity_report.json").write_text(parity.dumps(), encoding="utf-8")
        about_data = data_review.write(folder, dataset, review)
        if c_array and (folder / "model.int8.tflite").exists():
            write_c_array(spec, folder / "model.int8.tflite", folder / "model.int8.h")
        golden.write(folder, spec, dataset)
        quantized = exported.quantized
        classes = model_card.write(
            *(folder, trained, dataset, calibration, card, parity, quantized, guessing, spec),
            about_data,
        )
        manifest = Manifest(
            spec=spec,
            files=tuple(_describe_files(folder, exported.artifacts, parity)),
            calibration=calibration.to_json(),
            training=_training(trained, dataset)
            | {
                "quantization": {path: way.to_json() for path, way in quantized.items()},
                "guessing": guessing.to_json(),
                "classes": [figures.to_json() for figures in classes],
            },
        )
        (folder / MANIFEST_NAME).write_text(manifest.dumps(), encoding="utf-8")
    return parity, guessing


def verify_bundle(bundle: Path, dataset: Dataset) -> ParityReport:
    """Verify the artifacts of an existing bundle against its own Keras model.

    Raises BundleError for files that are not those of the manifest.
    """
    import keras

    from edge_runtime.deployment.golden import check_files

    manifest = Manifest.load(bundle)
    _, absent = check_files(bundle)
    if absent:
        raise edge_runtime.BundleError(f"{bundle / absent[0].path}: is missing")
    spec = manifest.spec
    return verify(
        bundle,
        [
            artifact
            for artifact in ARTIFACTS + ORT_ARTIFACTS
            if manifest.find(artifact.format, artifact.precision)
        ],
        keras.models.load_model(bundle / "model.keras"),
        dataset.name,
        dataset.sources(dataset.test),
        dataset.test,
        dataset.labels[dataset.test],
        dataset.tensors_later(dataset.test, spec.input),
        name=dataset.images.name,
    )


def _describe_files(
    folder: Path, artifacts: Sequence[Artifact], parity: ParityReport
) -> Iterator[BundleFile]:
    described = {artifact.path: artifact for artifact in artifacts}
    measured = {
        a.path: {
            "accuracy": a.accuracy,
            "agreement": a.agreement,
            "max_difference": a.max_difference,
        }
        for a in parity.artifacts
    }
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        # The SavedModel is a folder: its figures stand with the graph.
        owner = "saved_model" if name.startswith("saved_model/") else name
        artifact = described.get(owner)
        figures = measured.get(owner, {}) if name in (owner, "saved_model/saved_model.pb") else {}
        data = path.read_bytes()
        yield BundleFile(
            path=name,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            format=artifact.format if artifact else "other",
            precision=artifact.precision if artifact else None,
            measured=figures,
        )


def _training(trained: Trained, dataset: Dataset) -> dict[str, Any]:
    from importlib.metadata import version

    backbone = trained.backbone
    libraries = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "scikit-learn", "numpy")
    return {
        "data": dataset.about,
        "train_images": len(dataset.train),
        "validation_images": len(dataset.validation),
        "test_images": len(dataset.test),
        "augmentation": dataset.augmentation,
        **({"group_by": dataset.group_by} if dataset.group_by else {}),
        "architecture": trained.architecture,
        "parameters": trained.model.count_params(),
        **({"backbone": backbone.to_json()} if backbone else {}),
        "settings": trained.config.to_json(),
        "libraries": {name: version(name) for name in libraries},
    }
