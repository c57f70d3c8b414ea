"""A TFLite file whose probability is the image's mean grey value over 255: small, and its answers are known."""

from ctcov_tf.config import PreprocessConfig
from ctcov_tf.edge import runner
from ctcov_tf.model_info import Labels, ModelInfo

INFO = ModelInfo(
    name="mean_grey",
    labels=Labels(("covid19", "normal"), "covid19", "binary"),
    threshold=0.4,
    threshold_rule="chosen by hand",
    preprocess=PreprocessConfig(image_size=8),
    trained_on="nothing:1.0.0",
)


def write(folder):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.uint8, name="image")])
    def mean_grey(image):
        mean = tf.reshape(tf.reduce_mean(tf.cast(image, tf.float32)) / 255, (1,))
        return {"probability": mean, "probabilities": mean[:, tf.newaxis]}

    tf.saved_model.save(tf.Module(), str(folder / "graph"), signatures=mean_grey)
    path = folder / "mean_grey-3-float32.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "graph")).convert())
    runner.append_record(path, INFO)
    return path
