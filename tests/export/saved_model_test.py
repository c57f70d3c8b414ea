import json
import shutil
import warnings

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from ctcov_tf import errors, explain, processor, run_directory
from ctcov_tf.export import samples, saved_model
from ctcov_tf.images import decode
from ctcov_tf.models import scores
from ctcov_tf.models.inference_network import inference_network
from ctcov_tf.preprocessing.decode import decode_grey
from ctcov_tf.preprocessing.preprocess import Preprocess

GRAPH_BYTES = 1_500_000  # four signatures, whatever the weights
ANSWER = ("probability", "probabilities", "label", "threshold")


@pytest.fixture(scope="module")
def served(exports):
    return tf.saved_model.load(exports["saved_model"])


@pytest.fixture(scope="module")
def expected(trained_run, images):
    """Probabilities and heat maps from Keras."""
    preprocess = Preprocess.from_preprocess_config(trained_run.config.preprocess)
    prepared = tf.concat([preprocess(decode_grey(image.data)[tf.newaxis]) for image in images], axis=0)
    return explain.GradCam(trained_run.load_model(), trained_run.labels)(prepared)


def test_layout_is_that_of_tensorflow_serving(exports, trained_run):
    folder = exports["saved_model"]
    assert (folder.parent.name, folder.name) == (trained_run.preset, "1")
    assert {"saved_model.pb", "variables", "fingerprint.pb", "assets.extra"} <= {path.name for path in folder.iterdir()}
    record = json.loads((folder / "assets.extra" / "model_info.json").read_text())
    assert record == json.loads(trained_run.model_info().to_json())


def test_bytes_of_differing_sizes_in_one_batch(served, images, expected, trained_run):
    answer = served.signatures["serving_default"](image_bytes=tf.constant([image.data for image in images]))
    probability = scores.positive_probability(expected[0], trained_run.labels)
    assert len({decode.decode_rgb(image.data, "").shape for image in images}) > 1
    assert np.ptp(probability) > 0.05
    np.testing.assert_allclose(answer["probability"], probability, atol=1e-5)
    np.testing.assert_allclose(answer["probabilities"], expected[0], atol=1e-5)
    np.testing.assert_allclose(answer["threshold"], [0.5] * len(images))
    names = {True: trained_run.labels.positive.encode(), False: trained_run.labels.negative.encode()}
    assert answer["label"].numpy().tolist() == [names[bool(one >= 0.5)] for one in probability]


def test_pixels_as_bytes_and_as_floats(served, images, expected):
    for image, probabilities in zip(images[:3], expected[0], strict=False):
        rgb = decode.decode_rgb(image.data, image.image_id)[np.newaxis]
        for name, array in ("pixels", rgb), ("pixels_float", rgb.astype(np.float32)):
            answer = served.signatures[name](images=tf.constant(array))
            np.testing.assert_allclose(answer["probabilities"][0], probabilities, atol=1e-5)


