"""Where an answer comes from: the model's features, and a class activation map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..bundle.evidence import CHANNELS_FIRST, Dense, Evidence, FeatureMap, with_outputs
from ..bundle.onnx_weights import metadata_of, not_onnx
from ..bundle.spec import UNKNOWN, ModelSpec
from ..errors import BundleError
from ..inputs.formats import PLURALS
from .session import open_session, run_session

if TYPE_CHECKING:
    from ..preprocessing.base import Reader, Source
    from ..preprocessing.heat_map import Picture

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where in an image the score of a label comes from."""

    label: str
    """The label explained; `unknown` for a blank image, of which nothing speaks for any label."""
    score: float
    """Its calibrated probability in [0, 1], as in a Prediction."""
    map: Floats
    """(h, w) float32: what each part of the image adds to `logit`, less than 0 where it speaks
    against the label. The sum is `logit`; the bias, which has no place, is spread evenly."""
    logit: float
    """The label's logit less the mean of all labels' logits (a shift of all changes no
    probability), calibrated, before a rejection head scales it."""
    pixels: NDArray[np.uint8]
    """(H, W) or (H, W, 3) uint8: the image as it was decoded."""
    box: Box
    """Left, top, right and bottom of what the model saw, in `pixels`; parts of it may lie outside
    the image."""
    map_box: Box
    """The same of the map. With strides the middles of its places do not lie evenly in `box`."""

    def overlay(self) -> Picture:
        """A picture of the image, coloured where it speaks for the label; small ones enlarged."""
        from ..preprocessing.heat_map import overlay

        return overlay(self.pixels, self.map, self.map_box, self.box)

    def png(self) -> bytes:
        """The same as an encoded PNG."""
        stream = BytesIO()
        self.overlay().save(stream, "PNG")
        return stream.getvalue()


class EvidenceModel:
    """A model of which features and dense layers can be had. Threads may share it."""

    def __init__(
        self, data: bytes, path: Path, threads: int, providers: Sequence[str], process: int
    ) -> None:
        """data: the bytes of the ONNX file at `path`, whose hash has been checked. threads,
        providers: as of a Classifier. process: the one in which the model may run.

        Raises BundleError, also for a file that does not name its features.
        """
        try:
            metadata = metadata_of(data)
        except ValueError as error:
            raise not_onnx(data, path, error) from None
        self.names = Evidence.from_metadata(metadata, str(path))
        """Of its tensors."""
        model = with_outputs(data, self.names.tensors)
        self._session = open_session(model, threads, path, providers)
        self._path, self._process = path, process
        (self._input,) = [node.name for node in self._session.get_inputs()]

    @property
    def feature_map(self) -> FeatureMap:
        """The feature map that `contributions` goes by.

        Raises BundleError for a network whose features are not made of places exactly.
        """
        if self.names.feature_map is None:
            raise BundleError(
                f"{self._path}: its features are no means of a feature map, so that no map says"
                " exactly where an answer comes from; embed gives the features"
            )
        return self.names.feature_map

    def embeddings(self, tensors: NDArray[np.uint8]) -> Floats:
        """(N, features) float32 of (N, height, width, channels) uint8."""
        return self._run([self.names.embedding], tensors)[0]

    def contributions(self, tensor: NDArray[np.uint8], label: int) -> tuple[Floats, float]:
        """(map, logit) of the label at that index, as in Explanation, for one input tensor.

        A class activation map (Zhou et al., 2016). Behind a hidden layer with ReLU, which is linear
        in what is above 0, the product of gradient and feature (Draelos & Carin, 2020).

        Raises BundleError as `feature_map`.
        """
        names, feature_map = self.names, self.feature_map
        found = dict(zip(names.tensors, self._run(names.tensors, tensor[None]), strict=True))
        features, embedding = found[feature_map.name][0], found[names.embedding][0]
        if feature_map.layout == CHANNELS_FIRST:
            features = features.transpose(1, 2, 0)
        places = features.shape[0] * features.shape[1]
        weights, biases = _constants(names.logits, found)
        weight, bias = weights[:, label] - weights.mean(axis=1), biases[label] - biases.mean()
        logit = float(embedding @ weight + bias)
        if names.hidden is None:
            return features @ (weight / places) + bias / places, logit
        inner, offsets = _constants(names.hidden, found)
        weight = np.where(embedding > 0, weight, 0)
        by_place = (inner @ weight).reshape(features.shape)
        return (features * by_place).sum(axis=2) + (bias + offsets @ weight) / places, logit

    def _run(self, names: Sequence[str], tensors: NDArray[np.uint8]) -> list[Floats]:
        found: list[Floats] = run_session(
            self._session, names, {self._input: tensors}, self._path, self._process
        )
        return found


def _constants(layer: Dense, found: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """(weights, bias) of a dense layer, of the tensors by name."""
    weights = found[layer.weights]
    bias = np.zeros(weights.shape[1], np.float32) if layer.bias is None else found[layer.bias]
    return weights, bias


class ExplainableClassifier(Protocol):
    """The part of a Classifier that `explain` uses."""

    path: Path
    spec: ModelSpec

    @property
    def reader(self) -> Reader:
        """Decodes files and makes the model's input tensors of them."""

    @property
    def evidence(self) -> EvidenceModel:
        """The model that gives features."""

    def probabilities(self, tensors: NDArray[np.uint8]) -> Floats:
        """(N, labels) float32 of (N, height, width, channels) uint8."""


def explain(classifier: ExplainableClassifier, source: Source, label: str | None) -> Explanation:
    """See `Classifier.explain`; an array of pixels has its scale already."""
    spec = classifier.spec
    if label is not None and label not in spec.labels:
        raise ValueError(f"label is {label!r}, expected one of {', '.join(spec.labels)}")
    reads = spec.preprocessing.reads
    if reads != "image":
        raise BundleError(
            f"{classifier.path}: reads {PLURALS[reads]}; explain is for images, embed for all"
        )
    from ..preprocessing.image import ImageReader

    model, reader = classifier.evidence, classifier.reader
    feature_map = model.feature_map
    assert isinstance(reader, ImageReader)
    pixels, tensor, box = reader.placed(source)
    probabilities = classifier.probabilities(tensor[None])[0]
    index = int(probabilities.argmax()) if label is None else spec.labels.index(label)
    found, logit = model.contributions(tensor, index)
    map_box = _placed(feature_map, found.shape, (spec.input.width, spec.input.height), box)
    if spec.preprocessing.knows_blank and not tensor.any():
        blank = np.zeros_like(found)
        return Explanation(label or UNKNOWN, 0.0, blank, 0.0, pixels, box, map_box)
    score = float(probabilities[index])
    return Explanation(spec.labels[index], score, found, logit, pixels, box, map_box)


def _placed(
    feature_map: FeatureMap, places: tuple[int, ...], size: tuple[int, int], box: Box
) -> Box:
    """Left, top, right and bottom of the map in an image.

    places: down and across. size: width and height of the input tensor. box: of that in the image.
    """
    ends = []
    for axis, first, step, count in zip(
        (1, 0), feature_map.first, feature_map.step, places, strict=True
    ):
        start, scale = box[axis], (box[axis + 2] - box[axis]) / size[axis]
        ends.append(
            (start + (first - step / 2) * scale, start + (first + step * (count - 0.5)) * scale)
        )
    (top, bottom), (left, right) = ends
    return left, top, right, bottom
