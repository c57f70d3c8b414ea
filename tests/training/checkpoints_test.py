import keras
import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.training import checkpoints


def compiled(units=3):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units), keras.layers.BatchNormalization()])
    model.compile(keras.optimizers.AdamW(use_ema=True), "mse")
    return model


def test_state_comes_back_bit_for_bit(tmp_path):
    model, other = compiled(), compiled()
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model.fit(x, x[:, :3], epochs=2, verbose=0)
    checkpoints.save(tmp_path / "state.npz", checkpoints.state(model), epochs=2)
    assert checkpoints.load(tmp_path / "state.npz", checkpoints.state(other)) == 2
    for ours, theirs in zip(checkpoints.state(model), checkpoints.state(other), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    assert other.optimizer.iterations == model.optimizer.iterations


def test_another_network_is_refused(tmp_path):
    checkpoints.save(tmp_path / "state.npz", compiled(3).weights, epochs=1)
    for other in (compiled(5).weights, compiled(3).weights[:-1]):
        with pytest.raises(errors.CtcovError, match=r"state\.npz: damaged, or of another network .*: train again"):
            checkpoints.load(tmp_path / "state.npz", other)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip"])
def test_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "state.npz").write_bytes(content)
    with pytest.raises(errors.CtcovError, match="damaged"):
        checkpoints.load(tmp_path / "state.npz", compiled().weights)


def test_cut_file_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    checkpoints.save(path, compiled().weights, epochs=1)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(errors.CtcovError, match="damaged"):
        checkpoints.load(path, compiled().weights)
