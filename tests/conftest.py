"""Fixtures shared by all tests: the real images' folder, a small phantom dataset, a tiny run directory."""

import os
import pathlib
import subprocess
import sys

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PROJECT = pathlib.Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--test-data",
        default=os.environ.get("CTCOV_TEST_DATA"),
        help="folder that holds covid_ct/ and other real images; default: environment variable CTCOV_TEST_DATA",
    )


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> pathlib.Path:
    """Folder of real images."""
    folder = request.config.getoption("--test-data")
    if not folder:
        pytest.skip("no real images: set CTCOV_TEST_DATA or --test-data to the folder that holds covid_ct/")
    return pathlib.Path(folder).resolve()


@pytest.fixture(scope="session")
def phantom_data_dir(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> pathlib.Path:
    """TFDS data directory with `phantom/tiny` built in it, once for all workers."""
    root = tmp_path_factory.getbasetemp()
    shared = (root if worker_id == "master" else root.parent) / "phantom"
    shared.mkdir(exist_ok=True)
    import fcntl

    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "phantom" / "tiny").is_dir():
            import tensorflow_datasets as tfds

            import tfds_ctcov19  # noqa: F401

            tfds.builder("phantom/tiny", data_dir=str(shared)).download_and_prepare()
    return shared


@pytest.fixture(scope="session")
def tiny_config(phantom_data_dir: pathlib.Path):
    """Configuration of a network that builds and runs in seconds."""
    from ctcov_tf import config

    return config.Config(
        data=config.DataConfig(dataset="phantom/tiny", data_dir=str(phantom_data_dir)),
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
    import csv

    from ctcov_tf import files, input_pipeline, run_directory
    from ctcov_tf.models import registry

    path = tmp_path_factory.mktemp("runs") / "tiny"
    labels = input_pipeline.labels_of(tiny_config.data, tiny_config.model.head)
    run = run_directory.RunDirectory(
        path=path,
        preset="deep_ct_net_tiny",
        config=tiny_config,
        labels=labels,
        manifest=input_pipeline.manifest(tiny_config.data),
        versions={"python": sys.version.split()[0]},
    )
    run.save()
    registry.build(tiny_config.model, tiny_config.preprocess.image_size, len(labels.outputs)).save(run.model_file)
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
def worker_id(request: pytest.FixtureRequest) -> str:
    """Name of the pytest-xdist worker, `master` without it."""
    return getattr(request.config, "workerinput", {}).get("workerid", "master")


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
