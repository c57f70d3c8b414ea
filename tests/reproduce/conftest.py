import dataclasses
import pathlib
import shutil

import pytest

from ctcov_tf import config, configs
from ctcov_tf.evaluation import figures

PROJECT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def coarse_figures():
    """Figures are drawn at a low resolution, which takes less time."""
    dpi, figures.DPI = figures.DPI, 40
    yield
    figures.DPI = dpi


@pytest.fixture(scope="session")
def ct_data_dir(tmp_path_factory):
    """TFDS data directory with a CT-COV19 of 40 images and a COVID-CT of 12, built from folders shaped as published."""
    from tfds_ctcov19 import testing
    from tfds_ctcov19.covid_ct import covid_ct_dataset_builder
    from tfds_ctcov19.ctcov19 import ctcov19_dataset_builder

    parent = tmp_path_factory.mktemp("archives")
    for builder, version in ((ctcov19_dataset_builder, "grouped"), (covid_ct_dataset_builder, "conflicts_dropped")):
        name = builder.__name__.split(".")[1]
        folder = pathlib.Path(shutil.copytree(PROJECT / "tfds_ctcov19" / name / "dummy_data", parent / name))
        testing.build(builder.Builder, folder, version)
    return parent / "built"


@pytest.fixture(scope="module", autouse=True)
def small_presets():
    """The presets of these tests with networks that build and train in seconds."""
    load = configs.load
    models = {
        "deep_ct_net_tiny": config.DeepCTNetConfig(
            blocks=(1, 1, 1), growth_rate=4, stem_channels=8, output_stride=16, attention="none", dense_units=8
        ),
        "deep_cxr_net_tiny": config.DeepCXRNetConfig(
            blocks=(1, 1, 1), growth_rate=4, stem_channels=8, output_stride=16, attention="none", dense_units=(8, 4)
        ),
        "deep_cxr_net_edge": config.DeepCXRNetEdgeConfig(
            repeats=(1, 1, 1, 1, 1, 1, 1), width=0.25, attention="none", dense_units=(8, 4)
        ),
        "small_cnn": config.SmallCNNConfig(channels=(8, 16)),
    }

    def load_small(name):
        given = load(name)
        return dataclasses.replace(given, model=models.get(name, given.model))

    configs.load = load_small
    yield
    configs.load = load
