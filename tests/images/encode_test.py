import numpy as np

from ctcov_tf.images import decode, encode


def test_what_is_encoded_is_decoded():
    grey = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    np.testing.assert_array_equal(decode.decode_grey(encode.png(grey), "noise"), grey)
    np.testing.assert_array_equal(decode.decode_rgb(encode.png(grey), "noise"), np.repeat(grey[..., None], 3, axis=-1))
