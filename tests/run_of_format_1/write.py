"""Writes the run directory that stands beside it, with the version of ctcov that is imported.

    python tests/run_of_format_1/write.py

It was written once, by the first version, and stays as it is: later versions have to read it. A network of a few
hundred weights learns phantoms; `image.png` is a validation image, `expected.json` what that version answered.
"""

import json
import pathlib
import shutil
import tempfile

import tensorflow_datasets as tfds

from ctcov_tf import predictor
from ctcov_tf.config import Config, DataConfig, PreprocessConfig, SmallCNNConfig, TrainConfig
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import calibrate, protocols
from ctcov_tf.training import train
import tfds_ctcov19  # noqa: F401

HERE = pathlib.Path(__file__).parent


def main() -> None:
    """Trains, calibrates, answers and evaluates."""
    with tempfile.TemporaryDirectory() as folder:
        tfds.builder("phantom/tiny", data_dir=folder).download_and_prepare()
        data = DataConfig(dataset="phantom/tiny", data_dir=folder)
        config = Config(
            data=data,
            preprocess=PreprocessConfig(image_size=8),
            model=SmallCNNConfig(channels=(4,)),
            train=TrainConfig(epochs=8, batch_size=12, learning_rate=1e-2, precision="float32", deterministic=True),
        )
        shutil.rmtree(HERE / "run", ignore_errors=True)
        run = train.create_run("small_cnn", config, HERE / "run")
        train.train(run)
        calibrate.calibrate(run)
        image = next(iter(contents.examples(data, "validation").as_numpy_iterator()))["image"]
        (HERE / "image.png").write_bytes(image)
        answer = predictor.load(run.path).predict(image, "image.png")
        shutil.copytree(run.path, pathlib.Path(folder) / "evaluated")
        evaluated = train.run_directory.load(pathlib.Path(folder) / "evaluated")
        metrics = protocols.evaluate(evaluated, ("validation",), reason="compatibility", explain=False)
        expected = {
            "probability": answer.probability,
            "label": answer.label,
            "auc": metrics["splits"]["validation"]["metrics"]["auc"]["value"],
        }
        (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
        shutil.rmtree(run.logs)
        shutil.rmtree(run.path / "predictions", ignore_errors=True)
        content = json.loads((run.path / "config.json").read_text())
        content["config"]["data"]["data_dir"] = None
        (run.path / "config.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
