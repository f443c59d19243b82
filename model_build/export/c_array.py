"""The int8 TFLite model as a C header, for microcontrollers that have no file system."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edge_runtime.bundle.spec import ModelSpec

from ..quiet import quiet

_BYTES_A_LINE = 16


def write_c_array(spec: ModelSpec, tflite: Path, header: Path) -> None:
    """Write the bytes of `tflite` as a C and C++ array into `header`.

    Its comment says what goes in and comes out, and how large the tensor arena must be.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():
        interpreter = Interpreter(
            model_path=str(tflite),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    (answer,) = interpreter.get_output_details()
    scale, zero = answer["quantization"]
    data = tflite.read_bytes()
    name = re.sub(r"\W", "_", spec.name, flags=re.ASCII)
    name = f"model_{name}" if name[:1].isdigit() else name
    shape = " x ".join(map(str, (1, *spec.input.shape)))
    lines = [
        "/* The int8 TFLite model as an array, for TensorFlow Lite for Microcontrollers.",
        "",
        f"   input   {spec.input.name}: {shape} {spec.input.dtype}, the pixels as they are",
        f"   output  {spec.output}: 1 x {len(spec.labels)} uint8; the probability is",
        f"           (value - {zero}) * {scale:.9g}",
        f"   arena   {tensor_bytes(interpreter)} bytes for the tensors that live at one time; the",
        "           interpreter's own records and the kernels' scratch come on top, so begin",
        "           with twice as much and ask arena_used_bytes() of the interpreter",
        "*/",
        f"#ifndef {name.upper()}_INT8_H",
        f"#define {name.upper()}_INT8_H",
        "#ifdef __cplusplus",
        "alignas(16)",
        "#else",
        "_Alignas(16)",
        "#endif",
        f"static const unsigned char {name}_int8[] = {{",
        *(
            "".join(f"0x{byte:02x}," for byte in data[at : at + _BYTES_A_LINE])
            for at in range(0, len(data), _BYTES_A_LINE)
        ),
        "};",
        f"static const unsigned int {name}_int8_size = {len(data)};",
        "#endif",
    ]
    header.write_text("\n".join(lines) + "\n", encoding="ascii")


def tensor_bytes(interpreter: Any) -> int:
    """The most bytes of tensors that an allocated TFLite interpreter needs at one time.

    A tensor lives from the operator that writes it to the last that reads it; constants stay
    in the model. This is the least that any plan of an arena can do with.
    """
    size = {
        tensor["index"]: int(tensor["shape"].prod()) * tensor["dtype"]().itemsize
        for tensor in interpreter.get_tensor_details()
    }
    operators = interpreter._get_ops_details()
    born = {detail["index"]: 0 for detail in interpreter.get_input_details()}
    dies = {detail["index"]: len(operators) for detail in interpreter.get_output_details()}
    for step, operator in enumerate(operators):
        for index in operator["outputs"]:
            born[index] = step
        for index in operator["inputs"]:
            dies[index] = max(step, dies.get(index, 0))
    peak: int = max(
        sum(size[index] for index, first in born.items() if first <= step <= dies.get(index, first))
        for step in range(len(operators))
    )
    return peak
