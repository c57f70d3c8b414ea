import keras
import pytest

from ctcov_tf import errors
from ctcov_tf.models import feature_maps


def network(rectified):
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, name="part1_conv")(image)
    x = keras.layers.Activation("relu", name="part1_relu")(x)
    part = keras.layers.GlobalAveragePooling2D(name="part1_pool")(x)
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    if rectified:
        x = keras.layers.Activation("relu", name="first")(x)
        x = keras.layers.Activation("relu", name="second")(x)
    x = keras.layers.Conv2D(2, 3, name="last")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, keras.layers.Concatenate()([part, x]))


def test_rectified_maps_go_before_others_and_parts_are_left_out():
    model = network(rectified=True)
    names = {layer.name for layer in feature_maps.feature_maps(model)}
    assert names == {"part1_conv", "part1_relu", "conv", "first", "second", "last"}
    assert feature_maps.first_rectified(model).name == "first"
    assert feature_maps.last_rectified(model).name == "second"
    assert feature_maps.last_rectified(model, "part1").name == "part1_relu"


def test_without_rectified_maps_any_will_do():
    model = network(rectified=False)
    assert feature_maps.first_rectified(model).name == "conv"
    assert feature_maps.last_rectified(model).name == "last"


def test_a_network_without_maps_is_named():
    numbers = keras.Input((4,))
    model = keras.Model(numbers, keras.layers.Dense(1, name="logits")(numbers), name="flat")
    assert feature_maps.last_rectified(model) is None
    with pytest.raises(errors.CtcovError, match="model flat: has no feature map: choose a convolutional network"):
        feature_maps.first_rectified(model)
