"""A network as an ONNX graph, and as a function that onnxruntime runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.system.cpus import available_cpus

from .quiet import quiet

OPSET = 17
"""The newest that the oldest supported onnxruntime runs, and that keeps pooling one operator."""


def onnx_graph(function: Any, signature: tf.TensorSpec) -> Any:
    """The ONNX model, a ModelProto, of a tf.function of one input."""
    import tf2onnx

    proto, _ = tf2onnx.convert.from_function(function, input_signature=[signature], opset=OPSET)
    _hold_captures(proto.graph, function.get_concrete_function())
    return proto


def _hold_captures(graph: Any, function: Any) -> None:
    """Make constants of the tensors that the function holds, as those of a Normalization layer; the
    converter makes inputs of them."""
    import onnx

    held = {placeholder.name: value for value, placeholder in function.graph.captures}
    for value in [value for value in graph.input if value.name in held]:
        graph.input.remove(value)
        graph.initializer.append(onnx.numpy_helper.from_array(held[value.name].numpy(), value.name))


def onnx_forward(network: keras.Model) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """What `network` gives for (N, ...) inputs, in inference mode, with the weights it has now.

    On a CPU onnxruntime takes a third of TensorFlow's time for a pretrained network.
    """
    import onnxruntime

    signature = tf.TensorSpec(network.input.shape, tf.float32, name="pixels")
    infer = tf.function(lambda pixels: network(pixels, training=False), input_signature=[signature])
    with quiet():
        graph = onnx_graph(infer, signature)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpus()
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(None, {given.name: inputs})[0]
        return found

    return run
