"""Execution providers: what is asked for is what runs, or an error says why not.

The tests with OpenVINO run where `onnxruntime-openvino` is installed in onnxruntime's place.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import BundleError, Classifier
from edge_runtime.bundle.manifest import BUILT_IN
from edge_runtime.deployment.golden import PROVIDER_TOLERANCE, check_golden, tolerance
from edge_runtime.inference.batch import classify_files
from edge_runtime.inference.providers import CPU, check_started, checked_providers
from edge_runtime.system.standard_error import with_standard_error
from edge_runtime.watch.model_process import ModelProcess

from ...conftest import Run
from ...support.helpers import GOLDEN, LABELS, VECTORS
from ..deployment.test_golden import edit_golden

IMAGES = sorted(GOLDEN / name for name in LABELS)

OPENVINO = any(each.name == "onnxruntime-openvino" for each in metadata.distributions())
needs_openvino = pytest.mark.skipif(not OPENVINO, reason="onnxruntime-openvino is not installed")


@pytest.fixture
def claimed(monkeypatch: pytest.MonkeyPatch, classifier: Classifier) -> list[str]:
    """onnxruntime claims to have CUDA, as a wheel for GPUs does on a machine without one."""
    import onnxruntime

    there = ["CUDAExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    return there


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["cpu"], []),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], ["cuda"]),
        (["OpenVINO:device_type=GPU,num_streams=2"], ["openvino:device_type=GPU,num_streams=2"]),
        (
            ["openvino:device_type=AUTO:GPU,CPU", "dml"],
            ["openvino:device_type=AUTO:GPU,CPU", "dml"],
        ),
        (["qnn:backend_path=C:\\qnn\\QnnHtp.dll"], ["qnn:backend_path=C:\\qnn\\QnnHtp.dll"]),
        (("tensorrt", "cuda:device_id="), ["tensorrt", "cuda:device_id="]),
    ],
    ids=str,
)
def test_providers_get_short_names_and_keep_their_order_and_options(
    given: list[str], expected: list[str]
) -> None:
    assert checked_providers(given) == expected
    assert checked_providers(expected) == expected


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("cuda", "providers is 'cuda', expected a list of names"),
        (7, "providers is 7, expected a list of names"),
        ([("cuda", {})], "expected NAME or NAME:key=value,key=value"),
        ([""], "provider '': expected NAME"),
        (["cuda:"], "provider 'cuda:': expected NAME"),
        (["cuda:device_id"], "provider 'cuda:device_id': expected NAME"),
        (["cuda:=1"], "provider 'cuda:=1': expected NAME"),
        (["cuda:device_id=0,device_id=1"], "expected NAME"),
        (["cuda", "CUDAExecutionProvider"], "'CUDAExecutionProvider': cuda is there twice"),
        (["cpu", "cuda"], "'cuda': comes after the CPU"),
        (["cpu:threads=2"], "'cpu:threads=2': the CPU takes no options"),
    ],
    ids=str,
)
def test_a_provider_that_makes_no_sense_is_named(wrong: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        Classifier(providers=wrong)


def test_a_provider_that_is_not_there_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(BundleError, match=rf"has no provider 'abacus', it has .*{CPU}; give one"):
        Classifier(providers=["abacus"])


@pytest.mark.filterwarnings("ignore::UserWarning")  # onnxruntime's, where Python lets it through
def test_a_provider_that_onnxruntime_would_go_on_without_is_an_error(claimed: list[str]) -> None:
    with pytest.raises(BundleError, match=f"model.onnx: CUDA.* cannot be started.* run on {CPU}$"):
        Classifier(providers=["cuda"])


def test_a_provider_that_can_run_nothing_of_the_model_is_an_error(classifier: Classifier) -> None:
    import onnxruntime

    azure = "AzureExecutionProvider"  # in most wheels; it has no operators but its own
    session = classifier._session
    if azure not in onnxruntime.get_available_providers() or not hasattr(
        session, "get_provider_graph_assignment_info"
    ):
        pytest.skip("this onnxruntime has no Azure, or does not tell what runs where")
    with pytest.raises(BundleError, match=f"model.onnx: {azure} can run no part of it.*{CPU}$"):
        Classifier(providers=["azure"])


class OnTheCpu:
    def get_providers(self) -> list[str]:
        return [CPU]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "\x1b[1;31m2026-11-27 23:23:14.11 [E:onnxruntime:Default, provider_bridge_ort.cc:2458"
            " operator()] /src/provider_bridge_ort.cc:2043 onnxruntime::Provider&"
            " onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load"
            " library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open"
            " shared object file: No such file or directory\n\x1b[m\n"
            "\x1b[0;93m2026-11-27 23:23:14.11 [W:onnxruntime:Default, x.cc:1 y] Failed\x1b[m\n",
            " (Failed to load library libonnxruntime_providers_cuda.so with error:"
            " libcublasLt.so.13: cannot open shared object file: No such file or directory)",
        ),
        (
            "2026-11-27 23:20:47.72 [E:onnxruntime:Default, provider_bridge_ort.cc:2310 Create]"
            " /onnxruntime/openvino_provider_factory.cc:141 std::string ParseDeviceType(const"
            " ProviderOptions&) [ERROR] [OpenVINO] Device GPU is not available\n",
            " (Device GPU is not available)",
        ),
        ("", ""),
    ],
    ids=["CUDA", "OpenVINO", "nothing"],
)
def test_the_reason_is_the_error_that_onnxruntime_logged(log: str, reason: str) -> None:
    wanted = [("AnExecutionProvider", {}), (CPU, {})]
    with pytest.raises(BundleError) as refused:
        check_started(OnTheCpu(), wanted, log, Path("m.onnx"))
    assert str(refused.value) == (
        f"m.onnx: AnExecutionProvider cannot be started{reason};"
        f" without it the model would run on {CPU}"
    )


def test_what_a_library_writes_to_standard_error_is_read_and_goes_on_afterwards(
    capfd: pytest.CaptureFixture[str],
) -> None:
    long = b"x" * 100_000
    assert with_standard_error(lambda: os.write(2, b"a reason\n")) == (9, "a reason\n")
    _, text = with_standard_error(lambda: os.write(2, long))
    assert set(text) == {"x"}
    assert with_standard_error(lambda: 3) == (3, "")
    with pytest.raises(ZeroDivisionError):
        with_standard_error(lambda: 1 / 0)
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


@pytest.mark.parametrize(
    "command",
    [
        ["predict", IMAGES[0], "-o", "rows.csv"],
        ["predict", GOLDEN, *IMAGES * 8, "--workers", 2, "-o", "rows.csv"],
        ["watch", ".", "-o", "rows.csv"],
        ["check"],
        ["bench"],
    ],
    ids=["predict", "predict with workers", "watch", "check", "bench"],
)
def test_an_absent_provider_is_one_line_and_status_three(
    run: Run, tmp_path: Path, command: list[object]
) -> None:
    done = run(*command, "--provider", "abacus", status=3)
    (line,) = done.stderr.decode().splitlines()
    assert re.match(f"edge-runtime: onnxruntime .* has no provider 'abacus', it has .*{CPU}", line)
    assert not (tmp_path / "rows.csv").exists()


def test_an_earlier_output_outlives_a_provider_that_is_absent(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("earlier")
    run("predict", GOLDEN, "-o", "rows.csv", "--force", "--provider", "abacus", status=3)
    assert (tmp_path / "rows.csv").read_text() == "earlier"


@pytest.mark.parametrize("command", ["predict", "watch", "check", "bench"])
def test_a_provider_that_makes_no_sense_is_wrong_usage(run: Run, command: str) -> None:
    where = ["."] if command in ("predict", "watch") else []
    done = run(command, *where, "--provider", "cuda:device_id", status=2)
    (line,) = done.stderr.decode().splitlines()
    assert "'--provider': provider 'cuda:device_id': expected NAME or NAME:key=value" in line


def test_the_cpu_by_name_gives_the_bytes_of_the_default(run: Run) -> None:
    for name in ("cpu", "CPUExecutionProvider"):
        by_name = run("predict", GOLDEN, "--provider", name)
        assert by_name.stdout == run("predict", GOLDEN).stdout
    assert b"probabilities within" not in run("check", "--provider", "cpu").stdout


def test_a_lone_file_runs_on_a_provider_too(run: Run, bundle: Path) -> None:
    shutil.copy(bundle / "model.onnx", bundle.parent / "lone.onnx")
    done = run("predict", IMAGES[0], "--model", "lone.onnx", "--provider", "abacus", status=3)
    assert b"has no provider 'abacus'" in done.stderr


class OnAnotherChip(Classifier):
    providers = ("AnExecutionProvider", CPU)  # type: ignore[assignment]


@pytest.mark.parametrize(("difference", "passes"), [(0.004, True), (0.006, False)])
def test_another_provider_may_compute_in_half_precision(
    bundle: Path, difference: float, passes: bool
) -> None:
    def change(vectors: list[dict[str, Any]]) -> None:
        for vector in vectors:
            vector["probabilities"] = [p + difference for p in vector["probabilities"]]

    edit_golden(bundle, change)
    classifier = OnAnotherChip(bundle)
    assert tolerance(classifier) == PROVIDER_TOLERANCE
    assert {result.passed for result in check_golden(bundle, classifier)} == {passes}
    assert not any(result.passed for result in check_golden(bundle, Classifier(bundle)))


@needs_openvino
def test_openvino_is_what_runs_and_goes_along_with_the_classifier(classifier: Classifier) -> None:
    made = Classifier(providers=["OpenVINOExecutionProvider:num_of_threads=1"])
    again = pickle.loads(pickle.dumps(made))
    for each in (made, again):
        assert each.providers == ("OpenVINOExecutionProvider", CPU)
        assert "openvino:num_of_threads=1>" in repr(each)
        labels = [prediction.label for prediction in each.predict_batch(IMAGES)]
        assert labels == [LABELS[path.name] for path in IMAGES]
    assert classifier.providers == (CPU,)


@needs_openvino
def test_openvino_passes_the_golden_vectors(run: Run) -> None:
    text = run("check", "--provider", "openvino").stdout.decode()
    assert f"on OpenVINOExecutionProvider, {CPU}: probabilities within 0.005" in text
    assert f"{len(VECTORS)} of {len(VECTORS)} golden vectors passed" in text


@needs_openvino
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_openvino_gives_the_same_bytes_for_any_batch_and_worker_count(
    run: Run, precision: Any
) -> None:
    made = Classifier(precision=precision, providers=["openvino"])
    paths = [str(path) for path in IMAGES]
    first = list(classify_files(made, paths, batch_size=1))
    assert list(classify_files(made, paths, batch_size=64)) == first
    rows = [
        run(*("predict", *paths * 8, "--precision", precision, "--provider", "openvino"), *how)
        for how in (["--workers", 1, "--batch-size", 5], ["--workers", 2, "--batch-size", 64])
    ]
    assert rows[0].stdout == rows[1].stdout
    assert rows[0].stdout.count(b",ok,") == len(paths) * 8


@needs_openvino
def test_openvino_runs_in_the_process_of_a_watch() -> None:
    arguments = {"model": BUILT_IN, "precision": "int8", "providers": ["openvino"]}
    process = ModelProcess(arguments, 64_000_000, 60)
    (result,) = process.classify([str(IMAGES[3])])
    process.close()
    assert result.label == LABELS[IMAGES[3].name]


@needs_openvino
def test_openvino_without_its_device_is_one_line_with_the_reason(run: Run) -> None:
    for command in (["check"], ["predict", IMAGES[0]]):
        done = run(*command, "--provider", "openvino:device_type=NPU", status=3)
        (line,) = done.stderr.decode().splitlines()
        assert "OpenVINOExecutionProvider cannot be started (Device NPU is not available)" in line
    wrong = run("check", "--provider", "openvino:speed=high", status=3)
    (line,) = wrong.stderr.decode().splitlines()
    assert "Invalid OpenVINO EP option: speed" in line


@needs_openvino
def test_openvino_stands_beside_the_cpu_in_a_comparison(run: Run, home: Path) -> None:
    text = run("bench", "--provider", "openvino").stdout.decode()
    for name in ("batch of 128, fp32, cpu", "batch of 128, int8, openvino", "together, fp32, cpu"):
        assert name in text
    assert list(home.rglob("*")) == []
