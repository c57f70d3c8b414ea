"""Fixtures shared by all tests: the real images' folder, a small phantom dataset, a tiny run directory."""

import csv
import dataclasses
import functools
import os
import pathlib
import random
import signal
import subprocess
import sys

import hypothesis
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

hypothesis.settings.register_profile("ctcov", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("ctcov")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell; processes started here inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = pathlib.Path(__file__).parent.parent
TINY_EDGE = {"repeats": (1, 1, 1, 1, 1, 1, 1), "width": 0.25, "attention": "none", "pooling": "average"}


LONG = ("end_to_end", "export", "reproduce", "shipping", "training")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the folders with the longest files first: what a worker does last, the others wait for.

    pytest-xdist keeps this order with `--no-loadscope-reorder`; by itself it begins with the files of most tests. With
    `--shuffle SEED` files come in random order, for no test may need another file's.
    """
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    if (seed := config.getoption("--shuffle")) is not None:
        paths = list(dict.fromkeys(item.path for item in items))
        random.Random(seed).shuffle(paths)
        items.sort(key=lambda item: paths.index(item.path))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--test-data",
        default=os.environ.get("CTCOV_TEST_DATA"),
        help="folder that holds covid_ct/ and other real images; default: environment variable CTCOV_TEST_DATA",
    )
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the files in a random order")


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> pathlib.Path:
    """Folder of real images."""
    folder = request.config.getoption("--test-data")
    if not folder:
        pytest.skip("no real images: set CTCOV_TEST_DATA or --test-data to the folder that holds covid_ct/")
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str):
    """Gives a folder that is built once for all workers: `once(name, build)`; see `tests.once`."""
    from tests import once as once_lib

    root = tmp_path_factory.getbasetemp()
    return functools.partial(once_lib.once, (root if worker_id == "master" else root.parent) / "once")


@pytest.fixture(scope="session")
def export_once(once):
    """Exports a run as a SavedModel and in forms of TFLite, once for all workers; gives the path of each by form."""
    from ctcov_tf.export import layout, saved_model, tflite

    def export(name: str, run, forms=tflite.FORMS) -> dict[str, pathlib.Path]:
        def build(folder: pathlib.Path) -> None:
            saved_model.export_saved_model(run, folder)
            tflite.export_tflite(run, folder, forms)

        folder = once(name, build)
        return {form: layout.export_path(folder, run.preset, 1, form) for form in ("saved_model", *forms)}

    return export


@pytest.fixture(scope="session")
def phantom_data_dir(once) -> pathlib.Path:
    """TFDS data directory with the small phantoms built in it."""

    return once("phantom_data_dir", build_phantoms)


def build_phantoms(folder: pathlib.Path) -> None:
    """Builds the small phantoms in a TFDS data directory."""
    import tensorflow_datasets as tfds

    import tfds_ctcov19  # noqa: F401

    for name in ("tiny", "cxr_tiny", "cxr_pneumonia_tiny"):
        tfds.builder(f"phantom/{name}", data_dir=str(folder)).download_and_prepare()


@pytest.fixture(scope="session")
def tiny_config(phantom_data_dir: pathlib.Path):
    """Configuration of a network that builds and runs in seconds."""
    return tiny_configuration(str(phantom_data_dir))


def tiny_configuration(data_dir: str):
    """Configuration of a tiny Deep-CT-Net on the small phantoms."""
    from ctcov_tf import config

    return config.Config(
        data=config.DataConfig(dataset="phantom/tiny", data_dir=data_dir),
        preprocess=config.PreprocessConfig(image_size=64),
        model=config.DeepCTNetConfig(
            blocks=(2, 2, 2, 2),
            growth_rate=8,
            stem_channels=16,
            attention="slim",
            attention_channels=16,
            dense_units=16,
        ),
        train=config.TrainConfig(epochs=2, batch_size=12, learning_rate=1e-3),
    )


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory: pytest.TempPathFactory):
    """Run directory of an untrained tiny network: every file that `train.py` leaves, without its time."""
    return untrained_run(tmp_path_factory.mktemp("runs") / "tiny", "deep_ct_net_tiny", tiny_config)


@pytest.fixture(scope="session")
def tiny_parts(tiny_config, tmp_path_factory: pytest.TempPathFactory):
    """Run directories of untrained tiny parts of Deep-CXR-Net, by name."""
    model = dataclasses.replace(tiny_config.model, blocks=(1, 1, 1), output_stride=16, attention_levels=2)
    return untrained_parts(tmp_path_factory.mktemp("parts"), "tiny", dataclasses.replace(tiny_config, model=model))


@pytest.fixture(scope="session")
def tiny_edge_parts(tiny_config, tmp_path_factory: pytest.TempPathFactory):
    """The same over EfficientNet-Lite."""
    from ctcov_tf import config

    model = config.DeepCTNetEdgeConfig(**TINY_EDGE, dense_units=16)
    return untrained_parts(tmp_path_factory.mktemp("edge_parts"), "edge", dataclasses.replace(tiny_config, model=model))


@pytest.fixture(scope="session")
def tiny_fusion_config(tiny_config, tiny_parts):
    """Configuration of a tiny Deep-CXR-Net over `tiny_parts`."""
    from ctcov_tf import config

    return dataclasses.replace(
        tiny_config,
        data=dataclasses.replace(tiny_config.data, dataset="phantom/cxr_tiny"),
        model=config.DeepCXRNetConfig(
            blocks=(1, 1, 1),
            output_stride=16,
            growth_rate=8,
            stem_channels=16,
            attention="none",
            dense_units=(16, 8),
            part1=str(tiny_parts["part1"].path),
            part2=str(tiny_parts["part2"].path),
        ),
    )


@pytest.fixture(scope="session")
def tiny_edge_fusion_config(tiny_fusion_config, tiny_edge_parts):
    """Configuration of a tiny Deep-CXR-Net for devices over `tiny_edge_parts`."""
    from ctcov_tf import config

    return dataclasses.replace(
        tiny_fusion_config,
        model=config.DeepCXRNetEdgeConfig(
            **TINY_EDGE,
            dense_units=(16, 8),
            part1=str(tiny_edge_parts["part1"].path),
            part2=str(tiny_edge_parts["part2"].path),
        ),
    )


@pytest.fixture(scope="session")
def tiny_edge_fusion_run(tiny_edge_fusion_config, tmp_path_factory: pytest.TempPathFactory):
    """Run directory of it, all three networks untrained."""
    return untrained_run(tmp_path_factory.mktemp("runs") / "edge_fusion", "deep_cxr_net_edge", tiny_edge_fusion_config)


def untrained_parts(folder: pathlib.Path, variant: str, config):
    """Writes run directories of both parts of Deep-CXR-Net with random weights, and gives them by name."""
    heads = {"part1": ("findings", "phantom/cxr_tiny"), "part2": ("two_class", "phantom/cxr_pneumonia_tiny")}
    return {
        name: untrained_run(
            folder / name,
            f"cxr_{name}_{variant}",
            dataclasses.replace(
                config,
                data=dataclasses.replace(config.data, dataset=dataset, positive="pneumonia"),
                model=dataclasses.replace(config.model, head=head),
            ),
        )
        for name, (head, dataset) in heads.items()
    }


def untrained_run(path: pathlib.Path, preset: str, config):
    """Writes a run directory with random weights and a threshold of 0.5."""
    from ctcov_tf import files, run_directory
    from ctcov_tf.datasets import contents
    from ctcov_tf.models import registry
    from ctcov_tf.training import parts as parts_lib

    parts = parts_lib.load(config)
    labels = contents.labels_of(config.data, config.model.head)
    run = run_directory.RunDirectory(
        path=path,
        preset=preset,
        config=config,
        labels=labels,
        manifest=contents.manifest(config.data),
        versions={"python": sys.version.split()[0]},
        parts=tuple(part.info for part in parts),
    )
    run.save()
    registry.build(config.model, config.preprocess.image_size, len(labels.outputs), parts).save(run.model_file)
    with run.history_file.open("w", newline="") as history:
        writer = csv.writer(history)
        writer.writerow(["epoch", "auc", "learning_rate", "loss", "val_auc", "val_loss"])
        writer.writerows([[0, 0.5, 1e-3, 0.7, 0.5, 0.7], [1, 0.6, 1e-3, 0.6, 0.55, 0.68]])
    files.write_json(
        run.calibration_file,
        {"threshold": 0.5, "threshold_rule": "Youden on validation", "split": "validation", "images": 24},
    )
    return run


@pytest.fixture(scope="session")
def tiny_fusion_run(tiny_run, once):
    """Run directory of a tiny Deep-CXR-Net, all three networks untrained."""
    from ctcov_tf import run_directory

    return run_directory.load(once("tiny_fusion_run", lambda folder: untrained_fusion(folder, tiny_run)))


def untrained_fusion(path: pathlib.Path, tiny_run) -> None:
    """Writes a run directory of a fusion whose parts have random weights, and likelihoods that differ."""
    import shutil

    import keras
    import numpy as np

    from ctcov_tf import config
    from ctcov_tf.model_info import Labels, PartInfo
    from ctcov_tf.models import registry
    from ctcov_tf.models.deep_cxr_net import FrozenPart

    size = tiny_run.config.preprocess.image_size
    narrow = {"blocks": (1, 1, 1, 1), "growth_rate": 4, "stem_channels": 8}
    pyramid = narrow | {"blocks": (1, 1, 1), "output_stride": 16, "attention": "none"}
    keras.utils.set_random_seed(4)
    parts = []
    for name, labels, model in (
        ("part1", Labels(config.FINDINGS, "pneumonia", "findings"), config.DenseNetClassifierConfig(**narrow)),
        (
            "part2",
            Labels(("pneumonia", "normal"), "pneumonia", "two_class"),
            config.DeepCTNetConfig(**pyramid, head="two_class", dense_units=8),
        ),
    ):
        network = registry.build(model, size, len(labels.outputs))
        kernel, bias = network.get_layer("logits").get_weights()
        spread = np.random.default_rng(0).normal(size=bias.shape)
        network.get_layer("logits").set_weights([10 * kernel, spread])
        parts.append(FrozenPart(PartInfo(name, f"cxr_{name}", labels, "phantom/tiny:1.0.0", ""), network))
    fused = config.DeepCXRNetConfig(**pyramid, dense_units=(8, 4))
    run = dataclasses.replace(
        tiny_run,
        path=path,
        preset="deep_cxr_net",
        config=dataclasses.replace(tiny_run.config, model=fused),
        parts=tuple(part.info for part in parts),
    )
    run.save()
    shutil.copy(tiny_run.history_file, run.history_file)
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    registry.build(fused, size, 1, parts).save(run.model_file)


@pytest.fixture(scope="session")
def tiny_fusion_exports(tiny_fusion_run, export_once):
    """Path of every export of the tiny Deep-CXR-Net by form."""
    return export_once("tiny_fusion_exports", tiny_fusion_run)


@pytest.fixture(scope="session")
def image_files(tmp_path_factory: pytest.TempPathFactory):
    """Two grey pictures of differing sizes."""
    import cv2
    import numpy as np

    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, shape in ("a.png", (70, 81)), ("b.png", (96, 64)):
        noise = cv2.GaussianBlur(rng.integers(0, 256, shape, dtype=np.uint8), (0, 0), 4)
        cv2.imwrite(str(folder / name), cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX))
    return [folder / "a.png", folder / "b.png"]


@pytest.fixture(scope="session")
def mean_grey_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """TFLite file of `tests.mean_grey`."""
    from tests import mean_grey

    return mean_grey.write(tmp_path_factory.mktemp("mean_grey"))


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """Name of the pytest-xdist worker, `master` without it."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    """Builds a dataset with faults: attributes of `tests.faulty_dataset.Faulty`."""
    from ctcov_tf import config
    from tests.faulty_dataset import Faulty

    def build(**attributes):
        for name, value in attributes.items():
            monkeypatch.setattr(Faulty, name, value)
        builder = Faulty(data_dir=tmp_path)
        builder.download_and_prepare()
        return config.Config(data=config.DataConfig(dataset="faulty", data_dir=str(tmp_path)))

    return build


@pytest.fixture
def run_command():
    """Runs a command of the project in a process of its own, as a user would."""

    def run(*command: object, cwd: pathlib.Path = PROJECT, timeout: float = 300, **environment: str):
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
