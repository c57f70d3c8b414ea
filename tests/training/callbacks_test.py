import keras
import numpy as np
import pytest
from sklearn import metrics
import tensorflow as tf

from ctcov_tf import errors
from ctcov_tf.config import TrainConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.training import callbacks, checkpoints, optimization


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_validation_adds_loss_and_exact_auc():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(21, 4)).astype("float32"), rng.integers(0, 2, (21, 1)).astype("float32")
    model, loss = small_model(), keras.losses.BinaryCrossentropy(from_logits=True)
    callback = callbacks.Validation(
        tf.data.Dataset.from_tensor_slices((x, y)).batch(8), Labels(("covid19", "normal"), "covid19", "binary"), loss
    )
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    logits = model.predict(x, verbose=0)
    assert logs["val_auc"] == pytest.approx(metrics.roc_auc_score(y, logits))
    assert logs["val_loss"] == pytest.approx(float(loss(y, logits)), rel=1e-5)


def test_findings_are_judged_by_the_mean_over_those_that_can_be():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)).astype("float32"), rng.integers(0, 2, (20, 3)).astype("float32")
    y[:7, 0], y[:, 2] = -1, 1
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    labels = Labels(("edema", "pneumonia", "atelectasis"), "pneumonia", "findings")
    callback = callbacks.Validation(
        tf.data.Dataset.from_tensor_slices((x, y)).batch(8), labels, optimization.MaskedBinaryLoss()
    )
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    logits = model.predict(x, verbose=0)
    expected = [metrics.roc_auc_score(y[7:, 0], logits[7:, 0]), metrics.roc_auc_score(y[:, 1], logits[:, 1])]
    assert logs["val_auc"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(("checkpoint", "expected_epoch"), [("best", 1), ("last", 2)])
def test_one_epoch_is_kept(checkpoint, expected_epoch, tmp_path):
    model = small_model()
    callback = callbacks.KeptWeights(tmp_path / "best.npz", [0.5], TrainConfig(checkpoint=checkpoint))
    callback.set_model(model)
    callback.on_epoch_end(0, {"val_auc": 0.4})
    assert (tmp_path / "best.npz").exists() == (checkpoint == "last")
    kept = None
    for epoch, auc in enumerate([0.7, 0.9, 0.8]):
        model.set_weights([np.full_like(weight, epoch) for weight in model.get_weights()])
        callback.on_epoch_end(epoch, {"val_auc": auc})
        kept = model.get_weights() if epoch == expected_epoch else kept
    assert checkpoints.load(tmp_path / "best.npz", model.weights) == expected_epoch + 1
    for ours, expected in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_history_goes_on_as_if_it_had_never_stopped(tmp_path):
    rng = np.random.default_rng(0)
    logs = [{"loss": float(value), "val_auc": float(value) / 3, "image_size": 32} for value in rng.random(4)]
    through = callbacks.History(tmp_path / "through.csv", 0)
    resumed = callbacks.History(tmp_path / "resumed.csv", 0)
    for epoch in range(4):
        through.on_epoch_end(epoch, logs[epoch])
    for epoch in range(3):
        resumed.on_epoch_end(epoch, logs[epoch])
    resumed = callbacks.History(tmp_path / "resumed.csv", 2)
    assert resumed.past("val_auc", 1) == [logs[1]["val_auc"]]
    for epoch in (2, 3):
        resumed.on_epoch_end(epoch, logs[epoch])
    assert (tmp_path / "resumed.csv").read_bytes() == (tmp_path / "through.csv").read_bytes()


@pytest.mark.parametrize("content", ["", "epoch,val_auc\n0,0.5\n2,0.5\n", "nonsense\n1\n"])
def test_a_history_that_lacks_an_epoch_is_refused(tmp_path, content):
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(errors.CtcovError, match=r"history\.csv: lacks an epoch before 2: put back"):
        callbacks.History(tmp_path / "history.csv", 2)


@pytest.mark.parametrize(("past", "stops_after"), [([], 3), ([0.9], 2), ([0.5, 0.9, 0.8], 1)])
def test_early_stopping_counts_the_past(past, stops_after):
    callback = callbacks.ResumableEarlyStopping(past, patience=2)
    callback.set_model(small_model())
    callback.on_train_begin()
    epochs = 0
    while not getattr(callback.model, "stop_training", False):
        callback.on_epoch_end(len(past) + epochs, {"val_auc": 0.7})
        epochs += 1
    assert epochs == stops_after
