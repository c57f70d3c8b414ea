import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.images.batch_memory import BatchMemory


def address(array):
    return array.ctypes.data


def test_arrays_have_the_shape_asked_for():
    memory = BatchMemory(5, (4, 3))
    for rows in (5, 2):
        array = memory.take(rows)
        assert array.shape == (rows, 4, 3)
        assert array.dtype == np.float32


@pytest.mark.parametrize("row_shape", [(1,), (7, 3), (32, 32, 3)])
def test_arrays_begin_where_tensorflow_needs_no_copy(row_shape):
    memory = BatchMemory(3, row_shape)
    held = [memory.take(3) for _ in range(5)]
    assert all(address(array) % 64 == 0 for array in held)


def test_held_arrays_share_nothing():
    memory = BatchMemory(2, (10,))
    held = [memory.take(2) for _ in range(4)]
    for number, array in enumerate(held):
        array[:] = number
    assert [set(array.ravel()) for array in held] == [{0}, {1}, {2}, {3}]


def test_memory_is_used_again_when_its_array_is_gone():
    memory = BatchMemory(2, (10,))
    kept, given_back = memory.take(2), memory.take(1)
    place = address(given_back)
    del given_back
    again = memory.take(2)
    assert address(again) == place
    assert address(kept) != place


def test_a_tensor_holds_its_memory():
    memory = BatchMemory(2, (64, 64))
    numbers = iter(range(100))

    def batch(_):
        array = memory.take(2)
        array[:] = next(numbers)
        return array

    dataset = tf.data.Dataset.range(20).map(lambda step: tf.numpy_function(batch, [step], tf.float32))
    held = [tensor.numpy() for tensor in dataset]
    assert [set(array.ravel()) for array in held] == [{number} for number in range(20)]
