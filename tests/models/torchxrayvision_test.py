import keras
import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.models import registry, torchxrayvision
from ctcov_tf.models.torchxrayvision import FINDINGS, TorchXRayVisionWeights
from tests.models import torch_samples


@pytest.fixture
def arrays():
    return torch_samples.dense_net_arrays()


@pytest.fixture
def write(tmp_path):
    return lambda arrays: torch_samples.write_state_dict(tmp_path / "weights.pt", arrays)


def filled(path, size=64, findings=FINDINGS):
    weights = TorchXRayVisionWeights.read(path)
    model = registry.build(weights.config, size, len(findings))
    weights.fill(model, findings)
    return model


def grey_levels(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, size, size)).astype("float32")


def three_channels(levels):
    """Pre-processed images: grey in [0, 1], repeated."""
    return np.repeat(levels[..., None] / 255, 3, axis=-1).astype("float32")


def is_transition_pool(layer):
    return isinstance(layer, keras.layers.AveragePooling2D)


def torch_name(layer):
    """The module of PyTorch that computes what a layer of ours does, by the two naming schemes."""
    stage, *rest = layer.name.split("_")
    parts = {"bn": "norm", "conv": "conv", "pool": "pool"}
    if layer.name in ("bn", "logits"):
        return {"bn": "features.norm5", "logits": "classifier"}[layer.name]
    if layer.name == "pool1":
        return "features.pool0"
    if stage == "conv1":
        return f"features.{parts[rest[0]]}0"
    block = f"{int(stage[-1]) - 1}"
    if stage.startswith("pool"):
        return f"features.transition{block}.{'pool' if rest[0] == 'conv' else parts[rest[0]]}"
    dense_layer = f"features.denseblock{block}.denselayer{rest[0].removeprefix('block')}"
    if rest[1] == "concat":
        return dense_layer
    inner = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}
    return f"{dense_layer}.{inner['_'.join(rest[1:])]}"


@pytest.mark.parametrize(
    ("widths", "count"),
    [
        pytest.param({"blocks": (2, 3, 1, 2), "growth_rate": 8, "stem_channels": 16}, 6, id="small"),
        pytest.param({}, 4, id="densenet121"),
    ],
)
def test_every_layer_equals_pytorch(tmp_path, widths, count):
    torch = pytest.importorskip("torch", reason=torch_samples.NO_TORCH)
    from tests.models import torch_dense_net

    levels = grey_levels(count, 64)
    normalised = torch.from_numpy((2 * (levels / 255) - 1.0) * 1024)[:, None]
    reference = torch_dense_net.random_dense_net(normalised, **widths)
    torch.save(reference.state_dict(), tmp_path / "weights.pt")
    model = filled(tmp_path / "weights.pt")

    expected = torch_dense_net.outputs(reference, normalised[:2])
    kinds = (
        keras.layers.Conv2D,
        keras.layers.BatchNormalization,
        keras.layers.Concatenate,
        keras.layers.MaxPooling2D,
        keras.layers.AveragePooling2D,
        keras.layers.Dense,
    )
    layers = [layer for layer in model.layers if isinstance(layer, kinds) and not is_transition_pool(layer)]
    found = keras.Model(model.input, [layer.output for layer in layers])(three_channels(levels[:2]))
    names = [torch_name(layer) for layer in layers]
    modules = {name for name in expected if "relu" not in name and not name.split(".")[-1].startswith("denseblock")}
    transitions = {f"features.transition{block}" for block in (1, 2, 3)}
    pooled_after = {f"{name}.conv" for name in transitions}  # ours pools first: its convolution equals their pool
    assert set(names) == modules - {"features"} - transitions - pooled_after
    for name, value in zip(names, found, strict=True):
        assert expected[name].std() > 1e-3, name
        tolerance = 1e-4 * np.abs(expected[name]).max()
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=tolerance, err_msg=name)


def test_widths_and_depths_are_read_off_the_arrays(write, arrays):
    config = TorchXRayVisionWeights.read(write(arrays)).config
    assert (config.blocks, config.growth_rate, config.stem_channels) == ((2, 1, 2, 2), 4, 8)
    assert (0 * config.input_scale + config.input_offset, config.input_scale + config.input_offset) == (-1024, 1024)


def test_one_input_channel_is_spread_over_three(write, arrays):
    kernel = filled(write(arrays)).get_layer("conv1_conv").kernel.numpy()
    assert kernel.shape == (7, 7, 3, 8)
    np.testing.assert_array_equal(kernel[:, :, 0], kernel[:, :, 2])
    one_channel = arrays["features.conv0.weight"][:, 0].transpose(1, 2, 0)
    np.testing.assert_allclose(kernel.sum(axis=2), one_channel, rtol=1e-6)


