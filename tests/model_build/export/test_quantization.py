"""The search for an int8 file that reads as well as Keras, and the two that write one."""

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.bundle.manifest import Manifest
from model_build.export.artifacts import Artifact
from model_build.export.onnx_int8 import OnnxQuantizer
from model_build.export.paired import Paired
from model_build.export.quantization import write_int8
from model_build.export.saved_model import unscaled, write_saved_model
from model_build.export.tflite_int8 import TFLiteQuantizer
from model_build.quiet import quiet
from model_build.training.metrics import forward
from model_build.verification.judge import ValidationJudge

from ..conftest import ROOT

REFERENCE = ROOT / "exported" / "digits"
INT8 = onnx.TensorProto.INT8
FILE = Artifact("model.int8.onnx", "onnx", "int8")


class Fake:
    """A quantizer and its judge: so many of 1,000 readings change by a calibration, and by each
    operator that is int8."""

    calibrations = ("plain", "percentile", "other")

    def __init__(self, plain, percentile, other, costs=(), lost=0):
        self.changes = {"plain": plain, "percentile": percentile, "other": other}
        self.costs, self.lost = dict(costs), lost
        self.operators = [*self.costs]
        self.early = self.operators[:3]

    def quantized(self, calibration, fp32=()):
        return ",".join([calibration, *fp32]).encode()

    def _read(self, path):
        calibration, *fp32 = path.read_bytes().decode().split(",")
        cost = sum(cost for name, cost in self.costs.items() if name not in fp32)
        return self.changes[calibration], cost

    def compare(self, artifact, path):
        return Paired(1000, 900, lost=self.lost, won=0, changed=sum(self._read(path)))

    def distance(self, artifact, path):
        return self._read(path)[1]


def found(folder, fake):
    """(what was taken, what was said, what was written)."""
    said = []
    attempt = write_int8(fake, FILE, folder, fake, said.append)
    return attempt, said, (folder / FILE.path).read_bytes()


def test_the_plain_way_is_taken_without_a_word_where_it_is_good_enough(tmp_path):
    attempt, said, written = found(tmp_path, Fake(10, 0, 0, lost=3))
    assert (attempt.plain, said, written) == (True, [], b"plain")


def test_the_first_calibration_that_is_good_enough_is_taken(tmp_path):
    attempt, said, written = found(tmp_path, Fake(20, 9, 0))
    assert (attempt.calibration, written) == ("percentile", b"percentile")
    assert said == [
        f"model.int8.onnx: {name} calibration: {changed}0% of the validation part read otherwise"
        " than by Keras, 0.00% less accurate"
        for name, changed in (("plain", 2.0), ("percentile", 0.9))
    ]


def test_a_loss_counts_beside_the_changes(tmp_path):
    attempt, said, _ = found(tmp_path, Fake(8, 8, 8, lost=5))
    assert (attempt.calibration, len(said)) == ("plain", 3)
    assert found(tmp_path, Fake(8, 8, 8, lost=4))[1] == []  # may be chance
    assert found(tmp_path, Fake(15, 0, 0))[1] == []  # also


def test_the_early_operators_of_a_large_network_stay_fp32_together(tmp_path):
    costs = {f"op{k}": 0 for k in range(50)} | {"op1": 20}
    attempt, said, _ = found(tmp_path, Fake(20, 4, 30, costs))
    assert (attempt.calibration, attempt.fp32) == ("percentile", ("op0", "op1", "op2"))
    assert len(said) == 4
    costs = {f"op{k}": 0 for k in range(50)} | {"op7": 20}
    attempt, said, _ = found(tmp_path, Fake(20, 4, 30, costs))  # which does not help
    assert (attempt.calibration, attempt.fp32, len(said)) == ("percentile", (), 4)


def test_the_most_sensitive_operators_stay_fp32_with_the_best_calibration(tmp_path):
    costs = {f"op{k}": 0 for k in range(20)} | {"op7": 30, "op3": 20}
    attempt, said, written = found(tmp_path, Fake(20, 4, 30, costs))
    assert attempt.fp32 == ("op7", "op3")
    assert written == b"percentile,op7,op3"
    assert said[-1].startswith("model.int8.onnx: percentile calibration, 2 of the operators in fp3")
    assert attempt.to_json()["fp32_operators"] == ["op7", "op3"]


