"""A tiny network trained for seconds, and its exports: untrained scores tell nothing of reduced precision."""

import dataclasses
import shutil

import pytest


@pytest.fixture(scope="session")
def trained_run(tiny_config, tiny_run, tmp_path_factory: pytest.TempPathFactory):
    """Run directory of the tiny network after a few steps on its training images."""
    import keras
    import numpy as np

    from ctcov_tf.export import samples
    from ctcov_tf.images import decode
    from ctcov_tf.models import registry
    from ctcov_tf.preprocessing.preprocess import Preprocess

    config = dataclasses.replace(
        tiny_config, model=dataclasses.replace(tiny_config.model, blocks=(1, 1, 1, 1), growth_rate=12)
    )
    run = dataclasses.replace(tiny_run, path=tmp_path_factory.mktemp("trained") / "run", config=config)
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    preprocess = Preprocess.from_preprocess_config(run.config.preprocess)
    train = samples.draw(run.config.data, "train", 60)
    images = np.concatenate([preprocess(decode.decode_rgb(one.data, one.image_id)[np.newaxis]) for one in train])
    targets = np.array([[one.label == run.labels.positive_index] for one in train], np.float32)
    keras.utils.set_random_seed(0)
    model = registry.build(config.model, config.preprocess.image_size, len(run.labels.outputs))
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(images, targets, batch_size=12, epochs=8, verbose=0)
    model.save(run.model_file)
    return run


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
def exports(trained_run, tmp_path_factory: pytest.TempPathFactory):
    """Path of every export by form."""
    from ctcov_tf.export import saved_model, tflite

    directory = tmp_path_factory.mktemp("exports")
    return {"saved_model": saved_model.export_saved_model(trained_run, directory)} | tflite.export_tflite(
        trained_run, directory
    )
