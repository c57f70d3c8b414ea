"""Deletion and insertion (arXiv 1806.07421): does what the heat map marks carry the answer?

Deletion takes pixels from the image in the order of the map, highest first, and puts the image's mean grey in their
place; insertion puts them, in the same order, into a blurred copy. A map that marks the evidence makes the probability
fall sooner, or rise sooner, than an order by lot.

The order by lot is that of a map of random cells, of the same size and stretched over the image in the same way, so
that patches of the same kind go at a time: single pixels at random would make a picture such as no network has seen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ctcov_tf.evaluation.summary import SEED, mean
from ctcov_tf.progress import Bar

FRACTIONS = np.linspace(0, 1, 7)  # of the image's area that is deleted or inserted
BLUR = 1 / 20  # deviation of the blur that insertion starts from, over the image's side

Answer = Callable[[npt.NDArray], npt.NDArray]


def check(answer: Answer, images: npt.NDArray, heatmaps: npt.NDArray, groups: Sequence[str]) -> dict[str, Any]:
    """Both curves, beside those of an order by lot.

    Args:
      answer: from (n, size, size, 3) images to the (n,) probabilities that are explained, image by image.
      images: (n, size, size, 3) float32, pre-processed.
      heatmaps: (n, h, w) of the same images, none of them constant.
      groups: each image's group, for the intervals.

    Returns:
      `fractions`, and for `deletion` and `insertion` the mean `curve` and `random_curve`, the area under either
      (`area`, `random_area`: `value`, `low`, `high`) and their `difference`, paired by image and positive where the
      map is better than lot.
    """
    generator = np.random.default_rng(SEED)
    side = images.shape[1]
    lots = generator.random(heatmaps.shape).astype(np.float32)
    orders = {"curve": removal_order(heatmaps, lots, side), "random_curve": removal_order(lots, lots, side)}
    starts = {"deletion": _mean_grey(images), "insertion": _blurred(images)}
    total = len(starts) * (2 + len(orders) * (len(FRACTIONS) - 2))
    found: dict[str, Any] = {"fractions": FRACTIONS.tolist()}
    with Bar(total=total, desc="deletion and insertion", unit="pass") as passes:

        def counted(changed: npt.NDArray) -> npt.NDArray:
            passes.update()
            return answer(changed)

        for kind, other in starts.items():
            before, after = (images, other) if kind == "deletion" else (other, images)
            curves = _curves(counted, before, after, orders)
            found[kind] = _summary(curves, groups, sign=-1 if kind == "deletion" else 1)
    return found


def removal_order(heatmaps: npt.NDArray, lots: npt.NDArray, side: int) -> npt.NDArray:
    """When each pixel's turn comes.

    Args:
      heatmaps: (n, h, w), stretched bilinearly over the image.
      lots: (n, h, w), which decides between pixels that the heat map makes equal.
      side: of the image, pixels.

    Returns:
      (n, side, side) in [0, 1): the share of the image's pixels whose turn comes before.
    """
    stretched, chance = (_stretched(maps, side).reshape(len(maps), -1) for maps in (heatmaps, lots))
    order = np.lexsort((chance, -stretched), axis=-1)
    turns = np.empty(order.shape, np.float32)
    np.put_along_axis(turns, order, np.arange(order.shape[1], dtype=np.float32)[np.newaxis], axis=-1)
    return turns.reshape(len(heatmaps), side, side) / order.shape[1]


def _curves(
    answer: Answer, before: npt.NDArray, after: npt.NDArray, orders: dict[str, npt.NDArray]
) -> dict[str, npt.NDArray]:
    """(n, fractions) by order: probabilities as the pixels of `before` give way to those of `after`."""
    first, last = answer(before), answer(after)
    found = {}
    for name, order in orders.items():
        between = [answer(np.where((order < fraction)[..., np.newaxis], after, before)) for fraction in FRACTIONS[1:-1]]
        found[name] = np.stack([first, *between, last], axis=1)
    return found


def _summary(curves: dict[str, npt.NDArray], groups: Sequence[str], sign: int) -> dict[str, Any]:
    ours, by_lot = (np.trapezoid(curves[name], FRACTIONS, axis=1) for name in ("curve", "random_curve"))
    return {
        **{name: curve.mean(axis=0).tolist() for name, curve in curves.items()},
        "area": mean(ours, groups),
        "random_area": mean(by_lot, groups),
        "difference": mean(sign * (ours - by_lot), groups),
    }


def _stretched(maps: npt.NDArray, side: int) -> npt.NDArray:
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in maps])


def _mean_grey(images: npt.NDArray) -> npt.NDArray:
    return np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)


def _blurred(images: npt.NDArray) -> npt.NDArray:
    deviation = BLUR * images.shape[1]
    return np.stack([cv2.GaussianBlur(image, (0, 0), deviation) for image in images])
