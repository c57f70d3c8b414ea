"""SimSiam (arXiv 2011.10566): two views of an image are to have one embedding, without labels and negative pairs."""

from typing import Any

import keras
from keras import ops

from ctcov_tf.config import SimSiamConfig, SimSiamEdgeConfig
from ctcov_tf.models.backbones import BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM
from ctcov_tf.models.pyramid_features import backbone

FEATURES = "features"
"""Layer of the backbone's pooled features."""
EMBEDDING = "embedding"
"""Layer that ends the projector."""
DEVIATION = "embedding_deviation"
"""Column of the history that shows a collapse."""
BRANCH = "branch"
"""The network that both views pass, inside that which is trained."""


def simsiam(config: SimSiamConfig | SimSiamEdgeConfig, image_size: int) -> keras.Model:
    """Builds one branch: backbone, projector, predictor (section 3).

    Every layer of the projector has batch normalisation, the last no ReLU; the predictor's hidden layer has both, its
    last layer neither.

    Args:
      config: widths and depths; `config.weights` fills the backbone.
      image_size: side of the input, pixels.

    Returns:
      Functional model over one flat graph: `image` float32 (batch, size, size, 3), pre-processed, to the prediction of
      another view's embedding, float32 (batch, units).

    Raises:
      CtcovError: the weights cannot be had or do not fit.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name=FEATURES)(backbone(image, config))
    for number, units in enumerate(config.projection[:-1], start=1):
        x = _dense_norm_relu(x, units, f"projector_{number}")
    x = _dense(config.projection[-1], "projector_last")(x)
    x = _norm(EMBEDDING)(x)
    x = _dense_norm_relu(x, config.prediction_units, "predictor")
    prediction = keras.layers.Dense(config.projection[-1], dtype="float32", name="prediction")(x)
    return keras.Model(image, prediction, name="simsiam")


def two_views(model: keras.Model) -> keras.Model:
    """The network that training runs: two views pass the same branch, and the loss is inside.

    Args:
      model: what `simsiam` built; its variables are shared.

    Returns:
      Functional model from two batches of images to the loss of each pair, (batch,), float32.
    """
    branch = keras.Model(model.input, [model.get_layer(EMBEDDING).output, model.output], name=BRANCH)
    views = [keras.Input(model.input_shape[1:], name=name) for name in ("view", "other_view")]
    (embedding, prediction), (other_embedding, other_prediction) = map(branch, views)
    loss = NegativeCosine(dtype="float32", name="loss")([prediction, other_embedding], [other_prediction, embedding])
    return keras.Model(views, loss, name="two_views")


def features(model: keras.Model) -> keras.Model:
    """The backbone with its map pooled: what a later run starts from.

    Args:
      model: what `two_views` built.

    Returns:
      Functional model from images to features, float32 (batch, channels).
    """
    branch = model.get_layer(BRANCH)
    return keras.Model(branch.input, branch.get_layer(FEATURES).output)


class NegativeCosine(keras.layers.Layer):
    """The symmetric loss (Algorithm 1): minus the cosine of a prediction and the other view's embedding, -1 to 1.

    No gradient passes through the embeddings: without this all images would come to have the same one. Whether they
    do is the metric `embedding_deviation` of an epoch's batches.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.deviation = keras.metrics.Mean(name=DEVIATION)

    def call(self, pair: list[Any], other_pair: list[Any]) -> Any:
        """The loss of each image, (batch,); their mean is added to what training minimises.

        Args:
          pair: prediction from one view and embedding of the other, (batch, units) each.
          other_pair: the same with the views exchanged.
        """
        loss = ops.mean(ops.stack([_negative_cosine(*pair), _negative_cosine(*other_pair)]), axis=0)
        self.add_loss(ops.mean(loss))
        self.deviation.update_state(embedding_deviation(pair[1]))
        return loss


def embedding_deviation(embeddings: Any) -> Any:
    """How far embeddings of length 1 are spread: their standard deviation times the square root of their dimensions.

    Args:
      embeddings: (images, units) float, of any length.

    Returns:
      1 where they point in all directions alike, 0 where they are the same (section 4.1).
    """
    return ops.mean(ops.std(ops.normalize(embeddings, axis=-1), axis=0)) * embeddings.shape[-1] ** 0.5


def _negative_cosine(prediction: Any, embedding: Any) -> Any:
    return -ops.sum(ops.normalize(prediction, axis=-1) * ops.normalize(ops.stop_gradient(embedding), axis=-1), axis=-1)


def _dense_norm_relu(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    x = _norm(f"{name}_bn")(_dense(units, name)(x))
    return keras.layers.Activation("relu", dtype="float32", name=f"{name}_relu")(x)


def _dense(units: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, use_bias=False, kernel_initializer="he_normal", dtype="float32", name=name)


def _norm(name: str) -> keras.layers.BatchNormalization:
    return keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, dtype="float32", name=name
    )
