"""Series: scaled as the manifest declares, and refused when they are of another shape."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier, InputError
from edge_runtime.bundle.preprocessing import Series
from edge_runtime.bundle.spec import UNKNOWN, InputSpec
from edge_runtime.inputs.npy import decode
from edge_runtime.preprocessing.series import SeriesReader

from ...support.small_bundles import npy, rise, series_bundle

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(series_bundle(tmp_path_factory.mktemp("series") / "bundle"))


def test_a_path_bytes_and_arrays_are_read_alike(series: Classifier, tmp_path: Path) -> None:
    values = rise()
    np.save(tmp_path / "rise.npy", values)
    sources = [str(tmp_path / "rise.npy"), tmp_path / "rise.npy", npy(values), values]
    sources += [values[:, None], values.astype(np.int8), values.astype(np.float16)]
    predictions = [series.predict(source) for source in sources]
    assert len(set(predictions)) == 1
    assert predictions[0].label == "rise"
    assert series.predict_batch(sources) == predictions
    assert series.predict(series.tensor(values)) == predictions[0]
    assert series.predict(-values).label == "fall"


def test_each_series_is_normalised_and_a_flat_one_is_unknown(series: Classifier) -> None:
    tensor = series.tensor(rise())
    for scale, offset in ((1e-300, 0), (1e300, 1e300), (-1e6, 1e9), (3, -7)):
        found = series.tensor(rise() * abs(scale) + offset)
        assert np.abs(found.astype(int) - tensor).max() <= 1
    for flat in (0.0, 0.1, -3e300, 5e-324):
        prediction = series.predict(np.full(50, flat))
        assert (prediction.label, prediction.score) == (UNKNOWN, 0.0)


def test_the_levels_are_those_that_are_declared() -> None:
    """Of two channels: the first normalised by hand, the second does not change."""
    values = np.array([[1.0, 5], [2, 5], [3, 5], [6, 5]])
    spec = InputSpec(height=1, width=4, channels=2)
    how = Series(low=(-2.0, -4.0), high=(2.0, 4.0))
    mean, deviation = 3.0, np.sqrt((4 + 1 + 0 + 9) / 4)
    wanted = [round((v - mean) / deviation / 4 * 255 + 127.5) for v in (1, 2, 3, 6)]
    found = SeriesReader(spec, how).prepare(values)
    assert found is not None
    assert found.shape == (1, 4, 2)
    assert found[0, :, 0].tolist() == wanted
    assert found[0, :, 1].tolist() == [128] * 4  # 127.5
    plain = Series(normalise="none", low=(0.0, 5.0), high=(4.0, 10.0))
    found = SeriesReader(spec, plain).prepare(values)
    assert found is not None
    assert found[0].T.tolist() == [[64, 128, 191, 255], [0] * 4]


def test_values_as_they_are_know_no_blank() -> None:
    how = Series(normalise="none", low=(0.0,), high=(1.0,))
    found = SeriesReader(InputSpec(height=1, width=5), how).prepare(np.zeros(5))
    assert found is not None
    assert not found.any()
    assert not how.knows_blank


@pytest.mark.parametrize("shape", [(49,), (51,), (50, 2), (1, 50), (50, 1, 1), (), (0,), (3, 50)])
def test_another_shape_is_refused_with_both(series: Classifier, shape: tuple[int, ...]) -> None:
    words = re.escape(f"shape is {shape}, this model reads (50,) or (50, 1)") + "$"
    with pytest.raises(InputError, match=words) as refused:
        series.predict(npy(np.zeros(shape)))
    assert refused.value.status == "wrong_shape"
    with pytest.raises(ValueError, match=words):
        series.predict(np.zeros(shape))


def test_values_that_are_no_real_numbers_are_refused(series: Classifier) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(InputError, match=f"value 7 is {bad}, expected finite") as refused:
            series.predict(np.where(np.arange(50) == 7, bad, rise()))
        assert refused.value.status == "corrupt"
    for array in (np.zeros(50, complex), np.zeros(50, object), np.zeros(50, "U1")):
        with pytest.raises(ValueError, match="expected real numbers"):
            series.predict(array)
    with pytest.raises(TypeError, match="cannot read a series from list; give a path"):
        series.predict([1.0, 2.0])  # type: ignore[arg-type]


def test_a_file_of_too_many_values_is_too_large() -> None:
    with pytest.raises(InputError, match="50 values are more than 49") as refused:
        decode(npy(rise()), 49)
    assert refused.value.status == "too_large"


@hypothesis.settings(max_examples=100, deadline=None, database=None)
@hypothesis.given(st.data())
def test_any_finite_values_become_a_tensor_without_a_warning(data: object) -> None:
    """Warnings are errors here, so nothing overflows and nothing is divided by zero."""
    draw = data.draw  # type: ignore[attr-defined]
    width, channels = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    flat = draw(st.lists(numbers, min_size=width * channels, max_size=width * channels))
    values = np.array(flat).reshape(width, channels)
    spec = InputSpec(height=1, width=width, channels=channels)
    how = Series(low=(-4.0,) * channels, high=(4.0,) * channels)
    found = SeriesReader(spec, how).prepare(values)
    changes = (values != values[0]).any()
    if found is None:
        assert not changes or np.ptp(values / np.abs(values).max()) < 1e-12
    else:
        assert changes
        assert found.shape == spec.shape
        assert found.any()
