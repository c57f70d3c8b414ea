"""Our backbones against those of keras.applications: parameters, functions and weights."""

import keras
import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.layers import FusedBatchNormalization
from ctcov_tf.models.baselines import published

SIZE = 32
WITHOUT_TOP = {"include_top": False, "weights": None, "input_shape": (SIZE, SIZE, 3)}


def overlaid(build, weights="none"):
    image = keras.Input((SIZE, SIZE, 3), name="image")
    return keras.Model(image, build(image, weights))


def grey(scale=1.0):
    return scale * np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3)).astype("float32")


def by_name(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


@pytest.mark.parametrize(
    ("build", "theirs", "parameters"),
    [
        (published.resnet50, keras.applications.ResNet50, 23_587_712),
        (published.vgg16, keras.applications.VGG16, 14_714_688),
        (published.efficientnet_b0, keras.applications.EfficientNetB0, 4_049_564),
    ],
)
def test_parameters_and_answers_are_those_of_keras_applications(build, theirs, parameters):
    model, reference = overlaid(build), theirs(**WITHOUT_TOP)
    assert model.count_params() == parameters
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(reference.get_layer(layer.name).get_weights())
    scale = 255.0 if theirs is keras.applications.EfficientNetB0 else published.PIXEL_SCALE
    ours, expected = model(grey()).numpy(), reference(grey(scale)).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_features_of_vgg16_have_its_published_size():
    """138,357,544 parameters with the 1000 classes' layer of 4,097,000, at 224 px."""
    image = keras.Input((224, 224, 3))
    with_top = keras.Model(image, published.vgg16(image, "none", fully_connected=True))
    assert with_top.output_shape == (None, 4096)
    assert with_top.count_params() == 138_357_544 - 4_097_000


def test_batch_norms_are_fused_and_follow_fast():
    norms = [
        layer for layer in overlaid(published.resnet50).layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 53
    assert {(type(layer), layer.momentum, layer.epsilon) for layer in norms} == {
        (FusedBatchNormalization, 0.9, 1.001e-5)
    }


def test_imagenet_weights_are_copied(monkeypatch):
    reference = keras.applications.EfficientNetB0(**WITHOUT_TOP)
    original = keras.applications.EfficientNetB0

    def downloaded(**settings):
        if settings["weights"] == "imagenet":
            assert settings["include_top"] is False
            return reference
        return original(**settings)

    monkeypatch.setattr(keras.applications, "EfficientNetB0", downloaded)
    model = overlaid(published.efficientnet_b0, "imagenet")
    for name, weights in by_name(model).items():
        for ours, theirs in zip(weights, reference.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_failed_download_says_what_else_there_is(monkeypatch):
    original = keras.applications.VGG16

    def unreachable(**settings):
        if settings["weights"] == "imagenet":
            raise Exception("URL fetch failure")
        return original(**settings)

    monkeypatch.setattr(keras.applications, "VGG16", unreachable)
    with pytest.raises(errors.CtcovError, match=r"download failed .*choose --weights none"):
        overlaid(published.vgg16, "imagenet")


def test_weights_come_from_a_file_of_such_a_network(tmp_path):
    keras.utils.set_random_seed(3)
    first = overlaid(published.vgg16)
    first.save_weights(tmp_path / "vgg.weights.h5")
    second = overlaid(published.vgg16, str(tmp_path / "vgg.weights.h5"))
    np.testing.assert_array_equal(first(grey()), second(grey()))
