"""TFDS builders; importing this package registers them for `tfds.load` and `tfds build --imports tfds_ctcov19`."""

from tfds_ctcov19.phantom import phantom_dataset_builder

__all__ = ["phantom_dataset_builder"]
