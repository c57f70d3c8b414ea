"""The same network answered by others: PyTorch, ONNX Runtime, OpenVINO, each in the settings that serve it best.

All are given the trained network, unchanged, and make of it what they can: PyTorch traces and freezes it (which folds
batch norms), ONNX Runtime and OpenVINO optimise its graph for a fixed batch size.
"""

from collections.abc import Callable, Iterator
import importlib
import pathlib
import tempfile
from typing import Any
import warnings

import keras
import numpy as np

from benchmarks.our_forms import CALIBRATION_IMAGES, Form, megabytes
from ctcov_tf import errors
from ctcov_tf.config import DeepCTNetConfig


def require(*packages: str) -> list[Any]:
    """Imports the peers' packages.

    Raises:
      CtcovError: one of them is missing.
    """
    try:
        return [importlib.import_module(package) for package in packages]
    except ImportError as error:
        raise errors.CtcovError(f"{error.name or error}: not installed: pip install -e '.[bench]'") from error


def pytorch(model: keras.Model, config: DeepCTNetConfig, batch: int, threads: int) -> list[Form]:
    """PyTorch, channels last, traced and frozen.

    Args:
      model: trained network.
      config: that it was built of.
      batch: images a call.
      threads: of PyTorch.
    """
    (torch,) = require("torch")
    from benchmarks import torch_network

    torch.set_num_threads(threads)
    size, outputs = model.input_shape[1], model.output_shape[-1]
    forms = []
    for precision in ("float32", "bfloat16"):
        network = torch_network.DeepCTNet(config, size, outputs).eval()
        torch_network.copy_weights(model, network)
        dtype = getattr(torch, precision)
        network.to(dtype=dtype, memory_format=torch.channels_last)
        example = torch.zeros((batch, size, size, 3), dtype=dtype).permute(0, 3, 1, 2)
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecation and of shapes taken as constants, which they are
            frozen = torch.jit.freeze(torch.jit.trace(network, example, check_trace=False))

        def answer(images: np.ndarray, network: Any = frozen, dtype: Any = dtype) -> np.ndarray:
            with torch.inference_mode():
                return network(torch.from_numpy(images).to(dtype).permute(0, 3, 1, 2)).float().numpy()

        forms.append(Form(f"PyTorch {precision}", answer, precision))
    return forms


def onnx_file(model: keras.Model, config: DeepCTNetConfig, batch: int, path: pathlib.Path) -> pathlib.Path:
    """Writes the network as ONNX, from its PyTorch twin: images (batch, 3, size, size) to logits."""
    torch, _ = require("torch", "onnx")
    from benchmarks import torch_network

    size = model.input_shape[1]
    network = torch_network.DeepCTNet(config, size, model.output_shape[-1]).eval()
    torch_network.copy_weights(model, network)
    example = torch.zeros(batch, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (example,), path, input_names=["image"], output_names=["logits"], opset_version=17, dynamo=False
        )
    return path


def onnx_runtime(
    model: keras.Model, config: DeepCTNetConfig, batch: int, threads: int, folder: pathlib.Path
) -> list[Form]:
    """ONNX Runtime: float32, and 8 bits by its own static quantisation (QDQ, by channel).

    Args:
      model: trained network.
      config: that it was built of.
      batch: images a call.
      threads: of a session.
      folder: for its files.
    """
    runtime, quantization = require("onnxruntime", "onnxruntime.quantization")
    exact = onnx_file(model, config, batch, folder / f"network_{batch}.onnx")
    prepared, quantised = folder / f"prepared_{batch}.onnx", folder / f"int8_{batch}.onnx"
    quantization.quant_pre_process(exact, prepared, skip_symbolic_shape=True)
    images = _calibration(batch, model.input_shape[1])

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(images, None)
            return None if image is None else {"image": image.transpose(0, 3, 1, 2)}

    quantization.quantize_static(
        prepared,
        quantised,
        Reader(),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    forms = []
    for path, precision in (exact, "float32"), (quantised, "int8"):
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

        def answer(images: np.ndarray, session: Any = session) -> np.ndarray:
            return session.run(None, {"image": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[0]

        forms.append(Form(f"ONNX Runtime {precision}", answer, precision, megabytes(path)))
    return forms


def openvino(model: keras.Model, batch: int, threads: int, folder: pathlib.Path) -> list[Form]:
    """OpenVINO, latency mode: float32, bfloat16, and 8 bits by NNCF's post-training quantisation.

    Args:
      model: trained network.
      batch: images a call.
      threads: of the compiled model.
      folder: for its files.
    """
    ov, nncf = require("openvino", "nncf")
    exact = _converted(model, batch)
    quantised = _quantised(nncf, exact, batch)
    forms = []
    for precision, hint, network in (
        ("float32", "f32", exact),
        ("bfloat16", "bf16", exact),
        ("int8", "f32", quantised),
    ):
        path = folder / f"openvino_{precision}.xml"
        ov.save_model(network, path, compress_to_fp16=False)
        settings = {
            "INFERENCE_PRECISION_HINT": hint,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = ov.compile_model(network, "CPU", settings)
        answer: Callable = lambda images, compiled=compiled: compiled(images)[0]  # noqa: E731
        size_mb = round(megabytes(path) + megabytes(path.with_suffix(".bin")), 2)
        forms.append(Form(f"OpenVINO {precision}", answer, precision, size_mb))
    return forms


def openvino_file(model: keras.Model, folder: pathlib.Path, *, int8: bool = False) -> None:
    """Writes the network of one image for OpenVINO, in float32 or, by NNCF, in 8 bits."""
    ov, nncf = require("openvino", "nncf")
    network = _converted(model, 1)
    if int8:
        network = _quantised(nncf, network, 1)
    ov.save_model(network, folder / "network.xml", compress_to_fp16=False)


def _converted(model: keras.Model, batch: int) -> Any:
    (ov,) = require("openvino")
    size = model.input_shape[1]
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        network = ov.convert_model(folder)
    network.reshape([batch, size, size, 3])
    return network


def _quantised(nncf: Any, network: Any, batch: int) -> Any:
    """In 8 bits but for the fully connected layers: in the tests' small network they answer 0 to everything."""
    images = list(_calibration(batch, network.input(0).shape[1]))
    fully_connected = nncf.IgnoredScope(types=["MatMul"])
    return nncf.quantize(network, nncf.Dataset(images), subset_size=len(images), ignored_scope=fully_connected)


def _calibration(batch: int, size: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    for _ in range(max(1, CALIBRATION_IMAGES // batch)):
        yield rng.normal(size=(batch, size, size, 3)).astype(np.float32)
