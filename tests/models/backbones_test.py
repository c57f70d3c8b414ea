import h5py
import keras
import numpy as np
import pytest

from ctcov_tf import errors
from ctcov_tf.config import DeepCTNetConfig
from ctcov_tf.models import backbone_weights, backbones, registry

TINY = {"blocks": (2, 2, 2, 2), "growth_rate": 4, "stem_channels": 8}
TINY_CONFIG = DeepCTNetConfig(**TINY, attention="slim", attention_channels=4, dense_units=4)


def backbone(size=64, **kwargs):
    image = keras.Input((size, size, 3), name="image")
    return keras.Model(image, backbones.dense_net(image, **kwargs))


def images(size=64, count=2):
    return np.random.default_rng(0).normal(size=(count, size, size, 3)).astype("float32")


@pytest.fixture(scope="module")
def reference():
    """DenseNet-121 of keras.applications with uneven weights and statistics."""
    model = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(64, 64, 3))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


@pytest.fixture(scope="module")
def ours():
    return backbone()


def test_equals_keras_applications(ours, reference):
    names = [[layer.name for layer in model.layers if layer.weights] for model in (ours, reference)]
    assert names[0] == names[1]
    ours.set_weights(reference.get_weights())
    expected = reference(images()).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(ours(images()), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("stride", "side"), [(32, 2), (16, 4)])
def test_output_stride(stride, side):
    model = backbone(**TINY, output_stride=stride)
    assert model.output_shape[1:3] == (side, side)
    assert model(images()).shape[1:3] == (side, side)


def test_output_strides_share_weights_and_dilate():
    coarse, fine = backbone(**TINY, output_stride=32), backbone(**TINY, output_stride=16)
    fine.set_weights(coarse.get_weights())
    dilations = {layer.name: layer.dilation_rate for layer in fine.layers if isinstance(layer, keras.layers.Conv2D)}
    assert dilations["conv5_block1_2_conv"] == (2, 2)
    assert dilations["conv4_block1_2_conv"] == (1, 1)


def test_refuses_an_output_stride_that_does_not_go():
    with pytest.raises(errors.CtcovError, match="choose 16 or 8"):
        backbone(blocks=(1, 1, 1), output_stride=32)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_from_a_file(tmp_path, suffix, whole):
    source = registry.build(TINY_CONFIG, 64, 1) if whole else backbone(**TINY)
    path = tmp_path / f"source{suffix}"
    if suffix == ".keras":
        source.save(path)
    else:
        source.save_weights(path)
    target = backbone(**TINY)
    assert not np.array_equal(target.get_layer("conv1_conv").kernel, source.get_layer("conv1_conv").kernel)
    backbone_weights.load(target, str(path))
    values = {v.path: v.numpy() for v in source.weights}
    for variable in target.weights:
        np.testing.assert_array_equal(variable, values[variable.path], err_msg=variable.path)


def test_weights_as_keras_applications_publishes_them(tmp_path):
    """Format of Keras before 3, in which the stem's layers have a slash in their names."""
    source, target = backbone(**TINY), backbone(**TINY)
    with h5py.File(tmp_path / "notop.h5", "w") as file:
        file.attrs["layer_names"] = [layer.name.replace("conv1_", "conv1/").encode() for layer in source.layers]
        for layer in source.layers:
            group = file.create_group(layer.name.replace("conv1_", "conv1/"))
            group.attrs["weight_names"] = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            for name, variable in zip(group.attrs["weight_names"], layer.weights, strict=True):
                group[name] = variable.numpy()
    backbone_weights.load(target, str(tmp_path / "notop.h5"))
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_do_not_fit(tmp_path):
    path = tmp_path / "narrow.keras"
    backbone(**{**TINY, "growth_rate": 2}).save(path)
    with pytest.raises(errors.CtcovError, match=r"narrow\.keras: layer .* other blocks or widths") as caught:
        backbone_weights.load(backbone(**TINY), str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.keras", None, "no such file"),
        ("torn.keras", b"PK not really", "unreadable"),
        ("torn.weights.h5", b"", "unreadable"),
        ("model.bin", b"x", "not imagenet, none"),
    ],
)
def test_bad_weight_files(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.CtcovError, match=message) as caught:
        backbone_weights.load(backbone(**TINY), str(path))
    assert name in str(caught.value)


def test_imagenet_weights_are_for_densenet_121():
    with pytest.raises(errors.CtcovError, match="DenseNet-121 only"):
        backbone_weights.load(backbone(**TINY), "imagenet")


def test_failed_download_names_the_other_choices(monkeypatch, ours):
    def unreachable(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- no\nroute to host")

    monkeypatch.setattr(keras.applications, "DenseNet121", unreachable)
    with pytest.raises(errors.CtcovError, match="--weights none, or --weights FILE") as caught:
        backbone_weights.load(ours, "imagenet")
    assert "no route to host" in str(caught.value)


def test_imagenet_weights_are_copied(monkeypatch, ours, reference):
    monkeypatch.setattr(keras.applications, "DenseNet121", lambda **kwargs: reference)
    ours.get_layer("conv1_conv").kernel.assign(keras.ops.zeros((7, 7, 3, 64)))
    backbone_weights.load(ours, "imagenet")
    for a, b in zip(ours.weights, reference.weights, strict=True):
        np.testing.assert_array_equal(a, b)
