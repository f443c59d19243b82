"""A trained Keras model as ONNX, fp32."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from edge_runtime.bundle.spec import ModelSpec

from ..onnx_graph import onnx_graph
from .evidence import find_evidence
from .saved_model import endpoint, input_signature


def write_onnx(model: keras.Model, spec: ModelSpec, path: Path) -> None:
    """Write the fp32 ONNX file: free batch axis, labels and preprocessing in its metadata."""
    signature = input_signature(spec.input, tf.uint8)
    proto = onnx_graph(tf.function(endpoint(model, spec), input_signature=[signature]), signature)
    proto.graph.name = spec.name
    proto.graph.doc_string = ""  # would hold the number that a function has in this process
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes inferred under the converter's own name for the batch axis say nothing any more.
    del proto.graph.value_info[:]
    _renumber(proto.graph)
    found = find_evidence(proto.graph, model, spec)
    path.write_bytes(checked(proto, spec, {} if found is None else found.to_metadata()))


def _renumber(graph: Any) -> None:
    """Number what the converter made, `..__7`, and constants of several uses, in order of use: its
    own names and numbers are those of sets of strings, whose order is another in every process.
    """
    constants = {value.name for value in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input if name in constants)
    shared = {name: f"shared_{k}" for k, (name, count) in enumerate(uses.items()) if count > 1}
    for node in graph.node:
        node.input[:] = [shared.get(name, name) for name in node.input]
    for value in graph.initializer:
        value.name = shared.get(value.name, value.name)

    numbers: dict[str, str] = {}

    def renumbered(name: str) -> str:
        return re.sub(
            r"(?<=__)\d+", lambda found: numbers.setdefault(found[0], str(len(numbers))), name
        )

    for node in graph.node:
        node.name = renumbered(node.name)
        node.input[:] = map(renumbered, node.input)
        node.output[:] = map(renumbered, node.output)
    for value in graph.initializer:
        value.name = renumbered(value.name)
    graph.initializer.sort(key=lambda value: value.name)


def checked(proto: Any, spec: ModelSpec, more: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The bytes of a checked ONNX file that carries the model's description, and more metadata."""
    import onnx

    onnx.helper.set_model_props(proto, {**spec.to_metadata(), **more})
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
