"""ONNX files in onnxruntime's own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .artifacts import ORT_ARTIFACTS

OPERATORS_NAME = "required_operators.config"
"""What a reduced onnxruntime build must hold to run the ORT files."""


def write_ort(folder: Path) -> None:
    """The ONNX files of `folder` in onnxruntime's own format, and the operators that they need."""
    import onnxruntime
    from onnxruntime.tools.ort_format_model import create_config_from_models

    paths = [folder / artifact.path for artifact in ORT_ARTIFACTS]
    for path in paths:
        options = onnxruntime.SessionOptions()
        # Beyond EXTENDED the layout of this processor would be baked in.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path)
        options.add_session_config_entry("session.save_model_format", "ORT")
        onnxruntime.InferenceSession(
            path.with_suffix(".onnx"), options, providers=["CPUExecutionProvider"]
        )
    create_config_from_models(paths, folder / OPERATORS_NAME, False)
    config = folder / OPERATORS_NAME
    lines = config.read_text("utf-8").splitlines(keepends=True)
    # Its comments name the folder of this build.
    config.write_text("".join(line for line in lines if line[0] != "#"), encoding="utf-8")


def ort_session(path: Path) -> Any:
    """An onnxruntime session of an ORT file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.load_model_format", "ORT")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
