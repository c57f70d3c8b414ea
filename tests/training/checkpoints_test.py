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
        with pytest.raises(errors.CtcovError, match=r"state\.npz: of another network: .* train again"):
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


def test_values_that_are_not_those_that_were_saved_are_noticed(tmp_path):
    """Also where the file itself is whole: the checksum is of what it holds."""
    path, model = tmp_path / "state.npz", compiled()
    checkpoints.save(path, model.weights, epochs=1)
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    values["0"] = values["0"] + 1
    np.savez(path, **values)
    before = model.get_weights()
    with pytest.raises(checkpoints.Damaged, match=r"state\.npz: damaged \(its checksum differs\)"):
        checkpoints.load(path, model.weights)
    for ours, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_objects_are_not_read(tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, epochs=np.array(1), sha256=np.array([print], dtype=object))
    with pytest.raises(checkpoints.Damaged, match="allow_pickle=False"):
        checkpoints.check(path)


@pytest.fixture
def states(tmp_path):
    """Of a stage with four epochs behind it, and one of another stage beside it."""
    states, model = checkpoints.States(tmp_path, 1), compiled()
    for epochs in (9, 10, 11, 12):
        states.save(model.weights, epochs)
    checkpoints.States(tmp_path, 11).save(model.weights, 1)
    return states


def test_the_newest_two_are_kept(states):
    assert [path.name for path in states.paths()] == ["stage1_epoch12.npz", "stage1_epoch11.npz"]
    assert states.newest() == states.paths()[0]


def damage(path):
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = bytes(len(content) // 2)
    path.write_bytes(content)


def test_a_damaged_newest_is_named_and_the_one_before_it_is_used(states, capsys):
    newest, before = states.paths()
    damage(newest)
    assert states.newest() == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{newest}: damaged")
    assert line.endswith(f"going on from {before.name}")
    assert states.paths() == [before]


def test_where_both_are_damaged_the_stage_begins_anew(states, capsys):
    for path in states.paths():
        damage(path)
    assert states.newest() is None
    assert capsys.readouterr().err.splitlines()[-1].endswith("the stage begins anew")
