"""Sends every file of a folder, as bytes, to a SavedModel with the decoder of all exports: `python -m ... FOLDER`.

Prints how many were answered and refused, and by what factor memory grew from the second pass to the third.
"""

import os
import pathlib
import sys
import tempfile


def main(folder: pathlib.Path) -> None:
    """Three passes over the files."""
    from ctcov_tf import tensorflow_log

    tensorflow_log.load_quietly()
    import tensorflow as tf

    from ctcov_tf.preprocessing.decode import decode_grey

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
        def serve(self, image_bytes):
            grey = tf.map_fn(
                lambda data: tf.reduce_mean(tf.cast(decode_grey(data), tf.float32)) / 255,
                image_bytes,
                fn_output_signature=tf.float32,
            )
            return {"probability": grey}

    with tempfile.TemporaryDirectory() as place:
        model = Model()
        tf.saved_model.save(model, place, signatures=model.serve)
        serve = tf.saved_model.load(place).signatures["serving_default"]
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    resident = []
    for _ in range(3):
        answered = refused = 0
        for data in files:
            try:
                probability = float(serve(image_bytes=tf.constant([data]))["probability"][0])
            except tf.errors.InvalidArgumentError:
                refused += 1
            else:
                assert 0 <= probability <= 1
                answered += 1
        resident.append(int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    print(answered, refused, resident[2] / resident[1])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
