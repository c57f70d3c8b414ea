"""A predictor without a model, for tests of what stands around one."""

import numpy as np

from ctcov_tf import predictor
from ctcov_tf.config import PreprocessConfig
from ctcov_tf.model_info import Labels, ModelInfo


class Fixed(predictor.Predictor):
    """A model that gives the same answer to every readable image."""

    def __init__(self, info, *probabilities):
        self.info = info
        self.runs = 0
        self._probabilities = np.array([probabilities], np.float32)

    def outputs(self, data, image, *, heatmaps=False):
        self.runs += 1
        heatmap = np.eye(4, dtype=np.float32)[np.newaxis]
        likelihoods = {name: np.array([0.25], np.float32) for part in self.info.parts for name in part.likelihoods}
        maps = {"heatmap": heatmap} | {f"heatmap_{part.name}": 1 - heatmap for part in self.info.parts}
        return {"probabilities": self._probabilities} | likelihoods | (maps if heatmaps else {})


def info(head="binary", classes=("normal", "covid19"), threshold=0.3, parts=()):
    labels = Labels(classes, "covid19", head)
    return ModelInfo("fixed", labels, threshold, "by hand", PreprocessConfig(image_size=8), "nothing:1.0.0", parts)
