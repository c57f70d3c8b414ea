"""Whether a row of the paper can be held against ours, and why not."""

import dataclasses

from ctcov_tf import config
from ctcov_tf.reproduce.arms import Arm
from ctcov_tf.reproduce.paper_tables import Table
from ctcov_tf.reproduce.protocol import Protocol

NOT_GIVEN = "not in this table of the paper"
NOT_COMPARABLE = "not comparable"
WITH_CARE = "the same test images"


@dataclasses.dataclass(frozen=True)
class Comparability:
    """Of one row.

    Attributes:
      verdict: `NOT_GIVEN`, `NOT_COMPARABLE` or `WITH_CARE`.
      reasons: what stands between the two figures.
    """

    verdict: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.verdict}: {'; '.join(self.reasons)}" if self.reasons else self.verdict


def of(arm: Arm, table: Table, protocol: Protocol) -> Comparability:
    """Judges one method.

    Args:
      arm: the method as it was trained here.
      table: the paper's table.
      protocol: the settings of this one.
    """
    row = table.row(arm.name)
    reasons: list[str] = []
    apart = False
    if row and not is_of_its_dataset(table, protocol):
        reasons.append(f"judged on {protocol.judging.dataset}, not {table.judged_on or table.dataset}")
        apart = True
    elif row and table.other_images:
        reasons.append(table.other_images)
        apart = True
    if row and row.elsewhere:
        reasons.append(row.elsewhere)
        apart = True
    attention = getattr(arm.config.model, "attention", "paper")
    if row and attention != "paper":
        reasons.append(f"attention {attention} here, at full width in the paper")
    if row and isinstance(arm.config.model, config.PyramidNetEdgeConfig):
        reasons.append("EfficientNet-Lite here, DenseNet-121 in the paper")
    reasons += arm.notes
    if row:
        size = f"{protocol.image_size} px" + (
            f" where the paper has {config.IMAGE_SIZE}" if protocol.image_size != config.IMAGE_SIZE else ""
        )
        start = "random weights" if protocol.weights == "none" else "ImageNet weights"
        reasons.append(f"{start}, {size}, {protocol.epochs} epochs")
        reasons += [row.note] if row.note else []
    verdict = NOT_GIVEN if row is None else NOT_COMPARABLE if apart else WITH_CARE
    return Comparability(verdict, tuple(reasons))


def is_of_its_dataset(table: Table, protocol: Protocol) -> bool:
    """Whether the methods are judged on the dataset of the paper's table, in whatever version.

    Args:
      table: the paper's table.
      protocol: the settings of this one.
    """
    return _builder(protocol.judging.dataset) == _builder(table.judged_on or table.dataset)


def _builder(dataset: str) -> str:
    return dataset.partition("/")[0].partition(":")[0]