def test_pixels_in_a_batch(served, images):
    rgb = decode.decode_rgb(images[0].data, images[0].image_id)
    pair = tf.constant(np.stack([rgb, rgb[::-1]]))
    together = served.signatures["pixels"](images=pair)["probability"].numpy()
    alone = [served.signatures["pixels"](images=pair[i : i + 1])["probability"][0] for i in range(2)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_explain_gives_the_heat_maps_of_grad_cam(served, images, expected):
    answer = served.signatures["explain"](image_bytes=tf.constant([image.data for image in images]))
    unexplained = served.signatures["serving_default"](image_bytes=tf.constant([image.data for image in images]))
    assert set(answer) == {*unexplained, "heatmap"} == {*ANSWER, "heatmap"}
    np.testing.assert_allclose(answer["probability"], unexplained["probability"], atol=1e-5)
    np.testing.assert_array_equal(answer["label"], unexplained["label"])
    assert np.max(expected[1]) == 1
    np.testing.assert_allclose(answer["heatmap"], expected[1], atol=1e-4)


@pytest.mark.parametrize("signature", ["serving_default", "explain"])
def test_bytes_that_are_no_image_are_an_invalid_argument(served, images, signature):
    for data in b"no image", b"", images[0].data[:60]:
        with pytest.raises(tf.errors.InvalidArgumentError):
            served.signatures[signature](image_bytes=tf.constant([images[0].data, data]))


@pytest.fixture(scope="module")
def fused(tiny_fusion_exports):
    return tf.saved_model.load(tiny_fusion_exports["saved_model"])


def test_a_fusion_names_every_likelihood(fused, tiny_fusion_run, images):
    """In all signatures, each likelihood that of the layer inside."""
    model, parts = tiny_fusion_run.load_model(), tiny_fusion_run.parts
    preprocess = Preprocess.from_preprocess_config(tiny_fusion_run.config.preprocess)
    prepared = tf.concat([preprocess(decode_grey(image.data)[tf.newaxis]) for image in images], axis=0)
    inside = {part.name: keras.Model(model.input, model.get_layer(part.name).output)(prepared) for part in parts}
    assert np.ptp(inside["part1"], axis=1).min() > 0.1
    names = [name for part in parts for name in part.likelihoods]
    batch = tf.constant([image.data for image in images])
    for signature in "serving_default", "explain":
        answer = fused.signatures[signature](image_bytes=batch)
        assert {name for name in answer if name.startswith("part")} == set(names)
        for part in parts:
            for index, name in enumerate(part.likelihoods):
                assert answer[name].dtype == tf.float32
                np.testing.assert_allclose(answer[name], inside[part.name][:, index], atol=1e-5)
        np.testing.assert_allclose(answer["probabilities"], keras.ops.sigmoid(model(prepared)), atol=1e-5)
    rgb = decode.decode_rgb(images[0].data, images[0].image_id)[np.newaxis]
    for signature, pixels in ("pixels", rgb), ("pixels_float", rgb.astype(np.float32)):
        answer = fused.signatures[signature](images=tf.constant(pixels))
        for name, value in zip(names, [*inside["part1"][0], *inside["part2"][0]], strict=True):
            np.testing.assert_allclose(answer[name], [value], atol=1e-5)


def test_a_fusion_is_explained_part_by_part(fused, tiny_fusion_run, images):
    model, labels, parts = tiny_fusion_run.load_model(), tiny_fusion_run.labels, tiny_fusion_run.parts
    preprocess = Preprocess.from_preprocess_config(tiny_fusion_run.config.preprocess)
    prepared = tf.concat([preprocess(decode_grey(image.data)[tf.newaxis]) for image in images], axis=0)
    answer = fused.signatures["explain"](image_bytes=tf.constant([image.data for image in images]))
    cams = {"heatmap": explain.GradCam(model, labels)}
    cams |= {f"heatmap_{part.name}": explain.GradCam(model, part.labels, part=part.name) for part in parts}
    for name, cam in cams.items():
        assert answer[name].numpy().any(), name
        np.testing.assert_allclose(answer[name], cam(prepared)[1], atol=1e-3)
    part1 = parts[0]
    likelihoods = np.stack([answer[name] for name in part1.likelihoods], axis=1)
    expected = [part1.labels.outputs[index].encode() for index in np.argmax(likelihoods, axis=1)]
    assert answer["finding_part1"].numpy().tolist() == expected
    assert {name for name in answer if "finding" in name or "heatmap" in name} == {*cams, "finding_part1"}


def test_a_part_is_served_on_its_own(part_exports, part_run):
    """Probabilities of all findings, or of both classes; the decision is about the positive one."""
    served = tf.saved_model.load(part_exports["saved_model"])
    drawn = samples.draw(part_run.config.data, "validation", 4)
    batch = tf.constant([one.data for one in drawn])
    preprocess = Preprocess.from_preprocess_config(part_run.config.preprocess)
    prepared = tf.concat([preprocess(decode_grey(one.data)[tf.newaxis]) for one in drawn], axis=0)
    labels = part_run.labels
    probabilities, heatmaps = explain.GradCam(part_run.load_model(), labels)(prepared)
    for signature in "serving_default", "explain":
        answer = served.signatures[signature](image_bytes=batch)
        assert answer["probabilities"].shape == (4, len(labels.outputs))
        np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
        np.testing.assert_array_equal(answer["probability"], answer["probabilities"][:, labels.positive_output])
        decided = {True: labels.positive.encode(), False: labels.negative.encode()}
        assert answer["label"].numpy().tolist() == [decided[bool(one >= 0.5)] for one in answer["probability"]]
    np.testing.assert_allclose(answer["heatmap"], heatmaps, atol=1e-3)
    findings = {"finding"} if labels.head == "findings" else set()
    assert set(answer) == {*ANSWER, "heatmap", *findings}
    for name in findings:
        likeliest = [labels.outputs[index].encode() for index in np.argmax(probabilities, axis=1)]
        assert answer[name].numpy().tolist() == likeliest


@pytest.mark.parametrize("name", ["deep_ct_net_tiny", "deep_cxr_net"])
def test_weights_are_stored_once(name, request):
    """Of Deep-CXR-Net those of all three networks."""
    fixtures = {
        "deep_ct_net_tiny": ("trained_run", "exports"),
        "deep_cxr_net": ("tiny_fusion_run", "tiny_fusion_exports"),
    }
    run, exports = map(request.getfixturevalue, fixtures[name])
    model = inference_network(run.load_model())
    weights = sum(variable.value.numpy().nbytes for variable in model.weights)
    variables = sum(path.stat().st_size for path in (exports["saved_model"] / "variables").iterdir())
    whole = sum(path.stat().st_size for path in exports["saved_model"].rglob("*") if path.is_file())
    names = tf.train.list_variables(str(exports["saved_model"] / "variables" / "variables"))
    assert len([stored for stored, shape in names if shape]) == len([one for one in model.weights if one.shape])
    assert variables <= 1.15 * weights + 50_000
    assert whole <= 1.15 * weights + GRAPH_BYTES * (1 + len(run.parts))


def test_never_overwrites(exports, trained_run):
    base = exports["saved_model"].parent.parent
    with pytest.raises(errors.CtcovError, match=r"already exported: choose another --version, such as 2"):
        saved_model.export_saved_model(trained_run, base)
    with pytest.raises(errors.CtcovError, match="--version 1 or more"):
        saved_model.export_saved_model(trained_run, base, version=0)


def test_nothing_is_left_when_writing_fails(trained_run, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space"):
        saved_model.export_saved_model(trained_run, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or path.name != trained_run.preset]


def test_refuses_a_model_that_computes_in_less_than_float32(trained_run, tmp_path):
    shutil.copytree(trained_run.path, tmp_path / "run")
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, dtype="mixed_bfloat16", name="half")(image))
    model.save(tmp_path / "run" / "model.keras")
    with pytest.raises(errors.CtcovError, match="layer half computes in bfloat16"):
        saved_model.export_saved_model(run_directory.load(tmp_path / "run"), tmp_path)


