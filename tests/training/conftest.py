"""Fixtures of the training tests."""

import dataclasses

import pytest


@pytest.fixture(scope="session")
def xdnn_run(tiny_config, once):
    """A trained xDNN over random features of the small phantoms."""
    from ctcov_tf import run_directory
    from ctcov_tf.config import BaselineConfig
    from ctcov_tf.training import train

    config = dataclasses.replace(
        tiny_config,
        preprocess=dataclasses.replace(tiny_config.preprocess, image_size=32),
        model=BaselineConfig(method="xdnn"),
    )

    def build(folder):
        assert train.train(train.create_run("xdnn", config, folder / "run"))

    return run_directory.load(once("xdnn_run", build) / "run")
