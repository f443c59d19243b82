import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter

from ..conftest import BUILD_OPTIONS, ROOT, run


def test_onnx_passes_the_checker_and_names_its_axes(built):
    for name in ("model.onnx", "model.int8.onnx"):
        model = onnx.load(built[0] / name)
        onnx.checker.check_model(model, full_check=True)
        (given,), (answer,) = model.graph.input, model.graph.output
        assert (given.name, answer.name) == ("pixels", "probabilities")
        assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        for value in (given, answer):
            assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
        assert {entry.domain: entry.version for entry in model.opset_import}[""] <= 17


def test_onnx_carries_labels_and_preprocessing(built, spec):
    for name in ("model.onnx", "model.int8.onnx"):
        properties = {p.key: p.value for p in onnx.load(built[0] / name).metadata_props}
        assert json.loads(properties["labels"]) == list(spec.labels)
        assert json.loads(properties["preprocessing"]) == spec.preprocessing.to_json()


def test_fp32_onnx_is_at_most_500_kb(built):
    assert (built[0] / "model.onnx").stat().st_size <= 500_000


def test_int8_onnx_is_quantized_channel_by_channel_without_dynamic_operators(built):
    model = onnx.load(built[0] / "model.int8.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert not kinds & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
    scales = {i.name: i.dims for i in model.graph.initializer if i.name.endswith("_scale")}
    assert any(list(dims) == [32] for dims in scales.values())


def test_int8_onnx_computes_every_convolution_but_the_first_in_integers(built, tmp_path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(
        built[0] / "model.int8.onnx", options, providers=["CPUExecutionProvider"]
    )
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert kinds.count("Conv") == 1
    assert kinds.count("QLinearConv") == 6
    assert kinds.count("Mul") == 1, "that of the gate: the scaling is in the weights"


@pytest.mark.parametrize("name", ["model.tflite", "model.float16.tflite", "model.int8.tflite"])
def test_tflite_uses_builtin_operators_and_takes_bytes(built, name):
    interpreter = Interpreter(model_path=str(built[0] / name))
    (given,) = interpreter.get_input_details()
    operators = {op["op_name"] for op in interpreter._get_ops_details()}
    assert given["dtype"] == np.uint8
    assert not any(op.startswith("Flex") or op == "CUSTOM" for op in operators)
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["pixels"], "outputs": ["probabilities"]}
    }


def test_int8_tflite_is_integers_from_end_to_end(built):
    interpreter = Interpreter(model_path=str(built[0] / "model.int8.tflite"))
    (given,) = interpreter.get_input_details()
    (answer,) = interpreter.get_output_details()
    assert given["quantization"] == (1.0, 0), "a byte must mean itself"
    assert answer["dtype"] == np.uint8
    assert not [d for d in interpreter.get_tensor_details() if d["dtype"] == np.float32]


def test_saved_model_serves_raw_bytes(built):
    import tensorflow as tf

    signature = tf.saved_model.load(str(built[0] / "saved_model")).signatures["serving_default"]
    ((_, given),) = signature.structured_input_signature[1].items()
    assert (given.name, given.dtype) == ("pixels", tf.uint8)
    assert list(signature.structured_outputs) == ["probabilities"]


def test_the_names_of_constants_do_not_depend_on_the_process(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        import keras
        from keras import layers
        from edge_runtime.bundle.manifest import Manifest
        from model_build.export.onnx import write_onnx
        keras.utils.set_random_seed(0)
        spec = Manifest.load({str(ROOT / "exported" / "digits")!r}).spec
        x = pixels = keras.Input(spec.input.shape)
        for _ in range(4):  # their limits are the same constants
            x = layers.ReLU(6)(layers.Conv2D(4, 3)(x))
        x = layers.Softmax()(layers.Dense(10)(layers.Flatten()(x)))
        write_onnx(keras.Model(pixels, x), spec, Path(sys.argv[1]))
    """
    paths = [tmp_path / f"{seed}.onnx" for seed in (1, 2, 3)]
    for path in paths:
        environment = os.environ | {"PYTHONHASHSEED": path.stem}
        command = [sys.executable, "-c", textwrap.dedent(script), path]
        subprocess.run(command, check=True, env=environment, capture_output=True)
    first, *others = [path.read_bytes() for path in paths]
    assert others == [first, first]


def test_the_same_seed_builds_the_same_onnx_and_tflite_bytes(built, tmp_path):
    again = run("build", *BUILD_OPTIONS, "--output", tmp_path)
    assert again.returncode == 0, again.stderr
    names = [path.name for path in built[0].iterdir() if path.suffix in (".onnx", ".tflite")]
    assert len(names) == 5
    for name in names:
        first, second = built[0] / name, tmp_path / "digits" / name
        assert first.read_bytes() == second.read_bytes(), name
