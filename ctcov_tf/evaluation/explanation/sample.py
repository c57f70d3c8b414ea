"""The images that heat maps are checked on: few, and chosen by a rule that looks at no heat map."""

from collections.abc import Sequence
import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd

from ctcov_tf.config import Config
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation.summary import SEED
from ctcov_tf.images import decode
from ctcov_tf.images.preprocess import preprocess_all
from ctcov_tf.model_info import Labels

MOST = 32  # images


@dataclasses.dataclass(frozen=True)
class Sample:
    """Some images of a part.

    Attributes:
      seen: (n, size, size, 3) float32, as the network sees them.
      grey: uint8 (height, width) each, as they are stored.
      groups: name of each image's group.
    """

    seen: npt.NDArray
    grey: list[npt.NDArray]
    groups: list[str]

    def only(self, kept: npt.NDArray) -> "Sample":
        """The images where `kept`, bool (n,), is True."""
        grey = [image for image, keep in zip(self.grey, kept, strict=True) if keep]
        return Sample(self.seen[kept], grey, [group for group, keep in zip(self.groups, kept, strict=True) if keep])


def choose(predictions: pd.DataFrame, threshold: float, labels: Labels, most: int = MOST) -> tuple[Sequence[int], str]:
    """Chooses images by decision, group and lot.

    Heat maps show evidence for the positive class, so that images decided positive are taken where there are any. Of
    findings, whose maps explain each image's likeliest, any image will do.

    Args:
      predictions: `probability` and `group_id` of each image, in dataset order.
      threshold: of the decision.
      labels: of the network.
      most: images to choose.

    Returns:
      Positions of the images in dataset order, and the rule in words.
    """
    rows = predictions.reset_index(drop=True)
    decided = rows["probability"] >= threshold
    if labels.head != "findings" and decided.any():
        rows, whose = rows[decided], f"decided {labels.positive}"
    else:
        whose = "of the part" if labels.head == "findings" else f"of the part, since none is decided {labels.positive}"
    drawn = rows.iloc[np.random.default_rng(SEED).permutation(len(rows))]
    repeats = drawn.groupby("group_id").cumcount()
    chosen = drawn.loc[repeats.sort_values(kind="stable").index].head(most)
    rule = f"images {whose}, drawn by lot (seed {SEED}), a second one of a group only where no other group is left"
    return sorted(chosen.index), f"at most {most} {rule}"


def read(config: Config, split: str, positions: Sequence[int]) -> Sample:
    """Reads images from the dataset.

    Args:
      config: data and pre-processing.
      split: part of the dataset.
      positions: of the images, in dataset order.

    Returns:
      The images.

    Raises:
      CtcovError: the dataset cannot be read.
    """
    wanted, grey, groups = set(positions), [], []
    for position, example in enumerate(contents.examples(config.data, split)):
        if position in wanted:
            grey.append(decode.decode_grey(example["image"].numpy(), example["image_id"].numpy().decode()))
            groups.append(example["group_id"].numpy().decode())
    return Sample(preprocess_all(grey, config.preprocess), grey, groups)
