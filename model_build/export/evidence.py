"""A network's features in its ONNX graph, from which `edge_runtime` explains an answer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from edge_runtime.bundle.evidence import CHANNELS_FIRST, CHANNELS_LAST, Dense, Evidence, FeatureMap
from edge_runtime.bundle.spec import ModelSpec

from ..models import ARCHITECTURES, LOGITS


def find_evidence(graph: Any, model: keras.Model, spec: ModelSpec) -> Evidence | None:
    """The names of the tensors; None where the graph does not end in a dense layer and a softmax.

    The feature map is named where its mean is the embedding, or where that is made of all its
    values by a dense layer with ReLU.
    """
    walk = _Walk(graph)
    softmax = walk.maker(spec.output, "Softmax")
    if softmax is None:
        return None
    scaled = walk.maker(softmax.input[0], "Mul")  # by a rejection head
    for name in softmax.input if scaled is None else scaled.input:
        last = walk.dense(name)
        if last is not None and walk.sides[last[1].weights][1] == len(spec.labels):
            break
    else:
        return None
    embedding, logits = last
    squeezed = walk.maker(embedding, "Squeeze")
    pooled = walk.maker(embedding if squeezed is None else squeezed.input[0], "GlobalAveragePool")
    if pooled is not None:
        return Evidence(embedding, logits, _feature_map(pooled.input[0], CHANNELS_FIRST, model))
    mean = walk.maker(embedding, "ReduceMean")
    if mean is not None and walk.whole_numbers(mean, "axes") == [1, 2]:
        return Evidence(embedding, logits, _feature_map(mean.input[0], CHANNELS_LAST, model))
    relu = walk.maker(embedding, "Relu")
    inner = None if relu is None else walk.dense(relu.input[0])
    flat = None if inner is None else walk.maker(inner[0], "Reshape")
    turned = None if flat is None else walk.maker(flat.input[0], "Transpose")
    if inner is None or turned is None or walk.whole_numbers(turned, "perm") != [0, 2, 3, 1]:
        return Evidence(embedding, logits)
    feature_map = _feature_map(turned.input[0], CHANNELS_FIRST, model)
    return Evidence(embedding, logits, feature_map, inner[1])


def _feature_map(name: str, layout: str, model: keras.Model) -> FeatureMap:
    """The feature map of that name, with the middles of its places in the input.

    They follow from the kernels, strides and padding of a network that was trained here. With the
    padding `same`, strides of 2 move them by up to half a place down and to the right: without that
    maps of drawn discs lay 3.5 of 64 pixels beside them, with it 0.2. Networks trained for long
    make up for it: EfficientNet-Lite0 saw parts of photos 3 of 224 pixels from where equal parts of
    the image have their middle, so that these stand for pretrained networks.
    """
    makers = {id(layer.output): layer for layer in model.layers}
    tensor = model.get_layer(LOGITS).input
    while len(tensor.shape) != 4:
        tensor = makers[id(tensor)].input
    places = np.array(tensor.shape[1:3])
    step = np.array(model.input.shape[1:3]) / places
    middle = step / 2
    if model.name in ARCHITECTURES:
        step, middle = np.ones(2), np.full(2, 0.5)
        above = model.layers[: model.layers.index(makers[id(tensor)]) + 1]
        for layer in reversed(above):
            if not isinstance(layer, layers.Conv2D | layers.MaxPooling2D):
                continue
            kernel = np.array(getattr(layer, "kernel_size", None) or layer.pool_size)
            given, made = (np.array(x.shape[1:3]) for x in (layer.input, layer.output))
            padding = np.maximum((made - 1) * layer.strides + kernel - given, 0)
            before = padding // 2 * (layer.padding == "same")
            middle = (middle - 0.5) * layer.strides - before + kernel / 2
            step = step * layer.strides
    (down, across), (rows, columns) = middle.tolist(), step.tolist()
    return FeatureMap(name, layout, (down, across), (float(rows), float(columns)))


class _Walk:
    """Goes up a graph, from tensors to the nodes that make them."""

    def __init__(self, graph: Any) -> None:
        self._makers = {name: node for node in graph.node for name in node.output}
        self.sides = {constant.name: list(constant.dims) for constant in graph.initializer}
        """Of each constant."""

    def maker(self, name: str, kind: str) -> Any:
        """The node that makes the tensor, None unless it is of that kind."""
        node = self._makers.get(name)
        return node if node is not None and node.op_type == kind else None

    def dense(self, name: str) -> tuple[str, Dense] | None:
        """What the dense layer reads that makes the tensor, and its constants."""
        added = self.maker(name, "Add")
        product = self.maker(name if added is None else added.input[0], "MatMul")
        if product is None or len(self.sides.get(product.input[1], ())) != 2:
            return None
        bias = None if added is None else added.input[1]
        if bias is not None and bias not in self.sides:
            return None
        return product.input[0], Dense(product.input[1], bias)

    def whole_numbers(self, node: Any, attribute: str) -> list[int]:
        """The values of a node's attribute."""
        return [
            value for found in node.attribute if found.name == attribute for value in found.ints
        ]
