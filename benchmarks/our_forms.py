"""The forms in which a network of ours answers, from pre-processed images to logits, as `export.py` makes them."""

from collections.abc import Iterable, Iterator, Mapping
import dataclasses
import pathlib
import tempfile
from typing import Any, Literal

from ai_edge_litert.interpreter import Interpreter
import keras
import numpy as np
import tensorflow as tf

from benchmarks import stock_batch_norm
from ctcov_tf.export import tflite
from ctcov_tf.export.saved_model import save_graph, weights_only
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.preprocessing.preprocess import Preprocess

CALIBRATION_IMAGES = 8


@dataclasses.dataclass(frozen=True)
class Form:
    """A network that is ready to answer.

    Attributes:
      name: who runs it, and its arithmetic.
      answer: images (batch, size, size, 3) float32, or uint8 of any size where `whole`, to logits (batch, outputs).
      precision: of the arithmetic.
      megabytes: of its file; None where it has none.
    """

    name: str
    answer: Any
    precision: Literal["float32", "bfloat16", "int8"]
    megabytes: float | None = None


def saved_models(model: keras.Model, folder: pathlib.Path, *, whole: bool = False) -> list[Form]:
    """SavedModels of the rewritten network, loaded.

    Args:
      model: trained network.
      folder: where to write them.
      whole: with the pre-processing in front.
    """
    forms: list[Form] = []
    precisions: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for precision in precisions:
        path = folder / f"saved_model_{precision}{'_whole' * whole}"
        write_saved_model(model, path, precision, whole=whole)
        loaded = tf.saved_model.load(path)
        forms.append(Form(f"ctcov SavedModel {precision}", _Signature(loaded), precision, megabytes(path)))
    return forms


def tflite_files(
    model: keras.Model,
    folder: pathlib.Path,
    threads: int,
    forms: Iterable[tflite.Form] = tflite.FORMS,
    *,
    whole: bool = False,
) -> list[Form]:
    """TFLite files of the rewritten network; they take one image at a time.

    Args:
      model: trained network.
      folder: where to write them.
      threads: of LiteRT.
      forms: which.
      whole: with the pre-processing in front.
    """
    found = []
    for form in forms:
        path = folder / f"{form}{'_whole' * whole}.tflite"
        write_tflite(model, path, form, whole=whole)
        precision: Any = "int8" if "int8" in form else "float32"
        found.append(Form(f"ctcov TFLite {form}", _LiteRT(path, threads), precision, megabytes(path)))
    return found


def write_saved_model(
    model: keras.Model, path: pathlib.Path, precision: Literal["float32", "bfloat16"], *, whole: bool = False
) -> None:
    """Writes the rewritten network, with the pre-processing in front where `whole`."""
    _save(inference_network(model, precision), path, batch=None, whole=whole)


def write_tflite(model: keras.Model, path: pathlib.Path, form: tflite.Form, *, whole: bool = False) -> None:
    """Writes the rewritten network of one image, with the pre-processing in front where `whole`."""
    with tempfile.TemporaryDirectory() as graph:
        _save(inference_network(model), pathlib.Path(graph), batch=1, whole=whole)
        path.write_bytes(tflite.convert(graph, form, lambda: _calibration(model.input_shape[1], whole)))


def stock_keras(model: keras.Model, example: np.ndarray) -> list[Form]:
    """The trained network with Keras's own batch normalisation, by `predict_on_batch` and as a graph.

    Args:
      model: trained network.
      example: a batch of images, of the shape that it will be asked.
    """
    stock = keras.models.clone_model(model)
    stock.set_weights(model.get_weights())
    graph = tf.function(lambda images: stock(images, training=False))
    with stock_batch_norm.in_place():
        stock.predict_on_batch(example)  # traced while the patch holds
        graph(tf.constant(example))
    return [
        Form("Keras predict_on_batch float32", stock.predict_on_batch, "float32"),
        Form("Keras tf.function float32", lambda images: graph(tf.constant(images)).numpy(), "float32"),
    ]


class _Signature:
    def __init__(self, model: Any) -> None:
        self._model = model  # owns the variables
        self._answer = model.signatures["serving_default"]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._answer(image=tf.constant(images))["logits"].numpy()


class _LiteRT:
    def __init__(self, path: pathlib.Path, threads: int) -> None:
        self._answer = Interpreter(model_path=str(path), num_threads=threads).get_signature_runner()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._answer(image=images)["logits"]


def _save(network: keras.Model, path: pathlib.Path, batch: int | None, whole: bool) -> None:
    size = network.input_shape[1]
    preprocess = Preprocess(size)
    shape, dtype = ((batch, None, None, 3), tf.uint8) if whole else ((batch, size, size, 3), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="image")])
    def answer(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
        with tf.name_scope(tflite.PREPROCESSING_SCOPE):
            prepared = preprocess(image) if whole else image
        return {"logits": network(prepared, training=False)}

    save_graph(weights_only(network), path, answer)


def _calibration(size: int, whole: bool) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    for _ in range(CALIBRATION_IMAGES):
        image = rng.normal(size=(1, size, size, 3))
        yield {"image": np.uint8(np.clip(128 + 40 * image, 0, 255)) if whole else image.astype(np.float32)}


def megabytes(path: pathlib.Path) -> float:
    """Size of a file or of all files in a folder."""
    parts = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return round(sum(part.stat().st_size for part in parts) / 1e6, 2)
