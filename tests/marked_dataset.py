"""A TFDS dataset whose class can be read in two places: from the border of an image, and from its centre."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfds_ctcov19 import image_files

SIDE, BORDER = 64, 4  # pixels; the border is what `border_only` keeps
CENTRE = slice(24, 40)


class Marked(tfds.core.GeneratorBasedBuilder):
    """Two images a patient; both marks are brighter in covid19, with noise of their own."""

    VERSION = tfds.core.Version("1.0.0")
    patients = 24

    def _info(self):
        more = {
            "sex": tfds.features.Text(),
            "age": tfds.features.Scalar(np.int32),
            "view": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(features=image_files.features(("covid19", "normal"), **more))

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(split, seed) for seed, split in enumerate(("train", "validation", "test"))
        }

    def _generate_examples(self, split, seed):
        generator = np.random.default_rng(seed)
        for number in range(2 * self.patients):
            patient = number // 2
            label = patient % 2
            image = generator.integers(80, 120, (SIDE, SIDE))
            border, centre = (round(generator.normal(170 - 60 * label, 30)) for _ in range(2))
            image[CENTRE, CENTRE] = centre
            rim = np.ones((SIDE, SIDE), bool)
            rim[BORDER:-BORDER, BORDER:-BORDER] = False
            image[rim] = border
            png = tf.io.encode_png(np.clip(image, 0, 255).astype(np.uint8)[..., np.newaxis]).numpy()
            yield (
                number,
                {
                    "image": png,
                    "label": label,
                    "image_id": f"{split}-{number}",
                    "group_id": f"{split}-{patient}",
                    "source": "here",
                    "file_format": "PNG",
                    "mode": "L",
                    "width": SIDE,
                    "height": SIDE,
                    "file_bytes": len(png),
                    "sex": ("M", "F", "")[patient // 2 % 3],
                    "age": -1 if patient < 4 else 20 + 3 * patient,
                    "view": "PA",
                },
            )


def reader(place):
    """A network that sees nothing but the mean brightness of the `border`, or of the `centre`."""
    import keras

    kernel = np.zeros((SIDE, SIDE, 3, 1), np.float32)
    if place == "border":
        kernel[:] = 1
        kernel[BORDER:-BORDER, BORDER:-BORDER] = 0
    else:
        kernel[CENTRE, CENTRE] = 1
    image = keras.Input((SIDE, SIDE, 3), name="image")
    mean = keras.layers.Flatten()(keras.layers.Conv2D(1, SIDE, use_bias=False, name="mean")(image))
    logits = keras.layers.Dense(1, name="logits")(mean)
    model = keras.Model(image, logits)
    model.get_layer("mean").set_weights([kernel / kernel.sum()])
    model.get_layer("logits").set_weights([np.full((1, 1), 12, np.float32), np.full(1, -12 * 140 / 255, np.float32)])
    return model
