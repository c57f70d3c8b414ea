"""State dicts without PyTorch: its file format, and a small DenseNet in TorchXRayVision's layout."""

import math
import pathlib
import pickle
import zipfile

import keras
import numpy as np

from ctcov_tf.models.efficientnet_lite_weights import torch_names

NO_TORCH = "no PyTorch: pip install -e '.[torch-tests]'"
BLOCKS, GROWTH_RATE, STEM_CHANNELS = (2, 1, 2, 2), 4, 8
STORAGES = {"float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long"}


def write_state_dict(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> pathlib.Path:
    """Writes `arrays` as `torch.save` does, each with a storage of its own."""
    tensors = {name: tensor(str(key), array.dtype, array.shape) for key, (name, array) in enumerate(arrays.items())}
    storages = {str(key): array.tobytes() for key, array in enumerate(arrays.values())}
    return write_archive(path, pickled(tensors), storages)


def write_archive(
    path: pathlib.Path,
    data: bytes,
    storages: dict[str, bytes],
    *,
    byte_order: str | None = "little",
    compression: int = zipfile.ZIP_STORED,
) -> pathlib.Path:
    """Writes the zip file around a pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        if byte_order:
            archive.writestr("archive/byteorder", byte_order)
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def write_legacy(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> pathlib.Path:
    """Writes `arrays` as `torch.save` did before PyTorch 1.6."""
    tensors = {name: tensor(name, array.dtype, array.shape, legacy=True) for name, array in arrays.items()}
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    storages = [array.size.to_bytes(8, "little") + array.tobytes() for array in arrays.values()]
    path.write_bytes(b"".join([*head, pickled(tensors), pickle.dumps(list(arrays), protocol=2), *storages]))
    return path


def pickled(values: dict[str, bytes]) -> bytes:
    """A pickled dict whose values are given as opcodes."""
    return b"\x80\x02}(" + b"".join(push(name) + value for name, value in values.items()) + b"u."


def tensor(key, dtype, shape, *, offset=0, stride=None, elements=None, legacy=False) -> bytes:
    """Opcodes of one tensor; its storage is the member `key`."""
    if stride is None:
        stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    elements = math.prod(shape) if elements is None else elements
    storage_type = f"ctorch\n{STORAGES[np.dtype(dtype).name]}Storage\n".encode()
    storage = b"(" + push("storage") + storage_type + push(key) + push("cpu") + push(elements)
    storage += (b"N" if legacy else b"") + b"tQ"
    view = push(offset) + push(tuple(shape)) + push(tuple(stride)) + push(False) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"


def push(value) -> bytes:
    """Opcodes of a plain value."""
    return pickle.dumps(value, protocol=2)[2:-1]


def dense_net_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays of a small DenseNet, by the names that TorchXRayVision gives them."""
    rng = np.random.default_rng(seed)
    arrays = {}

    def convolution(name, outputs, inputs, side):
        scale = np.sqrt(2 / (inputs * side**2))
        arrays[f"{name}.weight"] = rng.normal(0, scale, (outputs, inputs, side, side)).astype("float32")

    def batch_norm(name, channels):
        for part in ("weight", "running_var"):
            arrays[f"{name}.{part}"] = rng.uniform(0.5, 1.5, channels).astype("float32")
        for part in ("bias", "running_mean"):
            arrays[f"{name}.{part}"] = rng.normal(0, 0.2, channels).astype("float32")
        arrays[f"{name}.num_batches_tracked"] = np.array(7, "int64")

    convolution("features.conv0", STEM_CHANNELS, 1, 7)
    batch_norm("features.norm0", STEM_CHANNELS)
    channels = STEM_CHANNELS
    for block, layers in enumerate(BLOCKS, start=1):
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            batch_norm(f"{name}.norm1", channels)
            convolution(f"{name}.conv1", 4 * GROWTH_RATE, channels, 1)
            batch_norm(f"{name}.norm2", 4 * GROWTH_RATE)
            convolution(f"{name}.conv2", GROWTH_RATE, 4 * GROWTH_RATE, 3)
            channels += GROWTH_RATE
        if block < len(BLOCKS):
            batch_norm(f"features.transition{block}.norm", channels)
            convolution(f"features.transition{block}.conv", channels // 2, channels, 1)
            channels //= 2
    batch_norm("features.norm5", channels)
    arrays["classifier.weight"] = rng.normal(0, 0.3, (18, channels)).astype("float32")
    arrays["classifier.bias"] = rng.normal(0, 0.3, 18).astype("float32")
    arrays["op_threshs"] = np.linspace(0.05, 0.4, 18).astype("float32")
    return arrays


def arrays_of_efficientnet_lite(model: keras.Model) -> dict[str, np.ndarray]:
    """Random arrays for every layer of a backbone, by the names of efficientnet_lite_pytorch."""
    rng = np.random.default_rng(0)
    arrays = {}
    for ours, theirs in torch_names(model).items():
        layer = model.get_layer(ours)
        if isinstance(layer, keras.layers.BatchNormalization):
            for part in ("weight", "bias", "running_mean", "running_var"):
                arrays[f"{theirs}.{part}"] = rng.uniform(0.5, 1.5, layer.gamma.shape).astype("float32")
        else:
            height, width, inputs, outputs = layer.kernel.shape
            by_channel = isinstance(layer, keras.layers.DepthwiseConv2D)
            shape = (inputs, outputs) if by_channel else (outputs, inputs)
            arrays[f"{theirs}.weight"] = rng.normal(size=(*shape, height, width)).astype("float32")
    return arrays
