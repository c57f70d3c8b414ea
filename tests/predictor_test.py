import dataclasses
import json
import shutil

import numpy as np
import pytest

from ctcov_tf import errors, predictor
from ctcov_tf.config import SmallCNNConfig
from ctcov_tf.images import decode
from tests.fixed_predictor import Fixed, info


@pytest.fixture(scope="module")
def small_run(tiny_run, tmp_path_factory):
    """A run whose network has a heat map in every form."""
    from ctcov_tf.models import registry

    config = dataclasses.replace(tiny_run.config, model=SmallCNNConfig(channels=(8, 8, 8)))
    run = dataclasses.replace(tiny_run, path=tmp_path_factory.mktemp("small") / "run", config=config)
    run.save()
    shutil.copy(tiny_run.calibration_file, run.calibration_file)
    registry.build(config.model, config.preprocess.image_size, 1).save(run.model_file)
    return run


@pytest.fixture(scope="module")
def exports(small_run, tmp_path_factory):
    from ctcov_tf.export import saved_model, tflite

    directory = tmp_path_factory.mktemp("exports")
    folder = saved_model.export_saved_model(small_run, directory)
    return {"run": small_run.path, "saved_model": folder, **tflite.export_tflite(small_run, directory, ["float32"])}


@pytest.fixture(scope="module")
def small(exports):
    """The small network, opened in all three kinds."""
    return {kind: predictor.load(path) for kind, path in exports.items()}


@pytest.fixture(scope="module")
def fused(tiny_fusion_run, tiny_fusion_exports):
    """Deep-CXR-Net, opened in all three kinds."""
    paths = {"run": tiny_fusion_run.path} | {form: tiny_fusion_exports[form] for form in ("saved_model", "float32")}
    return {kind: predictor.load(path) for kind, path in paths.items()}


def test_all_three_kinds_answer_alike(small, image_files, small_run):
    for path in image_files:
        answers = {kind: model.predict(path.read_bytes(), path.name) for kind, model in small.items()}
        expected = answers["run"]
        assert expected.label in (small_run.labels.positive, small_run.labels.negative)
        assert expected.probabilities == {"covid19": expected.probability}
        assert (expected.name, expected.model, expected.threshold) == (path.name, small_run.preset, 0.5)
        for answer in answers.values():
            assert answer.probability == pytest.approx(expected.probability, abs=1e-5)


@pytest.mark.parametrize("kind", ["run", "saved_model", "float32"])
def test_a_batch_is_answered_as_its_images_are(small, image_files, kind):
    model = small[kind]
    images = [predictor.read(path.read_bytes(), path.name) for path in (*image_files, image_files[0])]
    answers, explained = model.predict_batch(images), model.explain_batch(images)
    for image, answer, explanation in zip(images, answers, explained, strict=True):
        alone = model.explain(image.data, image.name)
        assert answer.name == image.name
        assert answer.probability == pytest.approx(alone.prediction.probability, abs=1e-6)
        np.testing.assert_allclose(explanation.heatmaps["covid19"], alone.heatmaps["covid19"], atol=1e-4)
    assert answers[0].probability != answers[1].probability


def test_a_saved_model_runs_once_for_a_batch(small, image_files, monkeypatch):
    model = small["saved_model"]
    given = []
    monkeypatch.setattr(model, "_run", lambda *asked, run=model._run: given.append(asked) or run(*asked))
    model.predict_batch([predictor.read(path.read_bytes(), path.name) for path in image_files])
    assert len(given) == 1
    assert [kind for kind, one in small.items() if one.takes_batches] == ["saved_model"]


