"""A dataset of drawn scans of one size, as TFDS holds it: what benchmarks of the input pipeline read."""

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds

IMAGES = 128


class BenchmarkScans(tfds.core.GeneratorBasedBuilder):
    """Smooth dim images, grey; one config a file format."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("png", "jpeg")]  # noqa: RUF012
    native_size = 512  # pixels

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 1)),
            "label": tfds.features.ClassLabel(names=["covid19", "normal"]),
            "image_id": tfds.features.Text(),
            "group_id": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples("train"), "test": self._generate_examples("test")}

    def _generate_examples(self, split):
        for number in range(IMAGES):
            image = scan(self.native_size, number + IMAGES * (split == "test"))
            encoded = cv2.imencode(f".{self.builder_config.name}", image)[1].tobytes()
            name = f"{split}{number}"
            yield number, {"image": encoded, "label": number % 2, "image_id": name, "group_id": name}


def scan(side: int, number: int) -> npt.NDArray:
    """A smooth dim image, uint8 (side, side)."""
    noise = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
    return cv2.equalizeHist(cv2.GaussianBlur(noise, (0, 0), 5)) // 2 + 30