@pytest.fixture(scope="module")
def bfloat16(trained_run, tmp_path_factory):
    """Folder of the form with bfloat16 maps."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "this processor has no bfloat16")
        return saved_model.export_saved_model(
            trained_run, tmp_path_factory.mktemp("bfloat16"), form="saved_model_bfloat16"
        )


def test_bfloat16_answers_nearly_as_float32_in_every_signature(bfloat16, images, expected, trained_run):
    assert bfloat16.parts[-2:] == (f"{trained_run.preset}-bfloat16", "1")
    served = tf.saved_model.load(bfloat16)
    batch = tf.constant([image.data for image in images])
    answer = served.signatures["explain"](image_bytes=batch)
    assert {name: value.dtype for name, value in answer.items() if name != "label"} == {
        name: tf.float32 for name in ("probability", "probabilities", "threshold", "heatmap")
    }
    assert 0 < np.abs(answer["probabilities"] - expected[0]).max() < 0.05
    assert np.mean(np.abs(answer["heatmap"] - expected[1])) < 0.1  # of maps of 2 x 2, scaled to a maximum of 1
    unexplained = served.signatures["serving_default"](image_bytes=batch)
    np.testing.assert_allclose(answer["probabilities"], unexplained["probabilities"], atol=0.01)
    rgb = decode.decode_rgb(images[0].data, images[0].image_id)[np.newaxis]
    for name, array in ("pixels", rgb), ("pixels_float", rgb.astype(np.float32)):
        found = served.signatures[name](images=tf.constant(array))
        np.testing.assert_allclose(found["probabilities"][0], expected[0][0], atol=0.05)


def test_bfloat16_halves_the_weights(bfloat16, exports):
    size = {
        folder: sum(path.stat().st_size for path in (folder / "variables").iterdir())
        for folder in (bfloat16, exports["saved_model"])
    }
    assert size[bfloat16] < 0.65 * size[exports["saved_model"]]


def test_emulated_bfloat16_is_warned_of(trained_run, tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "bfloat16_instructions", list)
    monkeypatch.setattr(saved_model, "save_graph", lambda module, folder, signatures: folder.mkdir())
    with pytest.warns(UserWarning, match="no bfloat16 instructions: saved_model_bfloat16 is slower"):
        saved_model.export_saved_model(trained_run, tmp_path, form="saved_model_bfloat16")


def test_an_unfinished_run_is_refused(trained_run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_bytes((trained_run.path / "config.json").read_bytes())
    with pytest.raises(errors.CtcovError, match=r"calibration\.json: missing"):
        saved_model.export_saved_model(run_directory.load(tmp_path / "run"), tmp_path)


def test_saved_model_cli(exports, images, expected, trained_run, run_command, tmp_path):
    """TensorFlow's own tool shows a signature and runs it, in a process that knows nothing of this package."""
    np.save(tmp_path / "bytes.npy", np.array([image.data for image in images[:2]], dtype=object))
    where = f"--dir {exports['saved_model']} --tag_set serve --signature_def serving_default"
    show = f"show {where}"
    run = f"run {where} --inputs image_bytes={tmp_path / 'bytes.npy'} --outdir {tmp_path / 'answer'}"
    code = f"""
import sys
from tensorflow.python.tools import saved_model_cli
for command in {show!r}, {run!r}:
    sys.argv = ["saved_model_cli", *command.split()]
    try:
        saved_model_cli.main()
    except SystemExit as end:
        assert not end.code, end.code
"""
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr
    assert "inputs['image_bytes']" in done.stdout
    for name, kind in ("probability", "DT_FLOAT"), ("label", "DT_STRING"), ("threshold", "DT_FLOAT"):
        assert f"outputs['{name}'] tensor_info:\n      dtype: {kind}" in done.stdout
    probability = scores.positive_probability(expected[0], trained_run.labels)[:2]
    np.testing.assert_allclose(np.load(tmp_path / "answer" / "probability.npy"), probability, atol=1e-4)


def test_colour_and_grey_files_of_the_same_picture_agree(served, images):
    rgb = decode.decode_rgb(images[0].data, images[0].image_id)
    bgra = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)
    bgra[..., 3] = 7  # transparency must not matter
    files = [cv2.imencode(".png", picture)[1].tobytes() for picture in (rgb[..., ::-1], bgra)]
    answer = served.signatures["serving_default"](image_bytes=tf.constant(files))["probability"].numpy()
    assert answer[0] == pytest.approx(answer[1], rel=1e-5)  # rows of a batch may be summed in another order
