import keras

from ctcov_tf.models.baselines.squeeze_net import squeeze_net


def test_parameters_are_the_published_ones():
    """SqueezeNet 1.1 with its classifier of 1000 classes has 1,235,496."""
    image = keras.Input((64, 64, 3))
    maps = squeeze_net(image)
    classified = keras.layers.Conv2D(1000, 1)(maps["fire9"])
    assert keras.Model(image, classified).count_params() == 1_235_496


def test_sizes_of_the_maps():
    maps = squeeze_net(keras.Input((64, 64, 3)))
    shapes = {name: tensor.shape[1:] for name, tensor in maps.items()}
    assert (shapes["fire3"], shapes["fire5"], shapes["fire9"]) == ((16, 16, 128), (8, 8, 256), (4, 4, 512))
