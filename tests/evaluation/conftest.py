import dataclasses
import shutil

import pytest

from ctcov_tf import config, files, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import figures


@pytest.fixture(scope="session", autouse=True)
def coarse_figures():
    """Figures are drawn at a low resolution, which takes less time."""
    dpi, figures.DPI = figures.DPI, 50
    yield
    figures.DPI = dpi


@pytest.fixture(scope="session")
def light_run(tiny_run, tmp_path_factory):
    """The tiny run with a network of one convolution, which loads and runs at once."""
    import keras

    path = tmp_path_factory.mktemp("runs") / "light"
    shutil.copytree(tiny_run.path, path, ignore=shutil.ignore_patterns("predictions", "figures"))
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name="image")
    x = keras.layers.Conv2D(4, 5, strides=8, activation="relu")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    logits = keras.layers.Dense(1, bias_initializer="ones", name="logits")(x)
    run = run_directory.load(path)
    keras.Model(image, logits).save(run.model_file)
    return run


@pytest.fixture
def run(light_run, tmp_path):
    """A copy of the light run that a test may change."""
    shutil.copytree(light_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("predictions", "figures"))
    return run_directory.load(tmp_path / "run")


@pytest.fixture(scope="session")
def marked_runs(tiny_run, tmp_path_factory):
    """Runs on `tests.marked_dataset` whose networks read the border alone, or the centre alone, by name."""
    from tests import marked_dataset

    data_dir = tmp_path_factory.mktemp("marked")
    marked_dataset.Marked(data_dir=data_dir).download_and_prepare()
    data = config.DataConfig(dataset="marked", data_dir=str(data_dir))
    plain = config.PreprocessConfig(marked_dataset.SIDE, equalise=False, blur=False, standardise=False)
    runs = {}
    for place in ("border", "centre"):
        runs[place] = dataclasses.replace(
            tiny_run,
            path=tmp_path_factory.mktemp("runs") / place,
            config=dataclasses.replace(tiny_run.config, data=data, preprocess=plain),
            labels=contents.labels_of(data, "binary"),
            manifest=contents.manifest(data),
        )
        runs[place].save()
        marked_dataset.reader(place).save(runs[place].model_file)
        files.write_json(
            runs[place].calibration_file,
            {"threshold": 0.5, "threshold_rule": "Youden's J on validation", "split": "validation", "images": 48},
        )
    return runs
