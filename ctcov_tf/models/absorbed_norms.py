"""Moves the scale of batch norms into the convolutions before them: the same function, with kernels in their last form.

Every form of an export folds these batch norms into the kernels (`inference_network`). Where the fold multiplies by 1,
kernels that were rounded before it are the same numbers in every form.
"""

import keras
import numpy as np

from ctcov_tf.models import inference_network


def absorb(model: keras.Model) -> None:
    """Rewrites the weights of a network in place.

    A batch norm keeps its statistics, those of the scaled kernel's output, and the factor that undoes them: it
    multiplies by 1 as long as they stand, and normalises as before when training goes on.

    Args:
      model: functional model of one flat graph, trained.
    """
    for layer, norm in inference_network.folding_pairs(model):
        if not norm.scale:
            continue
        scale, _ = inference_network.scale_and_shift(norm)
        layer.set_weights(
            [inference_network.scaled_kernel(layer, scale), *(scale * b for b in layer.get_weights()[1:])]
        )
        variance = np.float32(norm.moving_variance.numpy() * scale**2)
        norm.moving_mean.assign(norm.moving_mean.numpy() * scale)
        norm.moving_variance.assign(variance)
        norm.gamma.assign(np.sqrt(np.float64(variance) + norm.epsilon))
