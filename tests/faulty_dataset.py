"""A TFDS dataset with the faults that a test asks for."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds


class Faulty(tfds.core.GeneratorBasedBuilder):
    """Two images a split, as a test wants them broken."""

    VERSION = tfds.core.Version("1.0.0")
    groups = ("a", "b", "c")
    damage = False
    info_metadata: dict | None = None

    def _info(self):
        texts = dict.fromkeys(("image_id", "group_id"), tfds.features.Text())
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["covid19"]),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({**features, **texts}),
            metadata=tfds.core.MetadataDict(self.info_metadata or {}),
        )

    def _split_generators(self, dl_manager):
        splits = zip(("train", "validation", "test"), self.groups, strict=True)
        return {split: self._generate_examples(split, group) for split, group in splits}

    def _generate_examples(self, split, group):
        png = tf.io.encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1)).numpy()
        for number in range(2):
            image = png[:-20] if self.damage and number else png
            example = {"image": image, "label": 0, "image_id": f"{split}-{number}", "group_id": group}
            yield number, example
