"""The SavedModel: decoding, pre-processing, network and threshold in one graph, for TensorFlow Serving.

Two forms: `saved_model` answers as the trained network does; `saved_model_bfloat16` computes the network's maps in
bfloat16, with half the weights' size, and is fast only on processors with instructions for that.

Signatures (n images a call; `k` outputs of the model, one for a binary head):
    serving_default  image_bytes string (n,), encoded files of any sizes
    pixels           images uint8 (n, h, w, 3), RGB
    pixels_float     images float32 (n, h, w, 3), RGB in [0, 255]
        -> probability float32 (n,), probabilities float32 (n, k), label string (n,), threshold float32 (n,);
           of Deep-CXR-Net also each likelihood of its frozen parts float32 (n,), by name;
           with an input gate also in_distribution bool (n,) and ood_score float32 (n,)
    explain          image_bytes string (n,)
        -> the same and heatmap float32 (n, h', w') in [0, 1], of Deep-CXR-Net also heatmap_part1 and heatmap_part2;
           where findings are explained also finding or finding_part1 string (n,), which one

An image that is not in distribution is refused: its probabilities and likelihoods are not a number, its label is the
gate's reason, its heat maps are 0 everywhere and its findings are empty.
"""

import pathlib
from typing import Any, Literal, get_args
import warnings

import keras
import tensorflow as tf

from ctcov_tf import errors, files, processor
from ctcov_tf.edge.runner import CARD, RECORD, append_record
from ctcov_tf.explain import ExplainedAnswers
from ctcov_tf.export import layout, served_tflite, warm_up
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.models import input_gate, scores
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.models.input_gate import InputGate
from ctcov_tf.preprocessing.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.run_directory import RunDirectory

Form = Literal["saved_model", "saved_model_bfloat16"]
FORMS: tuple[Form, ...] = get_args(Form)


def export_saved_model(
    run: RunDirectory,
    directory: str | pathlib.Path,
    version: int = 1,
    form: Form = "saved_model",
    tflite: pathlib.Path | None = None,
) -> pathlib.Path:
    """Writes `<directory>/<preset>/<version>/`, the layout that TensorFlow Serving watches.

    `saved_model_bfloat16` stands in `<directory>/<preset>-bfloat16/<version>/`; there is a warning where this
    processor would have to emulate it, in about twice the time of float32.

    The record (classes, threshold, pre-processing) stands in it as `assets.extra/model_info.json`, beside the warm-up
    requests of TensorFlow Serving (`warm_up`) and the model card, if `ctcov card` has been run, as `model_card.md`.

    Args:
      run: the trained run.
      directory: base folder of exported models.
      version: number of the version folder; TensorFlow Serving serves the highest.
      form: which of the two.
      tflite: TFLite file of the same run to put beside it as `model.tflite` (`served_tflite`); none if None.

    Returns:
      The version folder.

    Raises:
      CtcovError: the version is already there, or the run is not finished.
    """
    info = run.model_info()
    folder = layout.saved_model_folder(directory, info.name, version, form)
    layout.check_free(folder, version)
    if form == "saved_model_bfloat16" and not processor.bfloat16_instructions():
        warnings.warn(
            "this processor has no bfloat16 instructions: saved_model_bfloat16 is slower than saved_model here",
            stacklevel=2,
        )
    dtype: Literal["float32", "bfloat16"] = "bfloat16" if form == "saved_model_bfloat16" else "float32"
    model, arrays = inference_network(run.load_calibrated_model(), dtype), run.load_gate()
    gate = input_gate.on(model, arrays)
    signatures = _signatures(model, info, gate)
    inputs = {name: function.input_signature[0] for name, function in signatures.items()}
    with files.atomic_path(folder) as written:
        save_graph(weights_only(model, gate), written, signatures)
        extra = written / "assets.extra"
        extra.mkdir()
        (extra / RECORD).write_text(info.to_json(), encoding="utf-8")
        if (card := run.read_model_card()) is not None:
            (extra / CARD).write_text(card, encoding="utf-8")
        warm_up.write(extra / warm_up.FILE, folder.parent.name, inputs, info.preprocess.image_size)
        if tflite:
            (written / layout.SERVED_TFLITE).write_bytes(served_tflite.with_signature(tflite.read_bytes()))
            append_record(written / layout.SERVED_TFLITE, info, card)
    return folder


def save_graph(module: tf.Module, folder: str | pathlib.Path, signatures: Any) -> None:
    """Writes a SavedModel.

    Args:
      module: what holds the weights.
      folder: where; must not exist or be empty.
      signatures: one function, or functions by name.

    Raises:
      CtcovError: the folder cannot be written; TensorFlow's own errors of a full disk are no `OSError`.
    """
    try:
        tf.saved_model.save(module, folder, signatures=signatures)
    except tf.errors.OpError as error:
        reason = str(error.message).strip().splitlines()[-1]
        raise errors.CtcovError(
            f"SavedModel cannot be written ({reason}): free some space or choose another folder"
        ) from error


def weights_only(model: keras.Model, gate: InputGate | None = None) -> tf.Module:
    """A trackable that owns the weights of `model` and of its gate, and nothing else.

    Saving it with signatures over `model` stores each weight once; `model.export` stores each twice,
    as the Keras variable and as the TensorFlow variable inside that.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in (*model.weights, *(gate.weights if gate else ()))]
    return module


def _signatures(model: keras.Model, info: ModelInfo, gate: InputGate | None) -> dict[str, Any]:
    preprocess = Preprocess.from_preprocess_config(info.preprocess)
    answers = scores.Answers(model, info.labels, info.parts, gate)
    explained_answers = ExplainedAnswers(model, info.labels, info.parts, gate)
    size = info.preprocess.image_size

    def read(image_bytes: tf.Tensor) -> tf.Tensor:
        """Encoded images (n,) to pre-processed ones (n, size, size, 3); one by one, for their sizes differ."""
        return tf.map_fn(
            lambda one: preprocess(decode_grey(one)[tf.newaxis])[0],
            image_bytes,
            fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
        )

    def decided(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        probability = scores.positive_probability(outputs["probabilities"], info.labels)
        threshold = tf.fill(tf.shape(probability), tf.constant(info.threshold, tf.float32))
        label = tf.where(probability >= threshold, info.labels.positive, info.labels.negative)
        if info.gate:
            label = tf.where(outputs["in_distribution"], label, info.gate.reason)
        return outputs | {
            "probability": probability,
            "label": label,
            "threshold": threshold,
        }

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32)])
    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return decided(answers(images))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
    def serving_default(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(read(image_bytes))

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")])
    def pixels(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(preprocess(images))

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="images")])
    def pixels_float(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(preprocess(images))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
    def explain(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return decided(explained_answers(read(image_bytes)))

    return {
        "serving_default": serving_default,
        "pixels": pixels,
        "pixels_float": pixels_float,
        "explain": explain,
    }
