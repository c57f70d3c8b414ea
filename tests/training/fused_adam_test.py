import keras
import numpy as np
import pytest

from ctcov_tf.training.fused_adam import FusedAdam


def _weights_after(optimizer, steps=20):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
    model.compile(optimizer, "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        model.train_on_batch(rng.normal(size=(8, 6)), rng.normal(size=(8, 2)))
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_momentum": 0.9},
        {"gradient_accumulation_steps": 4},
        {"clipnorm": 0.1},
    ],
    ids=lambda settings: next(iter(settings), "plain"),
)
def test_moves_weights_and_moments_as_keras_adam_does(settings):
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 30)
    fused = _weights_after(FusedAdam(rate, **settings))
    stock = _weights_after(keras.optimizers.Adam(rate, **settings))
    for ours, theirs in zip(fused.weights, stock.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert len(fused.optimizer.variables) == len(stock.optimizer.variables)
    for ours, theirs in zip(fused.optimizer.variables, stock.optimizer.variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_survives_a_round_trip_of_its_configuration():
    optimizer = FusedAdam(1e-3, beta_1=0.8, weight_decay=0.01)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, FusedAdam)
    assert (again.beta_1, again.weight_decay) == (0.8, 0.01)


def test_refuses_amsgrad():
    with pytest.raises(NotImplementedError, match="amsgrad"):
        _weights_after(FusedAdam(1e-3, amsgrad=True), steps=1)
