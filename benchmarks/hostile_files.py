"""Files that a reader must survive: DICOM, TFLite, state dicts, Keras files, folders of versions."""

from collections.abc import Iterator
import contextlib
import io
import json
import os
import pathlib
import pickle
import random
import resource
import signal
import struct
import traceback
from typing import Any
import zipfile
import zlib

import numpy as np
from PIL import Image
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset

from benchmarks import bad_requests, mutated_requests

SECONDS, MEGABYTES = 30, 4096
"""What one file may cost a reader."""


def grey_png() -> bytes:
    """A small grey picture."""
    file = io.BytesIO()
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))).save(file, "PNG")
    return file.getvalue()


def dicom() -> Iterator[tuple[str, bytes]]:
    """DICOM files that cost much for their size, by what they are."""
    plain = bad_requests.dicom_file(np.tile(np.arange(32, dtype=np.uint8), (32, 1)))

    def changed(syntax: uid.UID = uid.ExplicitVRLittleEndian, **values: Any) -> bytes:
        dataset = pydicom.dcmread(io.BytesIO(plain))
        for name, value in values.items():
            setattr(dataset, name, value)
        dataset.file_meta.TransferSyntaxUID = syntax
        file = io.BytesIO()
        pydicom.dcmwrite(file, dataset)
        return file.getvalue()

    def groups(items: int, frames: int) -> dict[str, Any]:
        empty, group = Dataset(), Dataset()
        group.PlanePositionSequence = [empty] * items
        return {"SharedFunctionalGroupsSequence": [group], "NumberOfFrames": frames}

    deflated = uid.DeflatedExplicitVRLittleEndian
    for syntax, kind in (uid.ExplicitVRLittleEndian, "plain"), (deflated, "deflated"):
        for items, frames in (20_000, 4_000), (4_000, 4_000), (400_000, 1):
            yield f"{kind}, {items} items, {frames} frames", changed(syntax, **groups(items, frames))
    yield "deflated, 900 MB of zeros", _inflating(changed(deflated), 900)
    level = b"\x20\x00\x13\x91SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    shared = b"\x00\x52\x29\x92SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    pixels = plain.rindex(b"\xe0\x7f\x10\x00")
    for depth in (400, 20_000):
        yield f"nested {depth} deep", plain[:pixels] + shared + level * depth + plain[pixels:]
    for frames in (-1, 0, 4_001, 2_000_000_000):
        yield f"{frames} frames", changed(NumberOfFrames=frames)
    for side in (0, 65_535):
        yield f"{side} pixels a side", changed(Rows=side, Columns=side)
    yield "a slope that is none", changed(RescaleSlope="0", RescaleIntercept="1e308")
    yield "long numbers", changed(uid.ImplicitVRLittleEndian, WindowCenter=[1.5] * 200_000)
    yield "cut", plain[: len(plain) // 2]
    yield "head alone", plain[:132]
    yield (
        "no end of a sequence",
        plain[:-2048] + b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0" * 9000,
    )
    rng = random.Random(0)
    for number in range(4):
        yield f"mutant {number}", mutated_requests.mutated_file(rng, plain)


def _inflating(small: bytes, megabytes: int) -> bytes:
    """A deflated file with an element of so many zeros behind the others."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    head = small.index(b"1.2.840.10008.1.2.1.99") + 22
    while True:  # the data set begins behind the file meta information, whose length is even
        with contextlib.suppress(zlib.error):
            stream = zlib.decompressobj(-zlib.MAX_WBITS)
            elements = stream.decompress(small[head:])
            if elements[:2] == b"\x08\x00":
                break
        head += 1
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pixels = elements.rindex(b"\xe0\x7f\x10\x00")
    packed = [packer.compress(elements[:pixels] + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", megabytes << 20))]
    packed += [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return small[:head] + b"".join(packed) + packer.flush()


def write(folder: pathlib.Path, tflite: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """Writes forged model files.

    Args:
      folder: to write them in.
      tflite: a whole TFLite file.

    Yields:
      The kind of each, and where it is.
    """
    yield from _tflite(folder, tflite.read_bytes())
    yield from _state_dicts(folder)
    yield from _keras(folder)


def read_apart(kind: str, path: pathlib.Path) -> str | None:
    """Reads a file in a process of its own, within limits.

    Args:
      kind: of `write`.
      path: the file.

    Returns:
      What got through: how the process ended, where it was neither an answer nor one line; None else.
    """
    read, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.alarm(SECONDS)
        limit = resource.getrlimit(resource.RLIMIT_AS)[1]
        now = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEGABYTES * 2**20, limit))
        os._exit(_read(kind, path, write_end))
    os.close(write_end)
    with os.fdopen(read) as said:
        message = said.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    path.unlink(missing_ok=True)
    if (path.parent / "touched").exists():
        return "code of the file was run"
    return None if code in (0, 2) else message or f"ended with {code}"


def _read(kind: str, path: pathlib.Path, write_end: int) -> int:
    from ctcov_tf import errors

    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            if kind == "mutated tflite":
                from ctcov_tf.edge import runner

                runner.EdgeModel(path, 1)(np.zeros((9, 9, 3), np.uint8))
            elif kind == "forged state dicts":
                from ctcov_tf.models import torch_file

                found = torch_file.read(path, "save one")
                sum(float(np.sum(array)) for array in found.values())
            else:
                from ctcov_tf.export import inspection

                inspection.inspect(path)
                import keras

                try:
                    keras.saving.load_model(path, compile=False, safe_mode=True)
                except Exception as error:
                    raise errors.CtcovError("refused") from error
    except errors.CtcovError as error:
        return 2 if "\n" not in str(error) else 1
    except BaseException:
        os.write(write_end, traceback.format_exc().strip().splitlines()[-1][:200].encode())
        return 1
    return 0


def _tflite(folder: pathlib.Path, whole: bytes) -> Iterator[tuple[str, pathlib.Path]]:
    rng = random.Random(0)
    record = whole.index(b"PK\x03\x04")
    for number in range(300):
        content = bytearray(whole)
        if number % 3 == 0:
            content = bytearray(mutated_requests.mutated_file(rng, whole))
        else:
            first = 0 if number % 3 == 1 else record - 200_000  # the head, or the tables near the end
            for _ in range(rng.randint(1, 30)):
                content[max(8, min(record - 1, first + rng.randrange(200_000)))] = rng.randrange(256)
        path = folder / f"mutant{number}.tflite"
        path.write_bytes(content)
        yield "mutated tflite", path
    path = folder / "bomb.tflite"
    path.write_bytes(whole[:record])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model_info.json", "w", force_zip64=True) as entry,
    ):
        for _ in range(3000):
            entry.write(bytes(1 << 20))
    yield "mutated tflite", path


def _state_dicts(folder: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    views: list[dict[str, Any]] = [
        {"stride": (stride,)} for stride in (2**60, 2**62, 2**63 - 1, -1, 0, 2**31, "1", 1.5, None)
    ]
    views += [{"size": (size,)} for size in (2**40, 2**63, -1, 10**30)]
    views += [{"offset": offset} for offset in (5, -1, 2**61, 10**30)]
    views += [{"size": (2**20, 2**20), "stride": (0, 0)}, {"size": (2, 2), "stride": (1, 1)}, {"size": (2, 2)}]
    views += [{"elements": elements} for elements in (10**12, -1, 2**62)]
    for number, view in enumerate(views):
        path = folder / f"state{number}.pt"
        _state_dict(path, _Pickled(**view))
        yield "forged state dicts", path
    for number, code in enumerate((_Call("os", "system", ("touch touched",)), _Call("builtins", "eval", ("1",)))):
        path = folder / f"code{number}.pt"
        _state_dict(path, code)
        yield "forged state dicts", path


class _Pickled:
    """A tensor in a pickle, with any numbers."""

    def __init__(self, offset: Any = 0, size: Any = (4,), stride: Any = (1,), elements: Any = 4) -> None:
        self.view = offset, size, stride, elements


class _Call:
    """A call in a pickle."""

    def __init__(self, module: str, name: str, arguments: tuple[Any, ...]) -> None:
        self.call = module, name, arguments


def _state_dict(path: pathlib.Path, value: Any) -> None:
    class Pickler(pickle._Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return obj.pid if isinstance(obj, _Storage) else None

        def save(self, obj: Any, save_persistent_id: bool = True) -> None:
            if isinstance(obj, _Name):
                self.write(f"c{obj.module}\n{obj.name}\n".encode())
            elif isinstance(obj, _Pickled):
                offset, size, stride, elements = obj.view
                storage = _Storage(("storage", _Name("torch", "FloatStorage"), "0", "cpu", elements))
                self._call("torch._utils", "_rebuild_tensor_v2", (storage, offset, size, stride, False, {}))
            elif isinstance(obj, _Call):
                self._call(*obj.call)
            else:
                super().save(obj, save_persistent_id)

        def _call(self, module: str, name: str, arguments: tuple[Any, ...]) -> None:
            self.save(_Name(module, name))
            self.save(arguments)
            self.write(pickle.REDUCE)

    file = io.BytesIO()
    Pickler(file, protocol=2).dump({"weight": value})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", file.getvalue())
        archive.writestr("archive/data/0", struct.pack("<4f", 1, 2, 3, 4))


class _Name:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Storage:
    def __init__(self, pid: tuple[Any, ...]) -> None:
        self.pid = pid


def _keras(folder: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}, "registered_name": None}
    configs: list[Any] = [
        {"module": "os", "class_name": "system", "config": {"command": "touch touched"}},
        {"module": "builtins", "class_name": "eval", "config": "1"},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "touched"]}},
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "config": {"function": {"class_name": "__lambda__", "config": {}}},
        },
        {"module": "keras.utils", "class_name": "get_file", "config": {"fname": "x", "origin": "http://127.0.0.1:1/"}},
        {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "x"}},
        {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer] * 3}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"units": 10**12}},
        [],
        None,
    ]
    deep: Any = {}
    for _ in range(900):
        deep = {"config": deep, "class_name": "Dense", "module": "keras.layers"}
    contents = [json.dumps(config).encode() for config in (*configs, deep)]
    contents += [b"{", b"\xff" * 100, b" " * (1 << 20)]
    for number, content in enumerate(contents):
        path = folder / f"forged{number}.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", content)
            archive.writestr("metadata.json", b'{"keras_version": "3.15.1", "date_saved": "x"}')
            archive.writestr("../../touched" if number % 2 else "model.weights.h5", b"")
        yield "forged keras files", path
    path = folder / "cut.keras"
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    yield "forged keras files", path


def version_folders(served: pathlib.Path, tflite: pathlib.Path) -> Iterator[str]:
    """Puts folders beside a served version, one after the other; each is gone before the next.

    Args:
      served: the folder of versions.
      tflite: a whole TFLite file.

    Yields:
      What stands there now.
    """
    whole = tflite.read_bytes()
    files: dict[str, tuple[str, bytes | None]] = {
        "an empty folder": ("2", None),
        "an empty TFLite file": ("2/model.tflite", b""),
        "half a TFLite file": ("2/model.tflite", whole[: len(whole) // 2]),
        "a TFLite file without a record": ("2/model.tflite", whole[: whole.index(b"PK\x03\x04")]),
        "a picture": ("2/model.tflite", grey_png()),
        "an empty SavedModel": ("2/saved_model.pb", b""),
        "a damaged SavedModel": ("2/saved_model.pb", b"\xff" * 5000),
        "an empty record of a run": ("2/config.json", b""),
        "a record of a run that is none": ("2/config.json", b"[]"),
        "an empty manifest": ("2/shipped.json", b""),
        "a manifest that names another place": (
            "2/shipped.json",
            b'{"format": 1, "files": {}, "tflite": {"float32": "/etc/passwd"}}',
        ),
        "a number of 300 digits": ("9" * 200 + "/model.tflite", b"TFL3"),
        "a number in other digits": ("٣/model.tflite", b""),
        "a negative number": ("-3/model.tflite", whole),
        "a file in the place of a folder": ("3", b"x"),
        "a name with a newline": ("4\n/model.tflite", whole),
    }
    for name, (place, content) in files.items():
        path = served / place
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if content is None else path.write_bytes(content)
        yield name
        _remove(served)
    links = {
        "a link to nothing": "nowhere",
        "a link to itself": "2",
        "a link to devices": "/dev",
        "a link above": "..",
    }
    for name, target in links.items():
        (served / "2").symlink_to(target)
        yield name
        _remove(served)
    (served / "2").mkdir()
    (served / "2" / "model.tflite").symlink_to("/dev/zero")
    yield "a device in the place of a model"
    _remove(served)
    (served / "2").mkdir()
    os.mkfifo(served / "2" / "model.tflite")
    yield "a pipe in the place of a model"
    _remove(served)


def _remove(served: pathlib.Path) -> None:
    for path in served.iterdir():
        if path.name != "1":
            if path.is_dir() and not path.is_symlink():
                for inner in path.iterdir():
                    inner.unlink()
                path.rmdir()
            else:
                path.unlink()
