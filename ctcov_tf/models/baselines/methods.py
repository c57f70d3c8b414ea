"""The methods that the paper compares with (Tables III to VI): their presets, and how far ours are theirs."""

import dataclasses

from ctcov_tf.config import Method


@dataclasses.dataclass(frozen=True)
class ComparedMethod:
    """A compared method.

    Attributes:
      preset: name of its preset, and of its module in `models.baselines`.
      title: as the paper calls it.
      reference: number in the paper's list.
      approximation: how it differs from what its authors built; None where nothing known differs.
      bags: whether it answers several slices of a group at once; where a dataset has no groups it answers single
        slices.
    """

    preset: Method
    title: str
    reference: int
    approximation: str | None = None
    bags: bool = False


_METHODS = (
    ComparedMethod("covnet", "COVNet", 44, bags=True),
    ComparedMethod("dl_system", "DL-system", 41, "single slices instead of a 3-D network on a crop of the lungs"),
    ComparedMethod(
        "hybrid_3d", "Hybrid-3D", 13, "neighbouring slices as channels instead of 3-D convolutions", bags=True
    ),
    ComparedMethod("unet_plus_plus", "UNet++", 5, "trained on labels of images alone, without masks of lesions"),
    ComparedMethod("densenet169", "DenseNet-169", 46),
    ComparedMethod("resnet50", "ResNet-50", 46),
    ComparedMethod("xdnn", "xDNN", 2, "the density's recursion is computed in one pass, from its published form"),
    ComparedMethod("light_cnn", "light CNN", 29, "how the transposed-convolution skip block joins its maps is ours"),
    ComparedMethod(
        "caad", "CAAD", 45, "the classifier's own probability is its confidence; one threshold for both heads"
    ),
    ComparedMethod(
        "covid_resnet", "COVID-ResNet", 11, "no search for a learning rate; epochs divided among the sizes by us"
    ),
    ComparedMethod("hall", "Hall et al.", 12, "logits of the members averaged instead of probabilities"),
)
METHODS: dict[str, ComparedMethod] = {method.preset: method for method in _METHODS}
"""Every compared method by its preset."""

ON_BAGS = tuple(method.preset for method in _METHODS if method.bags)
"""Presets of those that answer several slices of a group at once."""
