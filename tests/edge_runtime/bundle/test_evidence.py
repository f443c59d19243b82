"""What an ONNX file says of its features."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge_runtime import BundleError
from edge_runtime.bundle.evidence import Dense, Evidence, FeatureMap

FULL = Evidence(
    "features",
    Dense("kernel", "bias"),
    FeatureMap("map", "NCHW", (15.5, 7.5), (32.0, 16.0)),
    Dense("inner", None),
)


def test_what_is_written_is_read() -> None:
    for evidence in (FULL, Evidence("features", Dense("kernel", None))):
        assert Evidence.from_metadata(evidence.to_metadata(), "model.onnx") == evidence
    assert FULL.tensors == ("features", "map", "kernel", "bias", "inner")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embedding": 3}, "'embedding' is a whole number, expected a string"),
        ({"logits": {"bias": "b"}}, "logits: 'weights' is missing"),
        ({"more": 1}, "'more' is not known"),
        ({"feature_map": {"name": "map"}}, "feature_map: 'layout' is missing"),
        (
            {"feature_map": {"name": "m", "layout": "HW", "first": [0, 0], "step": [1, 1]}},
            "layout is 'HW', expected NCHW or NHWC",
        ),
        (
            {"feature_map": {"name": "m", "layout": "NHWC", "first": [0, 0], "step": [1, 0]}},
            r"step \(1, 0\), expected two numbers",
        ),
    ],
)
def test_what_is_not_understood_is_refused(change: dict[str, Any], words: str) -> None:
    data = json.loads(FULL.to_metadata()["evidence"]) | change
    with pytest.raises(BundleError, match=words):
        Evidence.from_metadata({"evidence": json.dumps(data)}, "model.onnx")


@pytest.mark.parametrize("text", ["{", "[]", "[" * 9999])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="JSON"):
        Evidence.from_metadata({"evidence": text}, "model.onnx")
