"""Weights of the tiny network that the tests of exports and of shipping use, in `fixed_weights.npz`.

They are stored, not trained in each run of the tests: a network trained for seconds has scores beside its threshold,
and rounding, which every processor does in its own way, makes another network of it. This one has seen the validation
images too, so that its logits there are at most -2.8 or at least 3.1: no form of an export may flip a decision.
`python -m tests.export.fixed_weights` makes the file anew, as of another configuration or other phantoms.
"""

import dataclasses
import pathlib
import tempfile

import numpy as np

FILE = pathlib.Path(__file__).with_suffix(".npz")


def configuration(config):
    """The configuration of the tiny network, with fewer and wider layers."""
    return dataclasses.replace(config, model=dataclasses.replace(config.model, blocks=(1, 1, 1, 1), growth_rate=12))


def set_weights(model) -> None:
    """Fills a network of the configuration."""
    with np.load(FILE) as stored:
        model.set_weights([stored[name].astype(np.float32) for name in stored.files])


def main() -> None:
    """Trains on training and validation images, and writes the file."""
    import keras

    from ctcov_tf.datasets import contents
    from ctcov_tf.export import samples
    from ctcov_tf.images import decode
    from ctcov_tf.models import registry
    from ctcov_tf.preprocessing.preprocess import Preprocess
    from tests import conftest

    with tempfile.TemporaryDirectory() as folder:
        conftest.build_phantoms(pathlib.Path(folder))
        config = configuration(conftest.tiny_configuration(folder))
        labels = contents.labels_of(config.data, config.model.head)
        preprocess = Preprocess.from_preprocess_config(config.preprocess)
        drawn = [one for split in ("train", "validation") for one in samples.draw(config.data, split, 60)]
        images = np.concatenate([preprocess(decode.decode_rgb(one.data, one.image_id)[np.newaxis]) for one in drawn])
        targets = np.array([[one.label == labels.positive_index] for one in drawn], np.float32)
        keras.utils.set_random_seed(1)
        model = registry.build(config.model, config.preprocess.image_size, len(labels.outputs))
        loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
        model.compile(keras.optimizers.AdamW(2e-3, weight_decay=1e-2), loss)
        model.fit(images, targets, batch_size=12, epochs=48, verbose=2)
        logits, positive = model.predict(images[60:], verbose=0)[:, 0], targets[60:, 0] > 0
    print(f"validation logits: at most {logits[~positive].max():.2f}, at least {logits[positive].min():.2f}")
    np.savez_compressed(FILE, *[weight.astype(np.float16) for weight in model.get_weights()])


if __name__ == "__main__":
    main()