def test_what_tensorflow_alone_cannot_decode_is_named(small):
    image = predictor.InputImage("a.png", b"no image", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(errors.CtcovError, match=r"^a\.png, a\.png: TensorFlow cannot decode it: convert it to PNG$"):
        small["saved_model"].predict_batch([image, image])


def test_all_three_kinds_draw_the_same_heat_map(small, image_files):
    data = image_files[0].read_bytes()
    explained = {kind: model.explain(data, "a.png") for kind, model in small.items()}
    expected = explained["run"].heatmaps["covid19"]
    assert expected.ndim == 2
    for kind, explanation in explained.items():
        assert list(explanation.heatmaps) == ["covid19"]
        np.testing.assert_allclose(explanation.heatmaps["covid19"], expected, atol=1e-3)
        np.testing.assert_array_equal(explanation.image, decode.decode_rgb(data, "a.png"))
        answer = small[kind].predict(data, "a.png")
        assert explanation.prediction.probabilities == pytest.approx(answer.probabilities, abs=1e-5)


def test_a_fusion_names_its_likelihoods_in_every_kind(fused, tiny_fusion_run, image_files):
    names = [name for part in tiny_fusion_run.parts for name in part.likelihoods]
    for path in image_files:
        answers = {kind: model.predict(path.read_bytes(), path.name) for kind, model in fused.items()}
        expected = answers["run"].likelihoods
        assert list(expected) == names
        assert np.ptp(list(expected.values())) > 0.1
        assert expected["part2_pneumonia"] + expected["part2_normal"] == pytest.approx(1)
        for answer in answers.values():
            assert answer.likelihoods == pytest.approx(expected, abs=1e-4)
            assert answer.probability == pytest.approx(answers["run"].probability, abs=1e-4)


def test_a_fusion_is_explained_part_by_part(fused, image_files):
    data = image_files[0].read_bytes()
    run, *others = (fused[kind].explain(data, "a.png") for kind in ("run", "saved_model", "float32"))
    likelihoods = {name: value for name, value in run.prediction.likelihoods.items() if name.startswith("part1_")}
    assert list(run.heatmaps) == ["covid19", max(likelihoods, key=likelihoods.__getitem__), "part2_pneumonia"]
    for other in others:
        assert list(other.heatmaps) == list(run.heatmaps)
        for name, heatmap in run.heatmaps.items():
            assert heatmap.max() == 1, name
            np.testing.assert_allclose(other.heatmaps[name], heatmap, atol=1e-3)


def test_a_file_without_heat_map_says_where_there_is_one(tiny_fusion_exports, image_files):
    model = predictor.load(tiny_fusion_exports["int8"])
    assert not model.explains
    with pytest.raises(errors.CtcovError, match=r"int8\.tflite: holds no heat map: ask a float32 file, the SavedModel"):
        model.explain(image_files[0].read_bytes(), "a.png")


def test_a_record_that_is_not_the_networks_is_refused(tiny_fusion_run, tmp_path):
    """`config.json` edited by hand: a finding taken out."""
    shutil.copytree(tiny_fusion_run.path, tmp_path / "run")
    first = tiny_fusion_run.parts[0]
    fewer = dataclasses.replace(first.labels, class_names=first.labels.class_names[1:])
    edited = (dataclasses.replace(first, labels=fewer), *tiny_fusion_run.parts[1:])
    dataclasses.replace(tiny_fusion_run, path=tmp_path / "run", parts=edited).save()
    with pytest.raises(
        errors.CtcovError, match=r"model\.keras: holds part1 \(6 .* names part1 \(5 .*: put back"
    ) as caught:
        predictor.load(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_the_highest_version_is_taken(exports, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "2").symlink_to(exports["saved_model"])
    (tmp_path / "model" / "10").mkdir()
    with pytest.raises(errors.CtcovError, match="not a model"):
        predictor.load(tmp_path / "model")  # version 10 is the highest, and empty
    (tmp_path / "model" / "10").rmdir()
    assert isinstance(predictor.load(tmp_path / "model"), predictor.SavedModelPredictor)


@pytest.mark.parametrize(
    ("probability", "label"), [(0.299, "normal"), (np.float32(0.3), "covid19"), (0.301, "covid19")]
)
def test_positive_at_and_above_the_threshold(image_files, probability, label):
    answer = Fixed(info(), probability).predict(image_files[0].read_bytes(), "a.png")
    assert answer.label == label


def test_three_classes_are_decided_by_the_positive_one(image_files):
    model = Fixed(info("three_class", ("normal", "other_pneumonia", "covid19")), 0.1, 0.55, 0.35)
    answer = model.predict(image_files[0].read_bytes(), "a.png")
    assert (answer.label, answer.probability) == ("covid19", pytest.approx(0.35))
    assert answer.probabilities == pytest.approx({"normal": 0.1, "other_pneumonia": 0.55, "covid19": 0.35})


def test_of_findings_the_likeliest_is_explained(image_files):
    model = Fixed(info("findings", ("edema", "covid19", "effusion")), 0.1, 0.3, 0.6)
    explanation = model.explain(image_files[0].read_bytes(), "a.png")
    assert list(explanation.heatmaps) == ["effusion"]
    assert (explanation.prediction.label, explanation.prediction.probability) == ("covid19", pytest.approx(0.3))


def test_an_explained_answer_takes_one_run_of_the_model(image_files):
    model = Fixed(info(), 0.8)
    model.explain(image_files[0].read_bytes(), "a.png")
    assert model.runs == 1


@pytest.mark.parametrize("kind", ["missing", "folder", "file", "saved_model"])
def test_what_is_no_model_is_refused(kind, tmp_path):
    path = tmp_path / "model"
    if kind == "folder":
        path.mkdir()
    if kind == "file":
        path.write_text("no model")
    if kind == "saved_model":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(errors.CtcovError, match=rf"^{tmp_path}.*: .*name a") as caught:
        predictor.load(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_saved_model_is_refused(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "model_info.json").write_text(info().to_json())
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(errors.CtcovError, match=r"damaged SavedModel .*export it again"):
        predictor.load(tmp_path)


def test_a_tflite_file_is_answered_without_tensorflow(exports, small, image_files, run_command, tmp_path):
    code = (
        "import sys; from ctcov_tf import predict; "
        f"code = predict.predict_command({str(exports['float32'])!r}, [{str(image_files[0])!r}], as_json=True, "
        f"heatmap={str(tmp_path)!r}, threads=1); "
        "assert not {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules), 'heavy import'; sys.exit(code)"
    )
    done = run_command("-c", code)
    assert done.returncode == 0, done.stderr
    expected = small["run"].predict(image_files[0].read_bytes(), "a.png")
    assert json.loads(done.stdout)["probability"] == pytest.approx(expected.probability, abs=1e-4)
    assert (tmp_path / "a.png").is_file()
