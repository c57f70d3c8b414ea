"""TFLite files: pre-processing, network and heat map inside, built-in operators only.

One signature: `image` uint8 (1, h, w, 3), RGB of any size, to `probability` float32 (1,), `probabilities`
float32 (1, outputs), of Deep-CXR-Net each likelihood of its frozen parts float32 (1,) by name. In `EXPLAINED_FORMS`,
where `edge_gradients` knows the layers, also `heatmap` and, of Deep-CXR-Net, `heatmap_part1` and `heatmap_part2`,
float32 (1, h', w') in [0, 1]. Where the run has an input gate also `in_distribution` bool (1,) and `ood_score` float32
(1,); an image that is not in distribution has no number as probability and likelihood, and an empty heat map.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import functools
import pathlib
import re
import tempfile
from typing import Literal, get_args
import warnings

from ai_edge_litert import schema_py_generated as schema
import keras
import numpy as np
import tensorflow as tf

from ctcov_tf import files
from ctcov_tf.edge import runner
from ctcov_tf.export import edge_cam, layout, samples
from ctcov_tf.export.saved_model import save_graph, weights_only
from ctcov_tf.images import decode
from ctcov_tf.model_info import ModelInfo
from ctcov_tf.models import feature_maps, input_gate, scores
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.models.input_gate import Gate
from ctcov_tf.preprocessing.preprocess import Preprocess
from ctcov_tf.run_directory import RunDirectory

Form = Literal["float32", "float16", "dynamic_int8", "int8"]
FORMS: tuple[Form, ...] = get_args(Form)
EXPLAINED_FORMS: tuple[Form, ...] = ("float32", "float16")
"""Forms that hold heat maps. In 8 bits a map's peak lay elsewhere in 22 of 40 images: worse than no explanation."""

CALIBRATION_IMAGES = 100

PREPROCESSING_SCOPE = "preprocessing"
_OUTPUT = "StatefulPartitionedCall"  # what a SavedModel's signature calls its outputs
# last dense layers, the likelihoods that are fused, temperature and input gate
_ANSWERING = re.compile(rf"/((part\d_)?logits|part\d|{scores.TEMPERATURE}|{input_gate.SCOPE})(_\d+)?/")
_FLOAT_SCOPES = (PREPROCESSING_SCOPE, scores.LIKELIHOODS_SCOPE, input_gate.SCOPE)
_SPLIT = "SPLIT"  # of pre-processing: an operator of several outputs cannot be left out by name

RepresentativeImages = Callable[[], Iterator[dict[str, np.ndarray]]]


def export_tflite(
    run: RunDirectory, directory: str | pathlib.Path, forms: Iterable[Form] = FORMS, version: int = 1
) -> dict[str, pathlib.Path]:
    """Writes `<directory>/<preset>-<version>-<form>.tflite` for each form, with the record inside.

    `float32` computes as the run does. `float16` stores weights in half precision. `dynamic_int8` stores
    weights as 8-bit integers. `int8` also computes in them, with ranges from training images;
    pre-processing, last dense layers, likelihoods and input gate, with the first layer that it looks at, stay in
    float. The two with 8-bit weights hold no heat map.

    Args:
      run: the trained run; its dataset is needed for `int8`.
      directory: folder to write to.
      forms: which forms.
      version: number in the names.

    Returns:
      Path by form.

    Raises:
      CtcovError: a file is already there, or the run is not finished, or its dataset is not built.
    """
    info = run.model_info()
    paths: dict[Form, pathlib.Path] = {form: layout.tflite_file(directory, info.name, version, form) for form in forms}
    for path in paths.values():
        layout.check_free(path, version)
    model, arrays = inference_network(run.load_calibrated_model()), run.load_gate()
    before_gate = _layers_up_to(model, feature_maps.first_rectified(model)) if arrays else []
    for form, path in paths.items():
        with tempfile.TemporaryDirectory() as graph:
            _save_graph(model, info, arrays, graph, explained=form in EXPLAINED_FORMS)
            content = convert(graph, form, functools.partial(_calibration_images, run), before_gate)
        with files.atomic_path(path) as written:
            written.write_bytes(content)
            runner.append_record(written, info, run.read_model_card())
    return {str(form): path for form, path in paths.items()}


def _save_graph(model: keras.Model, info: ModelInfo, arrays: Gate | None, folder: str, *, explained: bool) -> None:
    """Saves the graph of one image: the converter freezes the weights only of a SavedModel."""
    preprocess = Preprocess.from_preprocess_config(info.preprocess)
    gate = input_gate.on(model, arrays)
    kind = edge_cam.EdgeAnswers if explained else scores.Answers
    answers = kind(model, info.labels, info.parts, gate)

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.uint8, name="image")])
    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.name_scope(PREPROCESSING_SCOPE):
            prepared = preprocess(image)
        outputs = answers(prepared)
        return outputs | {"probability": scores.positive_probability(outputs["probabilities"], info.labels)}

    save_graph(weights_only(model, gate), folder, answer)


def _layers_up_to(model: keras.Model, last: keras.layers.Layer) -> list[str]:
    """Names of a layer and of those before it: an input in 8 bits would reach the gate as one."""
    return [layer.name for layer in keras.Model(model.input, last.output).layers]


def convert(graph: str, form: Form, images: RepresentativeImages, float_layers: Sequence[str] = ()) -> bytes:
    """Converts a SavedModel.

    Args:
      graph: folder of the SavedModel, of one signature.
      form: which form.
      images: gives what the signature takes, by name, for the ranges of `int8`.
      float_layers: names of layers that `int8` leaves in float beside all that it always leaves so.

    Returns:
      The TFLite file's content.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(graph)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # anything else is an error
    if form == "float32":
        return converter.convert()
    if form == "int8":
        return _convert_int8(converter, images, float_layers)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _convert_int8(
    converter: tf.lite.TFLiteConverter, images: RepresentativeImages, float_layers: Sequence[str]
) -> bytes:
    """Quantises the network alone.

    Left to itself the converter quantises pre-processing too, whose sums over a whole image do not fit 8
    bits, and the answer, which would come in 256 steps. Leaving operators out by name is the quantisation
    debugger's part.
    """
    stay_float = [name for name in _operators(converter.convert()) if _stays_float(name, float_layers)]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=stay_float, denylisted_ops=[_SPLIT])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")  # used by the debugger
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=images, debug_options=options
        )
    return debugger.get_nondebug_quantized_model()


def _operators(model: bytes) -> Iterator[str]:
    """Names of a TFLite model's operators, as the converter knows them: those of their first output."""
    graph = schema.Model.GetRootAs(model).Subgraphs(0)
    for index in range(graph.OperatorsLength()):
        yield graph.Tensors(graph.Operators(index).Outputs(0)).Name().decode()


def _stays_float(operator: str, layers: Sequence[str] = ()) -> bool:
    """Whether this operator is left in float, as one of `layers`; one that was fused of several has their names."""
    scopes = tuple(f"{scope}/" for scope in _FLOAT_SCOPES)
    named = re.compile("|".join([_ANSWERING.pattern, *(rf"/{re.escape(layer)}(_\d+)?/" for layer in layers)]))
    return any(part.startswith((_OUTPUT, *scopes)) or named.search(part) for part in operator.split(";"))


def _calibration_images(run: RunDirectory) -> Iterator[dict[str, np.ndarray]]:
    for sample in samples.draw(run.config.data, "train", CALIBRATION_IMAGES):
        yield {"image": decode.decode_rgb(sample.data, sample.image_id)[np.newaxis]}
