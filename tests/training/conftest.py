"""Fixtures of the training tests."""

import dataclasses

import pytest


@pytest.fixture(scope="session")
def xdnn_run(tiny_config, tmp_path_factory: pytest.TempPathFactory):
    """A trained xDNN over random features of the small phantoms."""
    from ctcov_tf.config import BaselineConfig
    from ctcov_tf.training import train

    config = dataclasses.replace(
        tiny_config,
        preprocess=dataclasses.replace(tiny_config.preprocess, image_size=32),
        model=BaselineConfig(method="xdnn"),
    )
    run = train.create_run("xdnn", config, tmp_path_factory.mktemp("runs") / "xdnn")
    assert train.train(run)
    return run
