"""A tiny trained network, and its exports: untrained scores tell nothing of reduced precision.

The parts of Deep-CXR-Net, each on its own, stay untrained: they are exported in exact forms.
"""

import dataclasses
import shutil

import pytest


@pytest.fixture(scope="session")
def trained_run(tiny_config, tiny_run, once):
    """Run directory of a tiny network with the weights of `fixed_weights`."""
    from ctcov_tf import run_directory

    return run_directory.load(once("trained_run", lambda folder: write_trained(folder, tiny_config, tiny_run)))


def write_trained(path, tiny_config, tiny_run):
    from ctcov_tf.models import registry
    from tests.export import fixed_weights

    run = dataclasses.replace(tiny_run, path=path, config=fixed_weights.configuration(tiny_config))
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    model = registry.build(run.config.model, run.config.preprocess.image_size, len(run.labels.outputs))
    fixed_weights.set_weights(model)
    model.save(run.model_file)


@pytest.fixture(scope="session")
def images(trained_run):
    """Validation images, cropped to differing sizes."""
    import cv2

    from ctcov_tf.export import samples
    from ctcov_tf.images import decode

    drawn = samples.draw(trained_run.config.data, "validation", 8)
    crops = [
        decode.decode_rgb(one.data, one.image_id)[: 96 - index, : 96 - 2 * index] for index, one in enumerate(drawn)
    ]
    return [
        dataclasses.replace(one, data=cv2.imencode(".png", crop[..., ::-1])[1].tobytes())
        for one, crop in zip(drawn, crops, strict=True)
    ]


@pytest.fixture(scope="session")
def exports(trained_run, export_once):
    """Path of every export by form."""
    return export_once("exports", trained_run)


@pytest.fixture(scope="session", params=["part1", "part2"])
def part_run(request: pytest.FixtureRequest, tiny_run, once):
    """Run directory of a part: findings, or two classes, with the positive one not the only output."""
    from ctcov_tf import run_directory

    return run_directory.load(once(request.param, lambda folder: untrained_part(folder, request.param, tiny_run)))


def untrained_part(path, part, tiny_run):
    import keras
    import numpy as np

    from ctcov_tf import config
    from ctcov_tf.datasets import contents
    from ctcov_tf.models import registry

    dataset, model = {
        "part1": (
            "phantom/cxr_tiny",
            config.DenseNetClassifierConfig(blocks=(1, 1, 1, 1), growth_rate=4, stem_channels=8),
        ),
        "part2": ("phantom/cxr_pneumonia_tiny", config.SmallCNNConfig(channels=(8, 8), head="two_class")),
    }[part]
    data = dataclasses.replace(tiny_run.config.data, dataset=dataset, positive="pneumonia", unmentioned="ignore")
    labels = contents.labels_of(data, model.head)
    run = dataclasses.replace(
        tiny_run,
        path=path,
        preset=f"cxr_{part}",
        config=dataclasses.replace(tiny_run.config, data=data, model=model),
        labels=labels,
        manifest=contents.manifest(data),
    )
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    keras.utils.set_random_seed(0)
    network = registry.build(model, run.config.preprocess.image_size, len(labels.outputs))
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([4 * kernel, np.random.default_rng(0).normal(size=bias.shape)])
    network.save(run.model_file)


@pytest.fixture(scope="session")
def part_exports(part_run, export_once):
    """Path of the exact exports of a part by form."""
    return export_once(f"{part_run.preset}_exports", part_run, ["float32"])
