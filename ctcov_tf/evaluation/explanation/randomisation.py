"""Cascading randomisation (arXiv 1810.03292): a map that stays when the weights go explains nothing of the network.

Layers are set back to random weights from the logits downwards, in a few stages, and each stage's heat maps are held
against those of the trained network. The frozen parts of Deep-CXR-Net, which give no map of part 3, stay as they are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy import stats
import tensorflow as tf

from ctcov_tf.evaluation.summary import SEED, mean
from ctcov_tf.models import scores
from ctcov_tf.progress import Bar

BATCH_SIZE = 8  # images that share one draw of weights

Stages = dict[str, list[keras.layers.Layer]]


def stages(model: keras.Model, layer: str) -> Stages:
    """Layers that are randomised in each stage, those of earlier stages not repeated.

    Args:
      model: functional model of one flat graph.
      layer: name of the layer that is explained.

    Returns:
      Layers with weights by the stage's name: the logits, the rest behind the explained map, the upper half of what
      is left, and the lower half. A stage without layers is left out.
    """
    frozen = tuple(f"{part}_" for part in scores.PARTS)
    explained = model.layers.index(model.get_layer(layer))
    behind, before = (
        [one for one in layers if one.weights and not one.name.startswith(frozen)][::-1]
        for layers in (model.layers[explained + 1 :], model.layers[: explained + 1])
    )
    half = (len(before) + 1) // 2
    cut = {
        "logits": behind[:1],
        "all behind the map": behind[1:],
        "upper half before it": before[:half],
        "every layer": before[half:],
    }
    return {name: layers for name, layers in cut.items() if layers}


def randomise(layers: Sequence[keras.layers.Layer], generator: np.random.Generator) -> None:
    """Gives layers random weights: kernels by He's normal law, scales and variances 1, means and offsets 0."""
    for layer in layers:
        for variable in layer.weights:
            variable.assign(_fresh(variable, generator))


def cascade(
    model: keras.Model, explain: Callable[[npt.NDArray], npt.NDArray], images: npt.NDArray, cut: Stages
) -> dict[str, npt.NDArray]:
    """Heat maps of each stage; the model has its own weights again afterwards.

    Args:
      model: the network.
      explain: from (n, size, size, 3) float32 images to (n, h, w) heat maps of the network as it is at that moment.
      images: (n, size, size, 3) float32, pre-processed.
      cut: what `stages` gave.

    Returns:
      (n, h, w) heat maps by the stage's name. Every `BATCH_SIZE` images get other random weights.
    """
    kept = model.get_weights()
    found: dict[str, list[npt.NDArray]] = {name: [] for name in cut}
    starts = range(0, len(images), BATCH_SIZE)
    try:
        for start in Bar(starts, desc="randomised weights", unit="draw"):
            generator = np.random.default_rng((SEED, start))
            for name, layers in cut.items():
                randomise(layers, generator)
                found[name].append(explain(images[start : start + BATCH_SIZE]))
            model.set_weights(kept)
    finally:
        model.set_weights(kept)
    return {name: np.concatenate(maps) for name, maps in found.items()}


def compare(
    original: npt.NDArray, randomised: dict[str, npt.NDArray], layers: dict[str, int], groups: Sequence[str], side: int
) -> dict[str, Any]:
    """How alike the maps of each stage are to the original ones.

    Args:
      original: (n, h, w) heat maps of the trained network, none of them constant.
      randomised: the same by stage.
      layers: how many layers are random in each stage.
      groups: each image's group, for the intervals.
      side: of the image, pixels: maps are stretched over it for the structural similarity.

    Returns:
      `draws` of weights; `stages`: `name`, `layers`, `rank_correlation` and `structural_similarity` (`value`, `low`,
      `high`) each, and how many maps are `empty`; `other_images`: the same two numbers between the original maps of
      different images, which is what unrelated maps of this network have in common.
    """
    rows = [
        {"name": name, "layers": layers[name]}
        | _likeness(original, maps, groups, side)
        | {"empty": int((~maps.any(axis=(1, 2))).sum())}
        for name, maps in randomised.items()
    ]
    return {
        "draws": -(-len(original) // BATCH_SIZE),
        "stages": rows,
        "other_images": _likeness(original, np.roll(original, 1, axis=0), groups, side) if len(original) > 1 else None,
    }


def rank_correlation(ours: npt.NDArray, theirs: npt.NDArray) -> npt.NDArray:
    """Spearman's rank correlation of each pair of maps.

    Args:
      ours: (n, h, w).
      theirs: (n, h, w).

    Returns:
      (n,) in [-1, 1]; 0 where a map is constant, which ranks nothing.
    """
    first, second = (stats.rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (ours, theirs))
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (first, second))
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.divide((first * second).sum(axis=1), spread, out=np.zeros(len(spread)), where=spread > 0)


def structural_similarity(ours: npt.NDArray, theirs: npt.NDArray, side: int) -> npt.NDArray:
    """SSIM of each pair of maps, stretched bilinearly to `side` pixels; (n,) in [-1, 1]."""
    first, second = (tf.image.resize(maps[..., np.newaxis], (side, side)) for maps in (ours, theirs))
    return tf.image.ssim(first, second, max_val=1.0).numpy()


def _likeness(ours: npt.NDArray, theirs: npt.NDArray, groups: Sequence[str], side: int) -> dict[str, Any]:
    return {
        "rank_correlation": mean(rank_correlation(ours, theirs), groups),
        "structural_similarity": mean(structural_similarity(ours, theirs, side), groups),
    }


def _fresh(variable: keras.Variable, generator: np.random.Generator) -> npt.NDArray:
    shape = tuple(variable.shape)
    if len(shape) > 1:
        return generator.normal(scale=np.sqrt(2 / np.prod(shape[:-1])), size=shape).astype(np.float32)
    return np.full(shape, variable.name in ("gamma", "moving_variance", "scale"), np.float32)
