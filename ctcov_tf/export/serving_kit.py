"""What starts TensorFlow Serving over a folder of exports: models.config, batching_parameters.txt, compose.yaml.

The first lists the models with the labels of their versions and is brought up to date by every export. The others are
written once and are the user's from then on.
"""

from collections.abc import Iterable
import pathlib

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2 as server_config

from ctcov_tf import RESEARCH_USE, errors, files

MODELS_CONFIG = "models.config"
STABLE, CANARY = "stable", "canary"
ROOT = "/models"
"""Where the folder of exports stands in TensorFlow Serving's container."""

_HEADER = f"""\
# The models of this folder, for TensorFlow Serving's --model_config_file. {RESEARCH_USE}
# export.py adds models and moves the label {CANARY} to each new version. Moving {STABLE} is yours: write its new value.
# Labels at start need --allow_version_labels_for_unavailable_models=true, which compose.yaml sets.
"""

_TEXTS = {
    "batching_parameters.txt": """\
# For TensorFlow Serving's --enable_batching=true --batching_parameters_file=/models/batching_parameters.txt
max_batch_size { value: 16 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 16 }
""",
    "compose.yaml": f"""\
# Serves the models of this folder: docker compose up. {RESEARCH_USE}
# TensorFlow Serving asks for no password and encrypts nothing, so it is open to this machine alone.
services:
  tensorflow-serving:
    image: tensorflow/serving:2.20.0
    ports:
      - "127.0.0.1:8500:8500"  # gRPC
      - "127.0.0.1:8501:8501"  # REST
    volumes:
      - ./:{ROOT}:ro
    command:
      - --model_config_file={ROOT}/{MODELS_CONFIG}
      - --model_config_file_poll_wait_seconds=60
      - --allow_version_labels_for_unavailable_models=true
      # One run of the model for several requests. An image that cannot be read then fails the requests beside it too.
      # - --enable_batching=true
      # - --batching_parameters_file={ROOT}/batching_parameters.txt
      # model.tflite in place of the SavedModel. It takes other inputs, which the warm-up requests do not have.
      # - --prefer_tflite_model=true
      # - --enable_model_warmup=false
    restart: unless-stopped
""",
}


def read(folder: pathlib.Path) -> server_config.ModelServerConfig:
    """Reads models.config.

    Args:
      folder: the folder of exports.

    Returns:
      What stands in it; without a file, an empty configuration.

    Raises:
      CtcovError: it is no configuration of TensorFlow Serving's.
    """
    path = folder / MODELS_CONFIG
    if not path.exists():
        return server_config.ModelServerConfig()
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), server_config.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise errors.CtcovError(
            f"{path}: no configuration of TensorFlow Serving ({errors.one_line(error)}): mend it or move it away"
        ) from error


def write(folder: pathlib.Path, names: Iterable[str], version: int) -> None:
    """Takes a new version of some models into models.config, and writes the other files if they are not there.

    A model that is not in it yet is served in all its versions. `stable` stays where it is; `canary` moves to the new
    version unless it is at a higher one. Both are set to the new version where they are missing or their version is no
    longer in the folder. Whatever else stands in models.config stays, but for comments.

    Args:
      folder: the folder of exports.
      names: of the models, each with its versions in the folder of its name.
      version: the new one.

    Raises:
      CtcovError: models.config is damaged; it is left as it is.
    """
    config = read(folder)
    models = {model.name: model for model in config.model_config_list.config}
    for name in names:
        if name not in models:
            models[name] = config.model_config_list.config.add(
                name=name, base_path=f"{ROOT}/{name}", model_platform="tensorflow"
            )
            models[name].model_version_policy.all.SetInParent()
        labels = models[name].version_labels
        there = {label: number for label, number in labels.items() if (folder / name / str(number)).is_dir()}
        labels[STABLE] = there.get(STABLE, version)
        labels[CANARY] = max(there.get(CANARY, version), version)
    files.write_text(folder / MODELS_CONFIG, _HEADER + text_format.MessageToString(config))
    for name, text in _TEXTS.items():
        if not (folder / name).exists():
            files.write_text(folder / name, text)
