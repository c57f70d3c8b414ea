import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf.config import TrainConfig
from ctcov_tf.model_info import Labels
from ctcov_tf.training import optimization

BINARY = Labels(("covid19", "normal"), "covid19", "binary")
THREE = Labels(("covid19", "other_pneumonia", "normal"), "covid19", "three_class")


def rates(steps, **settings):
    schedule = optimization.WarmupSchedule(**settings)
    return np.array([float(schedule(step)) for step in range(steps)])


def test_constant_rate():
    np.testing.assert_allclose(rates(5, peak=1e-5, total_steps=5), 1e-5)


def test_warmup_then_cosine():
    curve = rates(101, peak=1.0, total_steps=100, warmup_steps=10, cosine=True)
    assert (np.diff(curve[:10]) > 0).all()
    assert (np.diff(curve[11:]) < 0).all()
    assert curve[9] == pytest.approx(1.0)
    assert curve[55] == pytest.approx(0.5)
    assert curve[100] == pytest.approx(0.0, abs=1e-6)


def test_stages_follow_one_curve():
    settings = {"peak": 1.0, "total_steps": 100, "warmup_steps": 10, "cosine": True}
    whole = rates(100, **settings)
    np.testing.assert_allclose(np.concatenate([whole[:60], rates(40, first_step=60, **settings)]), whole, atol=1e-6)


def test_schedule_survives_its_config():
    schedule = optimization.WarmupSchedule(1e-3, 100, 10, True, 20)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(again(5)) == float(schedule(5))


def test_paper_optimizer():
    optimizer = optimization.make_optimizer(TrainConfig(), steps_per_epoch=10)
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert optimizer.weight_decay is None
    assert float(optimizer.learning_rate) == pytest.approx(1e-5)
    assert not optimizer.use_ema
    assert optimizer.gradient_accumulation_steps is None


def test_accumulated_steps_equal_one_larger_batch():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)).astype("float32"), rng.integers(0, 2, (8, 1)).astype("float32")

    def weights_after(accumulate, batches):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        config = TrainConfig(accumulate=accumulate, learning_rate=0.1)
        model.compile(optimization.make_optimizer(config, 1), optimization.make_loss(config, BINARY))
        for part in np.split(np.arange(8), batches):
            model.train_on_batch(x[part], y[part])
        return model.get_weights()

    for whole, accumulated in zip(weights_after(1, 1), weights_after(2, 2), strict=True):
        np.testing.assert_allclose(whole, accumulated, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize(
    ("labels", "right", "wrong"),
    [
        (BINARY, ([[1.0]], [[4.0]]), ([[1.0]], [[-4.0]])),
        (THREE, ([[1.0, 0, 0]], [[4.0, 0, 0]]), ([[1.0, 0, 0]], [[0, 4.0, 0]])),
    ],
)
def test_losses_work_on_logits(loss, labels, right, wrong):
    function = optimization.make_loss(TrainConfig(loss=loss), labels)
    assert 0 < float(function(*map(np.array, right))) < float(function(*map(np.array, wrong)))


def test_cross_entropy_is_the_papers():
    logits = np.array([[0.3], [-1.2]])
    expected = np.mean([np.log1p(np.exp(-0.3)), np.log1p(np.exp(-1.2))])
    assert float(optimization.make_loss(TrainConfig(), BINARY)(np.array([[1.0], [0.0]]), logits)) == pytest.approx(
        expected, rel=1e-5
    )


FINDINGS = Labels(("edema", "pneumonia"), "pneumonia", "findings")


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_findings_that_are_known_are_judged_each_for_itself(loss, smoothing):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(5, 2)).astype("float32"), rng.integers(0, 2, (5, 2)).astype("float32")
    settings = TrainConfig(loss=loss, label_smoothing=smoothing)
    found = optimization.make_loss(settings, FINDINGS)(target, logits)
    alone = optimization.make_loss(settings, BINARY)
    assert float(found) == pytest.approx(np.mean([alone(target[:, [i]], logits[:, [i]]) for i in range(2)]), rel=1e-5)


def test_masked_findings_count_nothing():
    loss = optimization.make_loss(TrainConfig(), FINDINGS)
    target, logits = np.array([[1, -1], [-1, -1]], "float32"), np.array([[0.3, 9.0], [-9.0, 5.0]], "float32")
    assert float(loss(target, logits)) == pytest.approx(np.log1p(np.exp(-0.3)) / 4, rel=1e-5)
    with tf.GradientTape() as tape:
        variable = tf.Variable(logits)
        value = loss(target, variable)
    gradient = tape.gradient(value, variable).numpy()
    assert gradient[0, 0] < 0
    assert not gradient.ravel()[1:].any()


def small_network():
    image = keras.Input((4,), name="image")
    x = image
    for index in range(3):
        x = keras.layers.Dense(4, name=f"dense{index}")(x)
        x = keras.layers.Activation("relu", name=f"relu{index}")(x)
    return keras.Model(image, x)


def test_layer_rates_rise_in_equal_ratios():
    rates = optimization.layer_rates(small_network(), 0.01)
    assert rates["dense0/kernel"] == rates["dense0/bias"] == pytest.approx(0.01)
    assert rates["dense1/kernel"] == pytest.approx(0.1)
    assert rates["dense2/kernel"] == 1
    assert optimization.layer_rates(small_network(), 1.0) == {}


def test_layers_move_at_their_rates():
    """Adam's first step is as long as the learning rate."""
    keras.utils.set_random_seed(0)
    model = small_network()
    rates = optimization.layer_rates(model, 0.01)
    optimizer = optimization.make_optimizer(TrainConfig(learning_rate=1e-2), 10, rates=rates)
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.apply([tf.ones(variable.shape) for variable in before], model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(old - variable, 1e-2 * rates[variable.path], rtol=1e-3)


def test_rates_rise_through_a_network_inside_another():
    image = keras.Input((4,), name="image")
    branch = keras.Model(image, keras.layers.Dense(2, name="last")(keras.layers.Dense(3, name="first")(image)))
    views = [keras.Input((4,)), keras.Input((4,))]
    whole = keras.Model(views, keras.layers.Add()([branch(view) for view in views]))
    assert optimization.layer_rates(whole, 0.25) == optimization.layer_rates(branch, 0.25)
    assert set(optimization.layer_rates(whole, 0.25).values()) == {0.25, 1.0}
