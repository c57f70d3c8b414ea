import itertools

from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import config
from ctcov_tf.images import decode
from ctcov_tf.preprocessing.preprocess import Preprocess

SIZE = 16
SWITCHES = list(itertools.product([False, True], repeat=3))


def images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape, np.uint8)


def layer(switches=(True, True, True), size=SIZE):
    equalise, blur, standardise = switches
    return Preprocess(size, equalise=equalise, blur=blur, standardise=standardise)


@pytest.mark.parametrize("switches", SWITCHES)
def test_each_step_can_be_switched_off(switches):
    results = {other: layer(other)(images(2, 30, 23, 1)).numpy() for other in SWITCHES}
    result = results.pop(switches)
    assert result.shape == (2, SIZE, SIZE, 3)
    assert result.dtype == np.float32
    assert all(np.abs(result - other).max() > 1e-3 for other in results.values())


def test_without_any_step_it_scales_to_one():
    image = images(1, SIZE, SIZE, 1)
    np.testing.assert_allclose(layer((False,) * 3)(image), np.repeat(image, 3, -1) / np.float32(255), rtol=1e-6)


def test_mean_is_zero_and_deviation_one():
    result = layer()(images(3, 50, 40, 1)).numpy()
    np.testing.assert_allclose(result.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(1, 2, 3)), 1, atol=1e-4)


@pytest.mark.parametrize("size", [16, 224, 300])
@pytest.mark.parametrize("level", [0, 101, 255])
def test_a_constant_image_becomes_zeros(size, level):
    result = layer(size=size)(np.full((1, 40, 30, 1), level, np.uint8)).numpy()
    np.testing.assert_allclose(result, 0, atol=1e-2)


def test_the_three_channels_are_the_same():
    result = layer()(images(1, 20, 20, 1)).numpy()
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


def test_rgb_becomes_grey_by_the_decoder_s_rule():
    rgb = images(1, 31, 20, 3)
    grey = decode.to_grey(rgb[0])[np.newaxis, ..., np.newaxis]
    np.testing.assert_array_equal(layer()(rgb), layer()(grey))


@settings(max_examples=20, deadline=None)
@given(arrays.arrays(np.uint8, (4, 5, 3)), st.floats(-0.49, 0.49))
def test_floats_are_rounded_to_grey_levels(rgb, offset):
    whole = layer((False, False, False))(rgb[np.newaxis])
    np.testing.assert_array_equal(layer((False, False, False))(rgb[np.newaxis].astype(np.float32) + offset), whole)


def test_floats_out_of_range_are_held():
    wild = np.array([[-1e9, 300.0], [254.9, 0.2]], np.float32)[np.newaxis, ..., np.newaxis]
    result = layer((False,) * 3, size=2)(wild).numpy()[0, ..., 0] * 255
    np.testing.assert_allclose(result, [[0, 255], [255, 0]])


@pytest.mark.parametrize("size", [1, 0, -5])
def test_a_size_without_pixels_is_refused(size):
    with pytest.raises(ValueError, match="at least 2"):
        Preprocess(size)


def test_from_config():
    built = Preprocess.from_preprocess_config(config.PreprocessConfig(40, equalise=False, standardise=False))
    assert (built.image_size, built.equalise, built.blur, built.standardise) == (40, False, True, False)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_dtype_policy_plays_no_part(policy):
    expected = layer()(images(1, 20, 20, 1))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        result = layer()(images(1, 20, 20, 1))
    finally:
        keras.config.set_dtype_policy(before)
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, expected)


def test_keras_round_trip(tmp_path):
    inputs = keras.Input((None, None, 1), dtype="uint8")
    model = keras.Model(inputs, Preprocess(SIZE, blur=False)(inputs))
    assert model.output_shape == (None, SIZE, SIZE, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images(2, 25, 31, 1)), model(images(2, 25, 31, 1)))


def test_dataset_of_many_sizes():
    shapes = [(20, 30, 1), (33, 9, 1), (1, 1, 1)]
    stored = [images(*shape, seed=number) for number, shape in enumerate(shapes)]
    spec = tf.TensorSpec((None, None, 1), tf.uint8)
    dataset = tf.data.Dataset.from_generator(lambda: iter(stored), output_signature=spec)
    preprocess = layer()
    for image, result in zip(stored, dataset.map(lambda image: preprocess(image[tf.newaxis])), strict=True):
        np.testing.assert_array_equal(result, preprocess(image[np.newaxis]))


@pytest.mark.parametrize("channels", [1, 3])
def test_saved_model_and_tflite_equal_the_layer(tmp_path, channels):
    preprocess = layer()
    module = tf.Module()
    module.serve = tf.function(preprocess, input_signature=[tf.TensorSpec((1, None, None, channels), tf.uint8)])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = Interpreter(model_content=converter.convert())
    reloaded = tf.saved_model.load(str(tmp_path))
    for height, width in ((40, 30), (16, 16), (1, 7), (1, 1), (77, 50)):
        image = images(1, height, width, channels, seed=height)
        expected = preprocess(image).numpy()
        np.testing.assert_array_equal(reloaded.serve(image), expected)
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_tflite_agrees_to_the_last_level_at_awkward_ratios(tmp_path):
    """Sizes with many near-ties in the interpolation, where a float's last bit would decide the rounding."""
    preprocess = layer((False, False, False), size=96)
    module = tf.Module()
    module.serve = tf.function(preprocess, input_signature=[tf.TensorSpec((1, None, None, 1), tf.uint8)])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    interpreter = Interpreter(model_content=tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert())
    index = interpreter.get_input_details()[0]["index"]
    for side in (160, 167, 192, 200, 211, 224):
        image = images(1, side, side + 3, 1, seed=side)
        interpreter.resize_tensor_input(index, image.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, image)
        interpreter.invoke()
        levels = 255 * interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(levels, 255 * preprocess(image).numpy(), atol=1e-3)
