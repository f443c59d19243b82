import re
import shutil
import subprocess

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from model_build.export.c_array import tensor_bytes


def test_the_header_holds_the_very_bytes_of_the_model(built):
    text = (built[0] / "model.int8.h").read_text()
    array = text[text.index("{") : text.index("}")]
    model = (built[0] / "model.int8.tflite").read_bytes()
    assert bytes(int(byte, 16) for byte in re.findall(r"0x(\w\w)", array)) == model
    assert f"digits_int8_size = {len(model)};" in text


@pytest.mark.parametrize(("compiler", "language"), [("cc", "c"), ("c++", "c++")])
def test_the_header_compiles_and_is_aligned(built, tmp_path, compiler, language):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    source = tmp_path / "main.txt"
    source.write_text(
        '#include <stdio.h>\n#include "model.int8.h"\n'
        "int main(void) {\n"
        "  if ((unsigned long long)digits_int8 % 16) return 1;\n"
        "  return fwrite(digits_int8, 1, digits_int8_size, stdout) != digits_int8_size;\n}\n"
    )
    program = tmp_path / "main"
    options = ["-Wall", "-Wextra", "-Werror", "-I", built[0], "-x", language, source]
    subprocess.run([compiler, *options, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, check=True)
    assert done.stdout == (built[0] / "model.int8.tflite").read_bytes()


def test_the_arena_holds_at_least_the_two_largest_neighbours(built):
    interpreter = Interpreter(
        model_path=str(built[0] / "model.int8.tflite"),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    # The second convolution reads 16x16x16 bytes and writes 8x8x32.
    assert tensor_bytes(interpreter) == 16 * 16 * 16 + 8 * 8 * 32
    assert f"{tensor_bytes(interpreter)} bytes" in (built[0] / "model.int8.h").read_text()