def test_batch_norm_of_tiny_variance_keeps_pytorchs_epsilon(write, arrays):
    arrays["features.norm5.running_var"][:] = np.geomspace(1e-12, 1e-3, arrays["features.norm5.running_var"].size)
    layer = filled(write(arrays)).get_layer("bn")
    x = np.random.default_rng(0).normal(size=(4, 2, 2, layer.gamma.shape[0])).astype("float32")
    norm = {part: arrays[f"features.norm5.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}
    scale = norm["weight"] / np.sqrt(norm["running_var"].astype("float64") + 1e-5)
    expected = (x - norm["running_mean"]) * scale + norm["bias"]
    np.testing.assert_allclose(layer(x), expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())
    assert np.abs(layer.gamma / norm["weight"] - 1).max() > 4e-4


def test_findings_choose_rows_in_their_order(write, arrays):
    path, x = write(arrays), three_channels(grey_levels(2, 64))
    every = filled(path)(x).numpy()
    chosen = ("pneumonia", "edema", "pleural_effusion")
    np.testing.assert_allclose(filled(path, findings=chosen)(x), every[:, [8, 4, 7]], rtol=1e-5)


def test_findings_without_an_operating_point_are_not_offered(write, arrays):
    arrays["op_threshs"][[2, 4]] = np.nan
    weights = TorchXRayVisionWeights.read(write(arrays))
    assert len(weights.findings) == 16
    assert weights.operating_point("pneumonia") == pytest.approx(arrays["op_threshs"][8])
    with pytest.raises(errors.CtcovError, match=r"finding 'edema': these weights do not have it: .*atelectasis, cons"):
        weights.fill(registry.build(weights.config, 32, 1), ("edema",))


def test_weights_without_operating_points(write, arrays):
    del arrays["op_threshs"]
    weights = TorchXRayVisionWeights.read(write(arrays))
    assert weights.findings == FINDINGS
    assert weights.operating_point("pneumonia") is None


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_prefixes_are_taken_off(write, arrays, prefix):
    weights = TorchXRayVisionWeights.read(write({f"{prefix}{name}": array for name, array in arrays.items()}))
    assert list(weights.arrays) == list(arrays)


def test_half_precision_is_widened(write, arrays):
    halves = {name: array.astype("float16") if array.ndim else array for name, array in arrays.items()}
    kernel = filled(write(halves), 32).get_layer("conv2_block1_1_conv").kernel
    assert kernel.dtype == "float32"
    expected = halves["features.denseblock1.denselayer1.conv1.weight"][:, :, 0, 0].T
    np.testing.assert_array_equal(kernel.numpy()[0, 0], expected.astype("float32"))


def without(name):
    return lambda arrays: arrays.pop(name)


def reshaped(name, shape):
    return lambda arrays: arrays.update({name: np.zeros(shape, "float32")})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (dict.clear, "is no state dict"),
        (without("features.conv0.weight"), "features.conv0.weight: missing"),
        (without("features.denseblock1.denselayer1.conv2.weight"), "denselayer1.conv2.weight: missing"),
        (without("features.denseblock3.denselayer2.conv2.weight"), r"transition3.norm.weight: shape \(14,\)"),
        (without("features.transition2.norm.running_var"), "transition2.norm.running_var: missing"),
        (without("classifier.bias"), "classifier.bias: missing"),
        (reshaped("features.conv0.weight", (8, 3, 7, 7)), r"conv0.weight: shape \(8, 3, 7, 7\), .* \(8, 1, 7, 7\)"),
        (reshaped("features.denseblock2.denselayer1.conv1.weight", (8, 12, 1, 1)), r"denselayer1.conv1.weight: shape"),
        (reshaped("features.norm5.bias", (5,)), r"norm5.bias: shape \(5,\)"),
        (reshaped("classifier.bias", (14,)), r"classifier.bias: shape \(14,\), TorchXRayVision has 18 findings"),
        (reshaped("op_threshs", (14,)), r"op_threshs: shape \(14,\), TorchXRayVision has 18 findings"),
    ],
)
def test_another_architecture_names_the_layer(write, arrays, change, fault):
    change(arrays)
    path = write(arrays)
    with pytest.raises(errors.CtcovError, match=f"weights.pt: .*{fault}.*torch.save"):
        filled(path, 32)


def test_other_findings_name_those_of_the_weights(write, arrays):
    path = write(arrays)
    with pytest.raises(errors.CtcovError, match=r"finding 'pneumonitis'.*choose --findings from atelectasis, "):
        filled(path, 32, ("pneumonia", "pneumonitis"))
    with pytest.raises(errors.CtcovError, match=r"names one twice"):
        filled(path, 32, ("pneumonia", "pneumonia"))


def test_findings_follow_the_published_rows():
    assert len(FINDINGS) == len(set(FINDINGS)) == 18
    assert [FINDINGS.index(name) for name in ("edema", "pleural_effusion", "pneumonia", "cardiomegaly")] == [
        4,
        7,
        8,
        10,
    ]
    assert torchxrayvision.IMAGE_SIZE == 224