def test_the_best_is_kept_where_none_is_good_enough_and_most_operators_stay_int8(tmp_path):
    attempt, said, written = found(tmp_path, Fake(50, 40, 60, {f"{k}": 0 for k in range(20)}))
    assert (attempt.calibration, attempt.fp32, written) == ("percentile", (), b"percentile")
    assert "4 of the operators" in said[-1]  # of 20, not 8


@pytest.fixture(scope="module")
def model():
    import keras

    return keras.models.load_model(REFERENCE / "model.keras")


@pytest.fixture(scope="module")
def spec():
    return Manifest.load(REFERENCE).spec


@pytest.fixture(scope="module")
def quantizers(model, dataset, spec, tmp_path_factory):
    """Both, for the digits, with few samples."""
    import tensorflow as tf

    scratch = tmp_path_factory.mktemp("scratch")
    samples = dataset.tensors(dataset.train[:40], spec.input)
    with quiet():
        write_saved_model(unscaled(model), spec, tf.float32, scratch / "saved_model")
    return {
        "onnx": OnnxQuantizer(spec, samples, REFERENCE / "model.onnx", scratch),
        "tflite": TFLiteQuantizer(str(scratch / "saved_model"), samples, spec.input.name),
    }


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_each_calibration_gives_another_file_that_reads(
    quantizers, format, model, dataset, spec, tmp_path
):
    quantizer = quantizers[format]
    examples = dataset.labelled(dataset.validation, spec.input)
    judge = ValidationJudge(forward(model, examples.tensors), examples)
    artifact = Artifact(f"model.{format}", format, "int8")
    with quiet():
        written = {quantizer.quantized(calibration) for calibration in quantizer.calibrations}
    assert len(written) == len(quantizer.calibrations)
    for data in written:
        (tmp_path / artifact.path).write_bytes(data)
        assert judge.compare(artifact, tmp_path / artifact.path).loss < 0.1


@pytest.mark.parametrize("which", ["operators", "early"])
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_operators_left_in_fp32_bring_the_file_nearer_to_keras(
    quantizers, format, which, model, dataset, spec, tmp_path
):
    quantizer = quantizers[format]
    examples = dataset.labelled(dataset.validation, spec.input)
    judge = ValidationJudge(forward(model, examples.tensors), examples)
    artifact = Artifact(f"model.{format}", format, "int8")
    path = tmp_path / artifact.path
    distances = []
    for some in (False, True):
        with quiet():
            fp32 = getattr(quantizer, which) if some else ()
            path.write_bytes(quantizer.quantized("plain", fp32))
        distances.append(judge.distance(artifact, path))
    assert distances[1] < distances[0]


def test_an_operator_left_in_fp32_is_the_one_that_was_named(quantizers):
    quantizer = quantizers["onnx"]
    name = next(name for name in quantizer.operators if name.startswith("Conv"))
    with quiet():
        nodes = onnx.load_from_string(quantizer.quantized("plain", [name])).graph.node
    kinds = {output: node.op_type for node in nodes for output in node.output}
    weights = {node.name: kinds.get(node.input[1]) for node in nodes if node.op_type == "Conv"}
    assert weights[name] is None  # an initializer as it was
    assert list(weights.values()).count("DequantizeLinear") == len(weights) - 2  # and the first
    quantizer = quantizers["tflite"]
    with quiet():
        data = quantizer.quantized("plain", [quantizer.operators[1]])
    interpreter = Interpreter(model_content=data)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == answer["dtype"] == np.uint8
    assert given["quantization"] == (1.0, 0), "a byte must mean itself"
    floats = [d["name"] for d in interpreter.get_tensor_details() if d["dtype"] == np.float32]
    assert quantizer.operators[1] in floats


def test_no_pair_of_products_overflows_16_bits(quantizers):
    """x86 without VNNI adds two products of a byte and a weight in 16 bits."""
    with quiet():
        graph = onnx.load_from_string(quantizers["onnx"].quantized("plain")).graph
    weights = [onnx.numpy_helper.to_array(t) for t in graph.initializer if t.data_type == INT8]
    kernels = [w for w in weights if w.ndim > 1]
    assert kernels
    assert max(2 * 255 * int(np.abs(w.astype(int)).max()) for w in kernels) < 2**15
