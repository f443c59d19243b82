"""Weights of PyTorch, read by a few lines that call nothing that a file names."""

import hashlib
import io
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from model_build.backbones.torch_file import read_weights
from model_build.errors import BuildError


class Tensor:
    """Pickled as PyTorch does it: a call of its own function, on a part of a storage."""

    def __init__(self, key, offset, shape, strides):
        self.key, self.rest = key, (offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        torch = sys.modules["torch"]
        return torch._utils._rebuild_tensor_v2, (Storage(self.key), *self.rest)


class Storage:
    def __init__(self, key):
        self.key = key


class Pickler(pickle.Pickler):
    def persistent_id(self, found):
        if isinstance(found, Storage):
            return "storage", sys.modules["torch"].FloatStorage, found.key, "cpu", 6, None
        return None


@pytest.fixture
def torch(monkeypatch):
    """What pickle looks up while it writes; the reader knows nothing of it."""
    fake, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    rebuild = type("_rebuild_tensor_v2", (), {"__module__": "torch._utils"})
    utils._rebuild_tensor_v2, fake._utils = rebuild, utils
    fake.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def written(path, weights, values=(0, 1, 2, 3, 4, 5)):
    """A file with one storage, `a`; (path, hash)."""
    stream = io.BytesIO()
    for part in (1, 2, {}, weights):
        Pickler(stream, 2).dump(part)
    pickle.dump(["a"], stream, 2)
    stream.write(len(values).to_bytes(8, "little") + np.array(values, "<f4").tobytes())
    path.write_bytes(stream.getvalue())
    return path, hashlib.sha256(stream.getvalue()).hexdigest()


def test_a_tensor_may_lie_in_its_storage_in_any_order(tmp_path, torch):
    weights = OrderedDict(
        rows=Tensor("a", 0, (2, 3), (3, 1)),
        columns=Tensor("a", 0, (3, 2), (1, 3)),
        scalar=Tensor("a", 4, (), ()),
    )
    found = read_weights(*written(tmp_path / "w.pth", weights))
    np.testing.assert_array_equal(found["rows"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found["columns"], [[0, 3], [1, 4], [2, 5]])
    assert found["scalar"] == 4


def test_a_file_that_names_anything_else_is_refused(tmp_path, torch, capsys):
    class Calls:
        def __reduce__(self):
            return print, ("called",)

    with pytest.raises(pickle.UnpicklingError, match=r"holds builtins\.print|__builtin__"):
        read_weights(*written(tmp_path / "w.pth", {"a": Calls()}))
    assert capsys.readouterr().out == ""


def test_a_tensor_beyond_its_storage_is_refused(tmp_path, torch):
    with pytest.raises((TypeError, ValueError)):
        read_weights(*written(tmp_path / "w.pth", {"a": Tensor("a", 1, (2, 3), (3, 1))}))


def test_a_file_with_another_hash_is_one_line(tmp_path, torch):
    path, digest = written(tmp_path / "w.pth", {})
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(BuildError) as refused:
        read_weights(path, digest)
    assert str(refused.value).startswith(f"{path}: its SHA-256 is ")
    assert digest in str(refused.value)
