"""Parts of Deep-CXR-Net with random weights: what a step or a file costs does not depend on their values."""

import dataclasses

from ctcov_tf import config as config_lib
from ctcov_tf.model_info import Labels, PartInfo
from ctcov_tf.models import registry
from ctcov_tf.models.deep_cxr_net import FrozenPart

LABELS = {
    "part1": Labels(config_lib.FINDINGS, "pneumonia", "findings"),
    "part2": Labels(("pneumonia", "normal"), "pneumonia", "two_class"),
}


def random_parts(config: config_lib.ModelConfig, image_size: int) -> list[FrozenPart]:
    """Both parts, of the same widths and depths as part 3; none for other networks.

    Args:
      config: of the network.
      image_size: side of the images, pixels.
    """
    if isinstance(config, config_lib.DeepCXRNetConfig):
        shared, kind = config_lib.PyramidNetConfig, config_lib.DeepCTNetConfig
    elif isinstance(config, config_lib.DeepCXRNetEdgeConfig):
        shared, kind = config_lib.PyramidNetEdgeConfig, config_lib.DeepCTNetEdgeConfig
    else:
        return []
    given = {field.name: getattr(config, field.name) for field in dataclasses.fields(shared)}
    parts = []
    for name, labels in LABELS.items():
        alone = kind(**{**given, "weights": "none"}, head=labels.head)
        network = registry.build(alone, image_size, len(labels.outputs))
        parts.append(FrozenPart(PartInfo(name, "random weights", labels, "nothing", ""), network))
    return parts
