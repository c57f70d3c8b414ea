"""Reads the tensors of a PyTorch state dict without PyTorch.

`torch.save` writes a zip file: `<root>/data.pkl` pickles the dict, in which each tensor is a view (offset, size,
stride) of a storage; `<root>/data/<key>` holds that storage's bytes (PyTorch's notes on serialization semantics).
Before version 1.6 it wrote pickles one after the other and the storages behind them (`torch/serialization.py`).
A pickle can name any function of any package to be called on reading. Only what a state dict needs is let through.
"""

import collections
import io
import pathlib
import pickle
from typing import Any, NamedTuple
import zipfile

import numpy as np

from ctcov_tf import errors

_DTYPES = {"DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "LongStorage": "i8", "IntStorage": "i4"}
_BYTE_ORDERS = {b"little": "<", b"big": ">"}
_LEGACY_START = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # what files of PyTorch before 1.6 begin with
_SIZE_BYTES = 8  # of a storage's number of elements, in that format


def read(path: pathlib.Path, remedy: str) -> dict[str, np.ndarray]:
    """Reads a file that `torch.save(model.state_dict(), path)` wrote.

    Args:
      path: the file.
      remedy: how the user gets such a file, for the errors.

    Returns:
      Each tensor by its name, in the file's order: read-only arrays of float64, float32, float16, int64 or int32.

    Raises:
      CtcovError: the file is missing, no PyTorch file, damaged, or holds anything but named tensors of these types;
        nothing that such a file names is run.
    """
    if not path.is_file():
        raise errors.CtcovError(f"{path}: no such file: {remedy}")
    with path.open("rb") as file:
        legacy = file.read(len(_LEGACY_START)) == _LEGACY_START
    if not (legacy or zipfile.is_zipfile(path)):
        raise errors.CtcovError(f"{path}: is no PyTorch file: {remedy}")
    try:
        if legacy:
            return _read_legacy(io.BytesIO(path.read_bytes()))
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    except Exception as error:  # a damaged or forged pickle can raise anything
        raise errors.CtcovError(f"{path}: is no state dict ({errors.one_line(error)}): {remedy}") from error


class _Storage(NamedTuple):
    """Numbers in one member of the archive."""

    dtype: str
    key: str
    elements: int


class _Tensor(NamedTuple):
    """A view of a storage, counted in elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _StateDictUnpickler(pickle.Unpickler):
    """Knows ordered dicts and tensors, and refuses every other name.

    What it hands out cannot be altered by the pickle: no instance has a `__setstate__` or takes attributes, save the
    ordered dicts.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the pickle."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not read here")

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage behind `("storage", type, key, device, elements)`; the older format adds None."""
        _, dtype, key, _, elements, *_ = pid
        return _Storage(dtype, key, elements)

    def _tensor(self, storage: _Storage, offset: int, size: tuple, stride: tuple, *_: Any) -> _Tensor:
        return _Tensor(storage, offset, size, stride)


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise ValueError("the zip file has no data.pkl")
    root = names[0].removesuffix("data.pkl")
    has_byte_order = f"{root}byteorder" in archive.namelist()  # since PyTorch 2.1
    byte_order = _BYTE_ORDERS[_member(archive, f"{root}byteorder")] if has_byte_order else "<"

    tensors = _tensors(_StateDictUnpickler(io.BytesIO(_member(archive, names[0]))).load())
    storages = {
        storage: np.frombuffer(
            _member(archive, f"{root}data/{storage.key}"), byte_order + storage.dtype, storage.elements
        )
        for storage in dict.fromkeys(tensor.storage for tensor in tensors.values())
    }
    return {name: _view(storages[tensor.storage], tensor) for name, tensor in tensors.items()}


def _read_legacy(file: io.BytesIO) -> dict[str, np.ndarray]:
    """Pickles: magic number, version, system, dict, keys of the storages; then size and numbers of each storage."""
    *_, state, keys = [_StateDictUnpickler(file).load() for _ in range(5)]
    tensors = _tensors(state)
    by_key = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in keys:
        storage = by_key[key]
        if int.from_bytes(file.read(_SIZE_BYTES), "little") != storage.elements:
            raise ValueError(f"storage {key} is of another size than its tensors say")
        numbers = np.dtype(f"<{storage.dtype}")
        storages[storage] = np.frombuffer(file.read(storage.elements * numbers.itemsize), numbers, storage.elements)
    return {name: _view(storages[tensor.storage], tensor) for name, tensor in tensors.items()}


def _tensors(state: Any) -> dict[str, _Tensor]:
    """The dict that was pickled, held to be what a state dict is."""
    if not isinstance(state, dict) or not state:
        raise ValueError("it is no dictionary of tensors")
    for name, tensor in state.items():
        if not (isinstance(name, str) and isinstance(tensor, _Tensor)):
            raise ValueError(f"what stands under {name!r} is no tensor")
    return state


def _view(storage: np.ndarray, tensor: _Tensor) -> np.ndarray:
    """The tensor as an array over its storage.

    Its place is checked in Python's integers, which do not overflow. No element may be named twice: state dicts hold no
    expanded tensors, and a stride of 0 would make any number of elements of one.
    """
    numbers = (tensor.offset, *tensor.size, *tensor.stride)
    if len(tensor.size) != len(tensor.stride) or not all(type(one) is int and one >= 0 for one in numbers):
        raise ValueError("a tensor's offset, size or stride is no number of elements")
    axes = sorted((step, side) for step, side in zip(tensor.stride, tensor.size, strict=True) if side > 1)
    reach = 1
    for step, side in axes:
        if step < reach:
            raise ValueError("a tensor names an element of its storage twice")
        reach += step * (side - 1)
    if 0 not in tensor.size and tensor.offset + reach > len(storage):
        raise ValueError("a tensor reaches outside of its storage")
    item = storage.dtype.itemsize
    if 0 in tensor.size:
        return np.zeros(tensor.size, storage.dtype)
    return np.ndarray(tensor.size, storage.dtype, storage, tensor.offset * item, tuple(s * item for s in tensor.stride))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:  # PyTorch compresses nothing; a small file must not fill the memory
        raise ValueError(f"{name} is compressed")
    return archive.read(info)
