"""The classifier: a verified model in an onnxruntime session, and predictions as plain values."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..bundle.integrity import MAX_FILE_BYTES, read_file
from ..bundle.manifest import BUILT_IN, Manifest, check_labels, read_model, read_verified
from ..bundle.spec import UNKNOWN, ModelSpec
from ..errors import BundleError, InputError
from ..preprocessing.base import is_one_source
from ..system.arguments import positive, seconds, share, whole_number
from .precision import PRECISIONS, Precision, choose_precision
from .results import Prediction, Result, Score
from .session import check_signature, inputs_at_once, open_session, run_batch

if TYPE_CHECKING:
    from ..preprocessing.base import Reader, Source
    from .evidence import EvidenceModel, Explanation

MinScore = float | Literal["recommended"]

LONE_FILE = (
    "{path}: a lone file is run in its own precision, not in {precision}; give the bundle, or the"
    " bundle's {precision} file by itself"
)
_NOT_OF_THE_KIND = ("not_an_image", "not_a_sound", "not_a_series", "wrong_shape")
_BLANK = Prediction(UNKNOWN, 0.0, -1, ())


class Classifier:
    """A loaded model. Threads may share it. In a process forked off after loading it raises."""

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: Precision | Literal["auto"] = "fp32",
        top_k: int = 1,
        min_score: MinScore = 0.0,
        threads: int = 1,
        providers: Sequence[str] = (),
    ) -> None:
        """Load a model, after its hash has been checked.

        model: a bundle's folder, a lone `.onnx` file exported by model-build, or None for the
            digits model inside this package.
        precision: which of a bundle's ONNX files to run; `"auto"` times both for about a second and
            takes the quicker one, so that another device may take another. A lone file has one
            precision, its own.
        top_k: how many labels `Prediction.top` holds, at least 1.
        min_score: probability in [0, 1] below which the label is `unknown`; or `"recommended"`,
            the model's own, which is measured when it is built.
        threads: onnxruntime's threads for one call, at least 1, which is best for small models.
        providers: onnxruntime's execution providers for other chips than the CPU, in order: each
            takes what those before it leave, the CPU the rest. `"cuda"` is
            CUDAExecutionProvider; options follow a colon, `"openvino:device_type=GPU"`.

        Raises BundleError when the bundle, the model or a provider cannot be used, TypeError and
        ValueError for other arguments than these.
        """
        if precision not in (*PRECISIONS, "auto"):
            raise ValueError(f"precision is {precision!r}, expected 'fp32', 'int8' or 'auto'")
        top_k, threads = whole_number("top_k", top_k), whole_number("threads", threads)
        min_score = _checked(min_score)
        if providers:
            from .providers import checked_providers

            providers = checked_providers(providers)
        path = BUILT_IN if model is None else Path(model)
        if precision == "auto":
            precision = choose_precision(path, threads, providers).precision
        if precision != "fp32" and path.is_file():
            raise ValueError(LONE_FILE.format(path=path, precision=precision))
        self.arguments: dict[str, Any] = {
            "model": path,
            "precision": precision,
            "top_k": top_k,
            "min_score": min_score,
            "threads": threads,
            "providers": list(providers),
        }
        """The arguments that make another Classifier like this one, in another process."""
        self.manifest: Manifest | None = None
        if path.is_dir():
            self.manifest, path, data = read_model(path, precision)
        else:
            data = read_file(path, MAX_FILE_BYTES)
        self._session = open_session(data, threads, path, providers)
        if self.manifest is not None:
            self.spec = self.manifest.spec
        else:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.spec = ModelSpec.from_metadata(metadata, str(path))
        check_signature(self._session, self.spec, path)
        if self.manifest is not None:
            check_labels(path.parent, self.manifest)
        self.path = path
        self._process = os.getpid()
        self._ask(top_k, min_score)
        self._feed, self._shape = self.spec.input.name, self.spec.input.shape
        self._at_once = inputs_at_once(self._shape, providers)
        self._outputs = [self.spec.output]

    def _ask(self, top_k: int, min_score: MinScore) -> None:
        self.arguments = self.arguments | {"top_k": top_k, "min_score": min_score}
        self.top_k = min(top_k, len(self.spec.labels))
        self.min_score = self.spec.min_score if min_score == "recommended" else min_score

    def _asking(self, top_k: int | None, min_score: MinScore | None) -> Self:
        """This classifier with other values for one call; it shares the session."""
        if top_k is None and min_score is None:
            return self
        asked = self.arguments
        top_k = asked["top_k"] if top_k is None else whole_number("top_k", top_k)
        min_score = asked["min_score"] if min_score is None else _checked(min_score)
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other._ask(top_k, min_score)
        return other

    def __repr__(self) -> str:
        labels = self.spec.labels
        shown = labels if len(labels) <= 10 else (*labels[:9], "...")
        how = ", ".join([self.precision or "lone file", *self.arguments["providers"]])
        return f"<Classifier {self.spec.name}: {len(labels)} labels ({', '.join(shown)}), {how}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by the arguments: the model is loaded again where it arrives."""
        model = self.arguments["model"]
        path = None if model == BUILT_IN else Path(os.path.abspath(model))
        return partial(type(self), **self.arguments | {"model": path}), ()

    @property
    def providers(self) -> tuple[str, ...]:
        """onnxruntime's names of the providers that run the model, in order; the CPU is last."""
        return tuple(self._session.get_providers())

    @property
    def precision(self) -> Precision | None:
        """The precision of the bundle's file that runs; None for a lone file."""
        precision: Precision = self.arguments["precision"]
        return precision if self.manifest else None

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the model's output."""
        return self.spec.labels

    @cached_property
    def reader(self) -> Reader:
        """Decodes files and makes this model's input tensors; loads the libraries for it."""
        from ..preprocessing.readers import reader_of

        return reader_of(self.spec.input, self.spec.preprocessing)

    def predict(
        self,
        source: Source,
        *,
        top_k: int | None = None,
        min_score: MinScore | None = None,
        scale: float | None = None,
    ) -> Prediction:
        """Classify one input: a path, a file's bytes, a binary file open for reading, or decoded.

        A decoded image is a Pillow image, or an array (H, W), (H, W, 3), or (H, W, 4) with
        transparency: uint8 from 0 to 255, floats from 0 to 1, or booleans. A decoded sound is an
        array (T,) of samples at the model's rate, floats from -1 to 1 or integers from the whole
        range of their type. A decoded series is an array (T,) or (T, channels).

        A uint8 array of the model's own shape (height, width, channels) is taken for what
        `tensor` returned.

        top_k, min_score: for this call, instead of the classifier's own.
        scale: of an array of pixels from 0 to `scale`, of any type, the value of full brightness;
            16 for `sklearn.datasets.load_digits().images`.

        Raises InputError when the input cannot be read, TypeError and ValueError for what is none.
        """
        tensor = self.tensor(source, scale=scale)
        return self._asking(top_k, min_score).read_tensors(tensor[None])[0]

    def predict_batch(
        self,
        sources: Iterable[Source],
        *,
        top_k: int | None = None,
        min_score: MinScore | None = None,
        scale: float | None = None,
    ) -> list[Prediction]:
        """Classify several inputs in one call of the model; the predictions are in their order.

        Each input, and `top_k`, `min_score` and `scale` for all of them, as in `predict`. Raises
        InputError for the first that cannot be read, TypeError for one input alone.
        """
        if is_one_source(sources, self.spec.preprocessing.reads):
            raise TypeError(
                f"predict_batch takes a list of inputs, not {type(sources).__name__}; for one input"
                " there is predict"
            )
        asked = self._asking(top_k, min_score)
        inputs = [self._scaled(source, scale) for source in sources]
        if not inputs:
            return []
        if any(map(self._is_tensor, inputs)):
            return asked.read_tensors(np.stack([self.tensor(source) for source in inputs]))
        reader = self.reader
        prepared = []
        for source in inputs:
            try:
                prepared.append(reader.prepare(reader.read(source)))
            except InputError as error:
                raise _callers_error(error, source) from None
        return asked.read_tensors(reader.batch(prepared))

    def predict_folder(
        self,
        folder: str | os.PathLike[str],
        *,
        recursive: bool = True,
        all_files: bool = False,
        batch_size: int = 64,
        workers: int = 1,
        top_k: int | None = None,
        min_score: MinScore | None = None,
        timeout: float | None = None,
    ) -> Iterator[Result]:
        """Stream one Result for each file of a folder that the model reads, in sorted order.

        Files are chosen by their extension, unless `all_files`.

        A file that cannot be read gives a Result with a status; it raises nothing. With more
        than one worker, or with a timeout, processes are started: guard the caller's main module
        as multiprocessing asks.

        batch_size: images in one call of the model, at least 1. workers: processes, at least 1.
        top_k, min_score: for this folder, instead of the classifier's own.
        timeout: seconds for one file, at least 1, so that one which hangs is given up; by default
            60 where there are processes, else unlimited.

        Raises TypeError and ValueError for other numbers, InputError if there is no such folder.
        """
        if not os.path.lexists(folder):
            raise InputError("not_found", f"{os.fspath(folder)}: no such folder")
        batch_size = whole_number("batch_size", batch_size)
        workers = whole_number("workers", workers)
        timeout = None if timeout is None else seconds("timeout", timeout)
        from ..inputs.formats import ENDINGS
        from ..inputs.walk import walk
        from .batch import classify_files

        endings = ENDINGS[self.spec.preprocessing.reads]
        paths = walk(
            [os.fsdecode(folder)], recursive=recursive, all_files=all_files, endings=endings
        )
        asked = self._asking(top_k, min_score)
        return classify_files(asked, paths, batch_size=batch_size, workers=workers, timeout=timeout)

    def explain(
        self, source: Source, label: str | None = None, *, scale: float | None = None
    ) -> Explanation:
        """Show where in an image its answer comes from; `source` and `scale` as in `predict`.

        label: one of `labels`; by default the most probable one. Raises as `embed`, ValueError for
        another label, and BundleError for a model of sounds or series, and for a network whose
        features have no place.
        """
        from .evidence import explain

        source = self._scaled(source, scale)
        try:
            return explain(self, source, label)
        except InputError as error:
            raise _callers_error(error, source) from None

    def embed(self, source: Source, *, scale: float | None = None) -> NDArray[np.float32]:
        """The features of one input that the last layer reads, (F,) float32, for search and
        clustering; `source` and `scale` as in `predict`.

        The first call opens the model a second time. Raises as `predict`, and BundleError for an
        int8 file and for a bundle of an earlier version.
        """
        tensors = self.tensor(source, scale=scale)[None]
        features: NDArray[np.float32] = self.evidence.embeddings(tensors)[0]
        return features

    @cached_property
    def evidence(self) -> EvidenceModel:
        """The same model in a session that gives its features too. Raises BundleError."""
        from .evidence import EvidenceModel

        of = self.arguments
        file = self.manifest and self.manifest.find("onnx", of["precision"])
        data = read_verified(of["model"], file) if file else read_file(self.path, MAX_FILE_BYTES)
        return EvidenceModel(data, self.path, of["threads"], of["providers"], self._process)

    def tensor(self, source: Source, *, scale: float | None = None) -> NDArray[np.uint8]:
        """Decode and preprocess one input: its (height, width, channels) uint8 tensor.

        A uint8 array of that very shape is returned as it is. `source`, `scale` and what is raised
        are those of `predict`.
        """
        source = self._scaled(source, scale)
        if self._is_tensor(source):
            return source
        try:
            return self.reader.tensor(source)
        except InputError as error:
            raise _callers_error(error, source) from None

    def _scaled(self, source: Source, scale: float | None) -> Source:
        """The source itself; with a scale the 8-bit pixels of an array."""
        if scale is None:
            return source
        if not isinstance(source, np.ndarray) or self.spec.preprocessing.reads != "image":
            raise ValueError("scale is for arrays of pixels; leave it out")
        from ..inputs.pixels import array_pixels

        return array_pixels(source, positive("scale", scale))

    def _is_tensor(self, source: Source) -> TypeGuard[NDArray[np.uint8]]:
        return (
            isinstance(source, np.ndarray)
            and source.shape == self._shape
            and source.dtype == np.uint8
        )

    def probabilities(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the model on (N, height, width, channels) uint8; returns (N, labels) float32.

        Raises BundleError when the model answers with anything but finite numbers, ValueError for
        tensors of another shape or type, and EdgeRuntimeError in a process that was forked off
        after the model was loaded.
        """
        if tensors.shape[1:] != self._shape or tensors.dtype != np.uint8:
            raise ValueError(
                f"tensors are {tensors.dtype} of shape {tensors.shape}, expected uint8 of"
                f" {('N', *self._shape)}; tensor makes one of an input"
            )
        feed = (self._feed, tensors, self._at_once)
        answer = run_batch(self._session, self._outputs, *feed, self.path, self._process)
        expected = (len(tensors), len(self.spec.labels))
        if answer.shape != expected:
            raise BundleError(f"{self.path}: answered with {answer.shape}, expected {expected}")
        if not math.isfinite(np.add.reduce(answer, axis=None)):
            raise BundleError(f"{self.path}: the model answered with values that are not finite")
        return answer

    def read_tensors(self, tensors: NDArray[np.uint8]) -> list[Prediction]:
        """Run the model on (N, height, width, channels) uint8 tensors; a Prediction for each.

        A tensor of zeros is blank where the preprocessing knows blank inputs: its label is
        `unknown`. Raises as `probabilities`.
        """
        probabilities = self.probabilities(tensors)
        shows: list[Any] = [True] * len(tensors)
        if self.spec.preprocessing.knows_blank:
            shows = np.maximum.reduce(tensors.reshape(len(tensors), -1), axis=1).tolist()
        if self.top_k == 1:
            indices = probabilities.argmax(axis=1).tolist()
            return [
                self._prediction((index,), (probabilities.item(row, index),))
                if shows[row]
                else _BLANK
                for row, index in enumerate(indices)
            ]
        ranked = (-probabilities).argsort(axis=1, kind="stable")[:, : self.top_k]
        return [
            self._prediction(indices, [probabilities.item(row, index) for index in indices])
            if shows[row]
            else _BLANK
            for row, indices in enumerate(ranked.tolist())
        ]

    def _prediction(self, indices: Sequence[int], scores: Sequence[float]) -> Prediction:
        labels = self.spec.labels
        top = tuple([Score(labels[i], s) for i, s in zip(indices, scores, strict=True)])
        if scores[0] < self.min_score:
            return Prediction(UNKNOWN, scores[0], -1, top)
        return Prediction(top[0].label, scores[0], indices[0], top)


def _callers_error(error: InputError, source: Source) -> Exception:
    """The error itself, or a ValueError for an array of another kind than the model reads."""
    if isinstance(source, np.ndarray) and error.status in _NOT_OF_THE_KIND:
        return ValueError(str(error))
    return error


def _checked(min_score: MinScore) -> MinScore:
    return "recommended" if min_score == "recommended" else share("min_score", min_score)
